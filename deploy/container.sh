#!/bin/sh
# Every command in the container starts here, under its own name. docker-entrypoint prepares the volumes
# and starts the server; msp, appendclient and the other names run one command of the program. Root is
# given up first: PUID and PGID say for which user, or `docker run --user`.
set -eu

program=/usr/local/lib/msp/msp
self=/usr/local/bin/msp
nobody=65534
uid=${PUID:-1000}
gid=${PGID:-100}
drop=

fail() {
  echo "msp: error: $1" >&2
  echo "msp: hint: $2" >&2
  exit 2
}

# $1: PUID or PGID, $2: its value. Of a number with more than 32 bits, only the last 32 would count.
check_id() {
  expected="Set it to a whole number from 0 to 4294967294"
  case $2 in
    0) ;;
    *[!0-9]* | 0* | ???????????*) fail "Cannot use $1=$2" "$expected" ;;
    *) [ "$2" -le 4294967294 ] || fail "Cannot use $1=$2" "$expected" ;;
  esac
  [ "$2" -ne $nobody ] || fail "Cannot use $1=$2, which is nobody: other programs run as that user too" \
    "Set it to the owner of the folders that are mounted"
}

# Finds out how to become the user of the server.
choose_user() {
  [ "$(id -u)" -eq 0 ] || return 0
  check_id PUID "$uid"
  check_id PGID "$gid"
  [ "$uid" -ne 0 ] || return 0
  drop="setpriv --reuid $uid --regid $gid --clear-groups"
  $drop true 2>/dev/null || fail "Cannot become user $uid: the container lacks the capabilities SETUID and SETGID" \
    "Add them (and CHOWN), or start the container as that user: --user $uid:$gid"
}

# Runs a command of the program in place of this script, without any capability unless PUID is root.
run_program() {
  [ -e /proc/self/exe ] || fail "Cannot run without /proc" "Mount it: mount -t proc proc /proc"
  exec $drop $program "$@"
}

# Gives a volume to a user. Where that is not possible the program says what it cannot read or write.
own() {
  chown -h "$2" "$1" 2>/dev/null || true
  find "$1" -xdev \( ! -user "${2%:*}" -o ! -group "${2#*:}" \) -exec chown -h "$2" {} + 2>/dev/null ||
    echo "msp: warning: $1 has files of another user than $2, which cannot be changed here" >&2
}

prepare_volumes() {
  if [ "$(id -u)" -eq 0 ]; then
    for folder in /config /log /sec; do own $folder "$uid:$gid"; done
    # Commands may write there, such as key files; it is read-only with `docker run --read-only`.
    chown -h "$uid:$gid" /app 2>/dev/null || true
    # A folder that has something in it belongs to the user who put it there.
    [ -n "$(ls -A /app/modules)" ] || own /app/modules "$uid:$gid"
    [ -n "$(ls -A /data)" ] || own /data "$uid:$gid"
  fi
  # As the user of the server: root may have no right to write into a folder of another user.
  $drop test -e "$MSP_CONFIG_PATH" ||
    $drop cp /usr/local/share/msp/config.ini "$MSP_CONFIG_PATH" 2>/dev/null ||
    fail "Cannot create $MSP_CONFIG_PATH" \
      "Mount a folder there that user $($drop id -u) may write to"
}

name=${0##*/}
if [ "$name" = docker-entrypoint ]; then
  case ${1:-serve} in
    serve | -*) ;;
    # Another command of the program, or any program: docker run IMAGE bash
    *) [ "$(readlink -f "$(command -v "$1")")" = $self ] || exec "$@" ;;
  esac
  choose_user
  prepare_volumes
  case ${1:-serve} in
    serve) [ $# -eq 0 ] || shift ;;
    -*) ;;
    msp) shift; run_program "$@" ;;
    *) run_program "$@" ;;
  esac
  run_program serve "$@"
fi
choose_user
[ "$name" = msp ] || set -- "$name" "$@"
run_program "$@"
