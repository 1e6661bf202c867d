#!/bin/sh
# Writes tools.tsv: what openssl 3 and mkpasswd (Debian's whois 5.5, on libxcrypt 4.4) print for some passwords. Each
# line has a password, its hash, and the command, which reads the password from its standard input.
set -eu
cd "$(dirname "$0")"
exec >tools.tsv

line() {
	printf '%s\t%s\t%s\n' "$1" "$(printf '%s' "$1" | sh -c "$2")" "$2"
}

for n in 1 2 7 8 15 16 17 31 32 33 55 56 63 64 65 100 128 200 255 256; do
	password=$(seq 1000 | tr '\n' '-' | head -c "$n")
	line "$password" "openssl passwd -1 -salt abcdefgh -stdin"
	line "$password" "openssl passwd -apr1 -salt abcdefgh -stdin"
	line "$password" "openssl passwd -5 -salt rounds=1000\\\$abcdefghijklmnop -stdin"
	line "$password" "openssl passwd -6 -salt rounds=1000\\\$abcdefghijklmnop -stdin"
done
for salt in a ab abc abcdefg; do
	line "correct horse" "openssl passwd -1 -salt $salt -stdin"
	line "correct horse" "openssl passwd -apr1 -salt $salt -stdin"
	line "correct horse" "openssl passwd -5 -salt $salt -stdin"
	line "correct horse" "openssl passwd -6 -salt $salt -stdin"
done
for method in md5crypt sha256crypt sha512crypt yescrypt; do
	line "grüße 🐎" "mkpasswd -s -m $method"
done
line "correct horse" "mkpasswd -s -m sha512crypt -R 656000"
line "correct horse" "mkpasswd -s -m sha256crypt -R 535000"
for cost in 1 2 3 4 5 6; do
	line "correct horse" "mkpasswd -s -m yescrypt -R $cost"
done
