#!/bin/sh
# How a script or a back end stays logged in. See the Caddyfile beside it.
#
#     session.sh login <username>     reads the password from standard input
#     session.sh call <path>          calls the app, and refreshes if that answers 401
#     session.sh refresh
#     session.sh logout
#
# Passwords, secrets and tokens go through files and pipes, since every user of the
# machine can read the arguments of a command.
set -eu
umask 077

url=${SESSION_URL:-http://localhost:8080}
secret=${SESSION_SECRET:-examples/sessions/web.secret} # without a newline at its end
tokens=${SESSION_TOKENS:-$HOME/.contacts-session}

# post sends a form as the client web: a path, then options of curl. It prints the body,
# and the status on a separate line, which is 000 if there was no answer.
post() {
	path=$1
	shift
	curl -sS -w '\n%{http_code}' -d client_id=web --data-urlencode "client_secret@$secret" "$@" "$url$path" || true
}

status() { printf '%s\n' "$1" | tail -n 1; }
body() { printf '%s\n' "$1" | sed '$d'; }
token() { printf '%s' "$(sed 's/.*"'"$1"'":"\([^"]*\)".*/\1/' "$tokens")"; }

# keep stores the tokens of an answer. The file is never half written.
keep() {
	body "$1" >"$tokens.new"
	mv "$tokens.new" "$tokens"
}

give_up() {
	echo "$1" >&2
	exit 1
}

login() {
	IFS= read -r password
	answer=$(printf '%s' "$password" |
		post /token -d grant_type=password --data-urlencode "username=$1" --data-urlencode password@-)
	[ "$(status "$answer")" = 200 ] || give_up "no login: $answer"
	keep "$answer"
}

# refresh tries again while there is no answer, or a 503: with the same token, which
# refresh_grace allows if an answer was lost on its way.
refresh() {
	logged_in
	for pause in 1 2 4 0; do
		answer=$(token refresh_token |
			post /token -d grant_type=refresh_token --data-urlencode refresh_token@-)
		case $(status "$answer") in
		200)
			keep "$answer"
			return
			;;
		000 | 503) sleep "$pause" ;;
		400)
			rm -f "$tokens"
			give_up "the session is over, log in again: $answer"
			;;
		*) break ;;
		esac
	done
	give_up "no refresh: $answer"
}

# logged_in is for every command that needs tokens.
logged_in() {
	[ -f "$tokens" ] || give_up 'not logged in: run "session.sh login <username>"'
}

call() {
	logged_in
	ask "$1"
	if [ "$(status "$answer")" = 401 ]; then
		refresh
		ask "$1"
	fi
	body "$answer"
	[ "$(status "$answer")" = 200 ]
}

ask() {
	answer=$(printf 'Authorization: Bearer %s\n' "$(token access_token)" |
		curl -sS -w '\n%{http_code}' -H @- "$url$1")
}

# logout keeps the tokens until the server has said that the session is over.
logout() {
	logged_in
	answer=$(token refresh_token | post /token/revoke --data-urlencode token@-)
	[ "$(status "$answer")" = 200 ] || give_up "the session may live on, try again: $answer"
	rm -f "$tokens"
}

case ${1:-} in
login | call) "$1" "$2" ;;
refresh | logout) "$1" ;;
*) give_up "usage: session.sh login <username> | call <path> | refresh | logout" ;;
esac
