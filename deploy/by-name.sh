#!/bin/sh
# Runs the subcommand of msp that this file is named after: docker exec NAME appendclient KEY
exec msp "${0##*/}" "$@"
