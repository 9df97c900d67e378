#!/bin/sh
# Calls a function of a Mini Share Point and prints its answer: call.sh URL FUNCTION
# Reads client.key, client.secret and server.pub in the working folder.
set -eu
[ $# -eq 2 ] || { echo "usage: call.sh URL FUNCTION" >&2; exit 2; }
helper=$(dirname "$0")/nacl-box

seal() { "$helper" seal client.key server.pub; }

# Bytes of a number in hex: printf takes them in octal.
bytes() {
  hex=$1
  [ $((${#hex} % 2)) -eq 0 ] || hex=0$hex
  while [ -n "$hex" ]; do
    rest=${hex#??}
    # shellcheck disable=SC2059 # the format is what is made
    printf "\\$(printf %03o "0x${hex%"$rest"}")"
    hex=$rest
  done
}

secret=$(tr -d ' \r\n' < client.secret)
# gzip ends with the CRC-32 of its input, and the length: little-endian, four bytes each.
crc=$(printf %s "$secret" | gzip -c | tail -c 8 | od -An -N4 -tx1 |
  { read -r a b c d; echo "$d$c$b$a"; } | sed 's/^\(00\)*//')

body=$(printf '{"id":"%s","check":"%s","ts":"%s","entry":"%s"}' \
  "$(printf %s "$secret" | seal)" \
  "$(bytes "$crc" | seal)" \
  "$(bytes "$(printf %x "$(date +%s)")" | seal)" \
  "$(printf %s "$2" | seal)")

# The body goes through standard input: arguments show in the list of processes.
answer=$(printf %s "$body" |
  curl --silent --show-error --fail -H 'Content-Type: application/json' --data-binary @- "$1") ||
  { echo "refused" >&2; exit 1; }
printf %s "$answer" | sed 's/.*"value" *: *"\([^"]*\)".*/\1/' |
  "$helper" open client.key server.pub
echo
