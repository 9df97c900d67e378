#!/bin/sh
# Calls a function of a Mini Share Point server and prints its answer: call.sh URL FUNCTION
# Reads client.key, client.secret and server.pub in the working folder.
set -eu
[ $# -eq 2 ] || { echo "usage: call.sh URL FUNCTION" >&2; exit 2; }
helper=$(dirname "$0")/nacl-box

fail() { echo "call.sh: $1" >&2; exit 1; }

for file in client.key client.secret server.pub; do
  [ -r "$file" ] || fail "cannot read $file"
done

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

# The first 24 bytes of a sealed value: 32 characters of base64url.
nonce() { printf %.32s "$1"; }

secret=$(tr -d ' \r\n' < client.secret)
# gzip ends with the CRC-32 of its input, and the length: little-endian, four bytes each.
crc=$(printf %s "$secret" | gzip -c | tail -c 8 | od -An -N4 -tx1 |
  { read -r a b c d; echo "$d$c$b$a"; } | sed 's/^\(00\)*//')

id=$(printf %s "$secret" | seal)
check=$(bytes "$crc" | seal)
ts=$(bytes "$(printf %x "$(date +%s)")" | seal)
entry=$(printf %s "$2" | seal)

# The body goes through standard input: arguments show in the list of processes. Redirects are not
# followed: one turns a POST into a GET, and the server itself never redirects.
answer=$(printf '{"id":"%s","check":"%s","ts":"%s","entry":"%s"}' "$id" "$check" "$ts" "$entry" |
  curl --silent --show-error --max-time 30 --write-out '\n%{http_code}' \
    -H 'Content-Type: application/json' --data-binary @- "$1") || fail "cannot reach the server"
status=${answer##*
}
[ "$status" = 200 ] || fail "refused: status $status"
value=$(printf %s "$answer" | sed -n 's/.*"value" *: *"\([A-Za-z0-9_=-]*\)".*/\1/p')
# Box keys are symmetric: without this check, somebody in between could return one of the request's own
# values, such as the secret, as the answer.
for own in "$id" "$check" "$ts" "$entry"; do
  [ "$(nonce "$own")" != "$(nonce "$value")" ] || fail "the answer is one of the request's own values"
done
printf %s "$value" | "$helper" open client.key server.pub
echo
