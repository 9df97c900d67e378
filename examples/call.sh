#!/bin/sh
# A script that calls a server with `msp call`: call.sh [PROFILE] FUNCTION [NAME=VALUE ...]
#
# It repeats a call that surely did not run: `executed: no` stands in the error. It never repeats one
# that may have run.
set -u
[ $# -gt 0 ] || { echo "usage: call.sh [PROFILE] FUNCTION [NAME=VALUE ...]" >&2; exit 2; }

for pause in 1 2 4 0; do
  # Standard output and standard error of the command, apart.
  { error=$(msp call "$@" 2>&1 >&3); } 3>&1
  status=$?
  [ $status -ne 0 ] || exit 0
  case $error in
    *"connection refused"*"executed: no"*) [ $pause -eq 0 ] || { sleep $pause; continue; } ;;
  esac
  printf '%s\n' "$error" >&2
  exit $status
done
