#!/bin/sh
# Caddy runs this when a refresh token was used twice:
#
#     on-reuse.sh <file> <time> <user_id> <client_id> <client_ip> <session_id>
#
# It adds a line to the file. Put what your team looks at in its place: a mail, a message
# in a chat, a ticket. The arguments come from requests: quote them, and give none of
# them to eval or to a shell.
set -eu

printf '%s user=%s client=%s from=%s session=%s\n' "$2" "$3" "$4" "$5" "$6" >>"$1"
