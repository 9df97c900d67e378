#!/bin/sh
# First process of the container: makes the volumes usable, gives up root, becomes the server. PUID and
# PGID say as whom it runs; with `docker run --user` it runs as that user and changes no owner.
set -eu

fail() {
  echo "docker-entrypoint: error: $1" >&2
  exit 2
}

case ${1:-serve} in
  serve) [ $# -eq 0 ] || shift ;;
  -*) ;;
  # Another subcommand by its name, or any program: docker run IMAGE bash
  *) exec "$@" ;;
esac

# The first start of the server makes whatever else is missing.
fill_config() {
  [ -e "$MSP_CONFIG_PATH" ] || cp /usr/local/share/msp/config.ini "$MSP_CONFIG_PATH" ||
    fail "Cannot write $MSP_CONFIG_PATH: mount a folder there that user $(id -u) may write to"
}

if [ "$(id -u)" -ne 0 ]; then
  fill_config
  exec msp serve "$@"
fi

uid=${PUID:-1000}
gid=${PGID:-100}
for id in "PUID=$uid" "PGID=$gid"; do
  case ${id#*=} in
    '' | *[!0-9]*) fail "Cannot use $id, expected the number of a user or group" ;;
  esac
done

fill_config
# A module folder that has something in it belongs to whoever put it there.
for folder in /config /log /sec /app/modules; do
  if [ "$folder" = /app/modules ] && [ -n "$(ls -A /app/modules)" ]; then continue; fi
  find "$folder" -xdev \( ! -user "$uid" -o ! -group "$gid" \) -exec chown -h "$uid:$gid" {} + ||
    echo "docker-entrypoint: warning: $folder keeps its owner" >&2
done

[ "$uid" -ne 0 ] || exec msp serve --functions-user 65534:65534 "$@"

drop="setpriv --reuid $uid --regid $gid --clear-groups"
# What it takes to start and end functions as another user than the server; functions do not get it.
keep="--inh-caps=-all,+setuid,+setgid,+kill --ambient-caps=-all,+setuid,+setgid,+kill"
# shellcheck disable=SC2086 # both are lists of words
if $drop $keep true 2>/dev/null; then
  exec $drop $keep msp serve --functions-user 65534:65534 "$@"
fi
# shellcheck disable=SC2086
exec $drop msp serve "$@"
