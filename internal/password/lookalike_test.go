package password

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
)

// foreign are hashes of other programs, and hashes that were damaged on their way into
// a file.
var foreign = []struct {
	name   string
	hash   string
	reason error
}{
	{"passlib's PBKDF2", "$pbkdf2-sha256$29000$abc$def", errPBKDF2},
	{"passlib's PBKDF2 with SHA-1", "$pbkdf2$29000$abc$def", errPBKDF2},
	{"passlib's scrypt", "$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E", errScrypt},
	{"passlib's bcrypt of SHA-256", "$bcrypt-sha256$v=2,t=2b,r=12$n79VH.0Q2TMWmt3Oqt9uku$Kq4Noyk3094Y2QlB8NdRT8SvGiI4ft2", errBcryptOfDigest},
	{"passlib's sha1-crypt", "$sha1$480000$6qLPgz64uEaMsHA$Sbzs2kOAFeMDMqI7tdHmXjXV0vGI", errSHA1Crypt},
	{"Django's PBKDF2", "pbkdf2_sha256$29000$abc$def", errPBKDF2},
	{"Django's bcrypt of SHA-256", "bcrypt_sha256$$2b$12" + bcryptRest, errBcryptOfDigest},
	{"Django's bcrypt", "bcrypt$$2b$12" + bcryptRest, errDjangoPrefix},
	{"Django's argon2id", "argon2$argon2id$v=19$m=102400,t=2,p=8$" + salt + "$" + key, errDjangoPrefix},
	{"Django's scrypt", "scrypt$16384$salt$8$1$" + sum86, errScrypt},
	{"Django's SHA-1", "sha1$salt$0beec7b5ea3f0fdbc95d0dd47f3c5bc275da8a33", errSaltedDigest},
	{"Werkzeug's PBKDF2", "pbkdf2:sha256:600000$salt$" + strings.Repeat("ab", 32), errPBKDF2},
	{"Werkzeug's PBKDF2 after the colon of htpasswd", "pbkdf2", errPBKDF2},
	{"Werkzeug's scrypt", "scrypt:32768:8:1$salt$" + strings.Repeat("ab", 64), errScrypt},
	{"Werkzeug's scrypt after the colon of htpasswd", "scrypt", errScrypt},
	{"Werkzeug's old SHA-256", "sha256$salt$" + strings.Repeat("ab", 32), errSaltedDigest},
	{"WordPress's bcrypt", "$wp$2y$10" + bcryptRest, errBcryptOfDigest},
	{"WordPress's phpass", "$P$B12345678abcdefghijklmnopqrstuv", errPHPass},
	{"phpBB's phpass", "$H$912345678abcdefghijklmnopqrstuv", errPHPass},
	{"Drupal", "$S$D6x6P2gdnVKBzIA5v1p8wMnWDNbq0eCsYtyqmBfJgZzHcQo1kXDE", errDrupal},
	{"mosquitto's PBKDF2", "$7$101$Kg1jrxX0yGAyRhUQ$7tKN7E3f2Ix7JRhrZbCFTF3/1cqJzrVvDBpnVMOZqWsVGBw6uGBJvnyFHa3v5L3yK/X2mEJFW6DJJqEbyWCfqg==", errMosquitto},
	{"mosquitto's SHA-512", "$6$Kg1jrxX0yGAyRhUQ$7tKN7E3f2Ix7JRhrZbCFTF3/1cqJzrVvDBpnVMOZqWsVGBw6uGBJvnyFHa3v5L3yK/X2mEJFW6DJJqEbyWCfqg==", errMosquitto},
	{"libxcrypt's scrypt", "$7$CU..../....oMaVlxTcdXb0PzhKY/tJf.$G1TX2EQtJF01E0vb/Pz36FpGs3nRg2TWyeUIRy496h8", errScrypt},
	{"SunMD5", "$md5,rounds=73828$8HhE4BJI$$4ZosGwWQUb.gE2sDc1jrI.", errSunMD5},
	{"SunMD5 without rounds", "$md5$8HhE4BJI$$4ZosGwWQUb.gE2sDc1jrI.", errSunMD5},
	{"BSDi's DES", "_J9..CCCCXBrJUJV154M", errBSDi},
	{"FreeBSD's NT", "$3$$8846f7eaee8fb117ad06bdd830b7586c", errNT},
	{"PostgreSQL's SCRAM", "SCRAM-SHA-256$4096:abc$def:ghi", errSCRAM},
	{"PostgreSQL's MD5", "md55f4dcc3b5aa765d61d8327deb882cf99", errHex},
	{"MySQL's SHA-1", "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19", errMySQL},
	{"MySQL's SHA-256", "$A$005$abcdefghijklmnop", errMySQL},
	{"Cisco's PBKDF2", "$8$abcdefghijklmn$" + sum43, errPBKDF2},
	{"Grub's PBKDF2", "grub.pbkdf2.sha512.10000.ABCDEF.0123", errPBKDF2},
	{"ASP.NET's PBKDF2", "AQAAAAIAAYagAAAAE" + strings.Repeat("A", 60) + "==", errPBKDF2},
	{"a SHA-1 in base64", "L55TUjtiq8FBorTWAZ0jy6g129A=", errBase64Digest},

	{"Dovecot's base64", "{SHA512-CRYPT.b64}JDYkcm91bmRzPTEwMDAk", errDovecotEncoding},
	{"Dovecot's base64 in another case", "{BLF-CRYPT.B64}JDJ5JDA1JE", errDovecotEncoding},
	{"Dovecot's hex", "{sha256-crypt.HEX}24352472", errDovecotEncoding},
	{"Dovecot's plaintext", "{PLAIN}secret", errBracedPlaintext},
	{"Dovecot's PBKDF2", "{PBKDF2}$1$abcdefgh$5000$0123456789abcdef", errPBKDF2},
	{"Dovecot's SCRAM", "{SCRAM-SHA-256}4096,abc,def,ghi", errSCRAM},
	{"Dovecot's MD5 digest", "{MD5}X03MO1qnZdYdgyfeuILPmQ==", errLDAP},
	{"OpenLDAP's PBKDF2", "{PBKDF2-SHA512}10000$abc$def", errPBKDF2},
	{"Spring's scrypt", "{scrypt@SpringSecurity_v5_8}$100801$abc$def", errScrypt},
	{"Spring's plaintext", "{noop}secret", errBracedPlaintext},
	{"DES with a prefix", "{CRYPT}rSvl0eZ0biLcA", errDES},
	{"a locked account with a prefix", "{CRYPT}!", errLocked},
	{"two prefixes", "{CRYPT}{bcrypt}$2y$04" + bcryptRest, errPrefixTwice},
	{"a prefix that is not that of the hash", "{SHA256-CRYPT}$6$salt$" + sum86, errPrefixScheme},
	{"bcrypt's prefix before argon2id", "{bcrypt}$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + key, errPrefixScheme},
	{"an unknown prefix before a good hash", "{mine}$2y$04" + bcryptRest, errLDAP},
	{"a prefix before a damaged hash", "{CRYPT}$6$salt$" + sum86[:85], errSHA512Crypt},
	{"a prefix before a hash with doubled dollars", "{CRYPT}$$6$$salt$$" + sum86, errDoubledDollars},

	{"a blank before it", " $2y$04" + bcryptRest, errBlanks},
	{"a tab after it", "$2y$04" + bcryptRest + "\t", errBlanks},
	{"a zero-width space before it", "\u200b$2y$04" + bcryptRest, errBlanks},
	{"a byte order mark before it", "\ufeff$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + key, errBlanks},
	{"a blank before a prefix", " {CRYPT}$6$salt$" + sum86, errBlanks},
	{"blanks around a plaintext password", " opensesame ", errPlaintext},
	{"nothing but blanks", " \t", errEmpty},
	{"a comment after it", "$2y$04" + bcryptRest + " # alice", errBlankWithin},
	{"a zero-width space in it", "$2y$04$St0d\u200b" + bcryptRest[5:], errBlankWithin},
	{"a typographic dash in it", "$6$sa–lt$" + sum86, errNotASCII},
	{"quotes around it", `"$2y$04` + bcryptRest + `"`, errQuotes},
	{"single quotes around it", `'$2y$04` + bcryptRest + `'`, errQuotes},
	{"a quote after it", `$2y$04` + bcryptRest + `"`, errQuotes},
	{"typographic quotes around it", `“$2y$04` + bcryptRest + `”`, errQuotes},
	{"a quote and a comma after it, as in JSON", `"$2y$04` + bcryptRest + `",`, errQuotes},
	{"quotes around a prefix", `"{CRYPT}$6$salt$` + sum86 + `"`, errQuotes},
	{"quotes around a plaintext password", `"opensesame"`, errPlaintext},
	{"doubled dollars", "$$2y$$04$" + bcryptRest, errDoubledDollars},
	{"doubled dollars of argon2id", strings.ReplaceAll("$argon2id$v=19$m=64,t=1,p=1$"+salt+"$"+key, "$", "$$"), errDoubledDollars},
	{"doubled dollars of apr1", "$$apr1$$EJbRxYv/$$" + sum22, errDoubledDollars},
	{"backslashes", `\$2y\$04\` + bcryptRest, errBackslash},
	{"percent-encoded", "%242y%2404%24" + bcryptRest[1:], errPercent},
	{"a placeholder", "{env.HASH}", errPlaceholder},
	{"a placeholder of a file", "{file./run/secrets/hash}", errPlaceholder},
	{"a variable of the Caddyfile", "{$HASH}", errPlaceholder},
	{"a variable of a shell", "${HASH}", errPlaceholder},
	{"a variable of a shell without braces", "$ALICE_HASH", errPlaceholder},
	{"a template", "{{ alice_hash }}", errPlaceholder},
	{"a placeholder in quotes", `"{env.HASH}"`, errPlaceholder},
	{"a placeholder for a person", "<hash>", errPlaceholder},

	{"a dollar that a shell has taken away", "2y$04" + bcryptRest, errNoDollar},
	{"a dollar missing before apr1", "apr1$saltsalt$" + sum22, errNoDollar},
	{"bcrypt in base64", base64.StdEncoding.EncodeToString([]byte("$2y$04" + bcryptRest)), errBase64},
	{"bcrypt in base64 with a line end", base64.StdEncoding.EncodeToString([]byte("$2y$04" + bcryptRest + "\n")), errBase64},
	{"apr1 in base64", base64.StdEncoding.EncodeToString([]byte("$apr1$saltsalt$" + sum22)), errBase64},
	{"sha512-crypt in base64", base64.StdEncoding.EncodeToString([]byte("$6$saltsalt$" + sum86)), errBase64},
	{"yescrypt in base64 without padding", base64.RawStdEncoding.EncodeToString([]byte("$y$j75$saltsalt$" + sum43)), errBase64},
	{"argon2id in base64", base64.StdEncoding.EncodeToString([]byte("$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + key)), errBase64},
	{"a line of htpasswd in base64", base64.StdEncoding.EncodeToString([]byte("alice:$2y$04" + bcryptRest)), errBase64},
	{"a password that is base64", "JFRoaXMgaXMgbm8gaGFzaCE=", errPlaintext},
	{"Grub's PBKDF2 in its whole length", "grub.pbkdf2.sha512.10000." + strings.Repeat("AB", 64) + "." + strings.Repeat("CD", 64), errPBKDF2},
	{"Roundup's plaintext", "{PLAINTEXT}secret", errBracedPlaintext},

	{"Django's account without a password", "!OpCjglxb0AHWs0G4N8egRODBwue8jAbCdEf01234", errLocked},
	{"an account without a password", "!", errLocked},
	{"an account without a password in Fedora", "!!", errLocked},
	{"a system's account", "*", errLocked},
	{"a system's account in /etc/passwd", "x", errLocked},
	{"Solaris' locked account", "*LK*", errLocked},
	{"Solaris' account without a password", "NP", errLocked},
	{"FreeBSD's locked account", "*LOCKED*$6$salt$" + sum86, errLocked},
	{"a locked account with its hash", "!$6$salt$" + sum86, errLocked},
	{"a locked account with two marks", "!!$y$j9T$F5Jx5fExrKuPp53xLKQ..1$" + sum43, errLocked},
	{"a locked account with DES", "!rSvl0eZ0biLcA", errLocked},
	{"crypt(3) that failed", "*0", errLocked},
	{"a plaintext password that begins like a locked account", "!opensesame", errPlaintext},
}

func TestForeignHashesAreNamed(t *testing.T) {
	for _, f := range foreign {
		t.Run(f.name, func(t *testing.T) {
			for _, allowWeak := range []bool{false, true} {
				if _, err := Parse(f.hash, allowWeak); !errors.Is(err, f.reason) {
					t.Errorf("%v, want %v", err, f.reason)
				}
			}
		})
	}
}

func TestOneSchemeInBracesIsRemoved(t *testing.T) {
	bcrypt, argon2id := "$2y$04"+bcryptRest, "$argon2id$v=19$m=64,t=1,p=1$"+salt+"$"+key
	for _, test := range []struct{ prefix, hash string }{
		{"{CRYPT}", bcrypt}, {"{crypt}", argon2id}, {"{Crypt}", "$apr1$EJbRxYv/$" + sum22},
		{"{CRYPT}", "$5$saltsalt$" + sum43}, {"{CRYPT}", "$6$saltsalt$" + sum86}, {"{CRYPT}", "$1$saltsalt$" + sum22},
		{"{bcrypt}", bcrypt}, {"{BCRYPT}", bcrypt}, {"{BLF-CRYPT}", bcrypt}, {"{blf-crypt}", bcrypt},
		{"{SHA256-CRYPT}", "$5$saltsalt$" + sum43}, {"{SHA512-CRYPT}", "$6$rounds=656000$saltsalt$" + sum86},
		{"{ARGON2ID}", argon2id}, {"{ARGON2}", argon2id}, {"{argon2}", argon2id}, {"{argon2@SpringSecurity_v5_8}", argon2id},
		{"{bcrypt@SpringSecurity_v5_8}", bcrypt},
		{"{MD5-CRYPT}", "$1$saltsalt$" + sum22}, {"{MD5}", "$1$saltsalt$" + sum22},
		{"{CRYPT}", "$y$j75$OYae5E6BcUK9Xjed51h3c1$v3fJ5wVH2WXICdso9Lz8zwKl9v1QNzjZmqW8b2BmrK2"},
	} {
		plain, err := Parse(test.hash, false)
		if err != nil {
			t.Fatalf("%s: %v", test.hash, err)
		}
		prefixed, err := Parse(test.prefix+test.hash, false)
		if err != nil {
			t.Errorf("%s: %v", test.prefix, err)
		}
		v := NewVerifier(NewGate(DefaultLimits()))
		if v.digest(Attempt{Hash: plain}) != v.digest(Attempt{Hash: prefixed}) {
			t.Errorf("%s makes another attempt", test.prefix)
		}
		if got := Unprefixed(test.prefix + test.hash); got != test.hash || Unprefixed(got) != got {
			t.Errorf("%s: unprefixed is %s", test.prefix, got)
		}
	}
	for _, whole := range []string{"{SHA}L55TUjtiq8FBorTWAZ0jy6g129A=", "{CRYPT}rSvl0eZ0biLcA", "{CRYPT}{bcrypt}" + bcrypt, "{SHA}" + bcrypt, "", "{"} {
		if got := Unprefixed(whole); got != whole {
			t.Errorf("of %s remains %s", whole, got)
		}
	}
}
