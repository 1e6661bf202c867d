package password

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

const (
	sum22 = "GovNqYFAtSH/D34tg.MB/0"
	sum43 = "GH3iKdaxnsvPi4aFNB9vMlTROOLdudctCuEIENrfug3"
	sum86 = "0HMAZRtTToNePbHqDEgPC6wUL2OPa5Yh9/3xwhuGyo0xLwO5ZUAmFGCOBbIfVO6yhzcABSyIF0m9/SdbSEB3k1"
	salt  = "rJzGheU9/1ibeuchedrRKA"
	key   = "CQeq9cBdfo4eFqSx38SrkzFYHHpnPCZgWLwqe5clDos"

	bcryptRest = "$St0dYEQn2fj3ezD2o0mR0./TsMjC2s2s0nIbhQRKnIKWBOleQZoZW"
)

var refused = []struct {
	name   string
	hash   string
	reason error
}{
	{"nothing", "", errEmpty},
	{"a line of another file", strings.Repeat("$2y$04", 100), errTooLong},
	{"a plaintext password", "opensesame", errPlaintext},
	{"a plaintext password with a space in 13 characters", "open sesame 1", errPlaintext},
	{"DES crypt", "rSvl0eZ0biLcA", errDES},
	{"bcrypt of crypt_blowfish's defect", "$2x$04" + bcryptRest, errBcryptOld},
	{"the first bcrypt", "$2$04" + bcryptRest, errBcryptOld},
	{"gost-yescrypt", "$gy$j9T$ShVLXgEJ5.DRskrdRCTEi/$iqehom7YY3fk6Ifzrj.G0NBR4l/ugQ0S6g3IcFP4us0", errGostYescrypt},
	{"scrypt", "$7$CU..../....2Q9obwLhin8qvQl6sisAO/$sZ", errScrypt},
	{"PBKDF2 of passlib", "$pbkdf2-sha256$29000$abc$def", errPBKDF2},
	{"PBKDF2 of Django", "pbkdf2_sha256$29000$abc$def", errPBKDF2},
	{"argon2i", "$argon2i$v=19$m=64,t=1,p=1$" + salt + "$" + key, errArgon2},
	{"argon2d", "$argon2d$v=19$m=64,t=1,p=1$" + salt + "$" + key, errArgon2},
	{"another prefix", "$shiro1$SHA-256$1$abc$def", errDollar},
	{"another LDAP scheme", "{SMD5}oRIp7iNmqOkvuKtyTuZBbe2ZUHQ=", errLDAP},
	{"an LDAP scheme in small letters", "{sha}L55TUjtiq8FBorTWAZ0jy6g129A=", errLDAP},
	{"bcrypt in base64", "JDJ5JDA0JFN0MGRZRVFuMmZqM2V6RDJvMG1SMC4vVHNNakMyczJzMG5JYmhRUktuSUtXQk9sZVFab1pX", errBase64},
	{"an MD5 in hex", "5f4dcc3b5aa765d61d8327deb882cf99", errHex},

	{"bcrypt cost 03", "$2y$03" + bcryptRest, errBcryptCost},
	{"bcrypt cost 17", "$2y$17" + bcryptRest, errBcryptCost},
	{"bcrypt cost 31", "$2y$31" + bcryptRest, errBcryptCost},
	{"bcrypt cost 00", "$2y$00" + bcryptRest, errBcryptCost},
	{"bcrypt cost +4", "$2y$+4" + bcryptRest, errBcryptCost},
	{"bcrypt of 59 characters", "$2y$04" + bcryptRest[:53], errBcrypt},
	{"bcrypt of 61 characters", "$2y$04" + bcryptRest + "W", errBcrypt},
	{"bcrypt with a foreign character", "$2y$04" + strings.Replace(bcryptRest, "Ts", "T=", 1), errBcrypt},
	{"bcrypt without the dollar after the cost", "$2y$04." + bcryptRest[1:], errBcrypt},
	{"bcrypt with a spare bit set", "$2y$04" + bcryptRest[:53] + "X", errBcrypt},

	{"argon2id without a version", "$argon2id$m=64,t=1,p=1$" + salt + "$" + key, errArgon2idVersion},
	{"argon2id v=16", "$argon2id$v=16$m=64,t=1,p=1$" + salt + "$" + key, errArgon2idVersion},
	{"argon2id with nothing else", "$argon2id$", errArgon2idVersion},
	{"argon2id without a key", "$argon2id$v=19$m=64,t=1,p=1$" + salt, errArgon2id},
	{"argon2id with an empty key, where IDKey panics", "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$", errArgon2idKey},
	{"argon2id with more parts", "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + key + "$", errArgon2id},
	{"argon2id with parameters in another order", "$argon2id$v=19$t=1,m=64,p=1$" + salt + "$" + key, errArgon2id},
	{"argon2id with a fourth parameter", "$argon2id$v=19$m=64,t=1,p=1,keyid=a$" + salt + "$" + key, errArgon2id},
	{"argon2id m=4194304", "$argon2id$v=19$m=4194304,t=1,p=1$" + salt + "$" + key, errArgon2idMemory},
	{"argon2id m=262145", "$argon2id$v=19$m=262145,t=1,p=1$" + salt + "$" + key, errArgon2idMemory},
	{"argon2id with m below 8·p", "$argon2id$v=19$m=31,t=1,p=4$" + salt + "$" + key, errArgon2idMemory},
	{"argon2id m=0", "$argon2id$v=19$m=0,t=1,p=1$" + salt + "$" + key, errArgon2idMemory},
	{"argon2id m=064", "$argon2id$v=19$m=064,t=1,p=1$" + salt + "$" + key, errArgon2idMemory},
	{"argon2id m beyond 32 bits", "$argon2id$v=19$m=4294967360,t=1,p=1$" + salt + "$" + key, errArgon2idMemory},
	{"argon2id t=0", "$argon2id$v=19$m=64,t=0,p=1$" + salt + "$" + key, errArgon2idTime},
	{"argon2id t=17", "$argon2id$v=19$m=64,t=17,p=1$" + salt + "$" + key, errArgon2idTime},
	{"argon2id t=+1", "$argon2id$v=19$m=64,t=+1,p=1$" + salt + "$" + key, errArgon2idTime},
	{"argon2id p=0", "$argon2id$v=19$m=64,t=1,p=0$" + salt + "$" + key, errArgon2idThreads},
	{"argon2id p=17", "$argon2id$v=19$m=512,t=1,p=17$" + salt + "$" + key, errArgon2idThreads},
	{"argon2id p=257, which is 1 in a byte", "$argon2id$v=19$m=4096,t=1,p=257$" + salt + "$" + key, errArgon2idThreads},
	{"argon2id with a salt of 7 bytes", "$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAA$" + key, errArgon2idSalt},
	{"argon2id with a padded salt", "$argon2id$v=19$m=64,t=1,p=1$" + salt + "==$" + key, errArgon2idSalt},
	{"argon2id with a spare bit set in the salt", "$argon2id$v=19$m=64,t=1,p=1$" + salt[:21] + "B$" + key, errArgon2idSalt},
	{"argon2id with a spare bit set in the key", "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + key[:42] + "t", errArgon2idKey},
	{"argon2id with a line break in the key", "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + key[:8] + "\r\n" + key[8:], errBlankWithin},
	{"argon2id with a line break at its end", "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + key + "\n", errBlanks},
	{"argon2id with base64 for URLs", "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + strings.Replace(key, "e", "_", 1), errArgon2idKey},
	{"argon2id with a key of 15 bytes", "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$AAAAAAAAAAAAAAAAAAAA", errArgon2idKey},
	{"argon2id with a key of 66 bytes", "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + strings.Repeat("AAAA", 22), errArgon2idKey},

	{"apr1 without a salt", "$apr1$$" + sum22, errAPR1},
	{"apr1 with a long salt", "$apr1$123456789$" + sum22, errAPR1},
	{"apr1 with rounds", "$apr1$rounds=1000$EJbRxYv/$" + sum22, errAPR1},
	{"apr1 that is cut", "$apr1$EJbRxYv/$" + sum22[:21], errAPR1},
	{"apr1 with a spare bit set", "$apr1$EJbRxYv/$" + sum22[:21] + "2", errAPR1},
	{"apr1 with nothing else", "$apr1$", errAPR1},
	{"md5-crypt without a salt", "$1$$" + sum22, errMD5Crypt},
	{"md5-crypt with a long salt", "$1$123456789$" + sum22, errMD5Crypt},
	{"md5-crypt that is cut", "$1$EJbRxYv/$" + sum22[:21], errMD5Crypt},

	{"yescrypt of 512 MiB, mkpasswd -R 10", "$y$jET$bVFJkvGN9uCkk.XvuEFZo.$FwsaAuWGCedv0kXLxOTYqIvORi8wlc6yiW2jdEXKPU9", errYescryptMemory},
	{"yescrypt of 1 GiB, mkpasswd -R 11", "$y$jFT$bVFJkvGN9uCkk.XvuEFZo.$" + sum43, errYescryptMemory},
	{"yescrypt of too little memory", "$y$j./$bVFJkvGN9uCkk.XvuEFZo.$" + sum43, errYescryptParams},
	{"yescrypt with N out of the alphabet", "$y$j=T$bVFJkvGN9uCkk.XvuEFZo.$" + sum43, errYescryptParams},
	{"yescrypt with r above 32", "$y$j9U$bVFJkvGN9uCkk.XvuEFZo.$" + sum43, errYescryptParams},
	{"yescrypt with lanes", "$y$j9T/.$bVFJkvGN9uCkk.XvuEFZo.$" + sum43, errYescryptParams},
	{"yescrypt of another flavor", "$y$/9T$bVFJkvGN9uCkk.XvuEFZo.$" + sum43, errYescryptParams},
	{"yescrypt without parameters", "$y$$bVFJkvGN9uCkk.XvuEFZo.$" + sum43, errYescryptParams},
	{"yescrypt without a salt", "$y$j9T$$" + sum43, errYescrypt},
	{"yescrypt with a salt that is too long", "$y$j9T$" + strings.Repeat("....", 22) + "$" + sum43, errYescrypt},
	{"yescrypt with a foreign character in the salt", "$y$j9T$b=FJkvGN9uCkk.XvuEFZo.$" + sum43, errYescrypt},
	{"yescrypt with a spare bit set in the sum", "$y$j9T$bVFJkvGN9uCkk.XvuEFZo.$" + sum43[:42] + "E", errYescrypt},
	{"yescrypt that is cut", "$y$j9T$bVFJkvGN9uCkk.XvuEFZo.$" + sum43[:42], errYescrypt},
	{"yescrypt without a sum", "$y$j9T$bVFJkvGN9uCkk.XvuEFZo.", errYescrypt},
	{"yescrypt with nothing else", "$y$", errYescrypt},

	{"sha512-crypt rounds=abc, where the comparer panics", "$6$rounds=abc$", errRounds},
	{"sha512-crypt rounds= and nothing", "$6$rounds=", errSHA512Crypt},
	{"sha512-crypt rounds=999", "$6$rounds=999$abc$" + sum86, errRounds},
	{"sha512-crypt rounds=1000001", "$6$rounds=1000001$abc$" + sum86, errRounds},
	{"sha512-crypt rounds=999999999", "$6$rounds=999999999$abc$" + sum86, errRounds},
	{"sha512-crypt rounds=05000", "$6$rounds=05000$abc$" + sum86, errRounds},
	{"sha512-crypt rounds=+5000", "$6$rounds=+5000$abc$" + sum86, errRounds},
	{"sha512-crypt without a salt", "$6$$" + sum86, errSHA512Crypt},
	{"sha512-crypt with a salt of 17", "$6$12345678901234567$" + sum86, errSHA512Crypt},
	{"sha512-crypt with a foreign character in the salt", "$6$s@lt$" + sum86, errSHA512Crypt},
	{"sha512-crypt with a foreign character in the sum", "$6$salt$" + sum86[:50] + "=" + sum86[51:], errSHA512Crypt},
	{"sha512-crypt with one part more", "$6$salt$" + sum86 + "$", errSHA512Crypt},
	{"sha512-crypt that is cut", "$6$salt$" + sum86[:85], errSHA512Crypt},
	{"sha512-crypt with a spare bit set", "$6$salt$" + sum86[:85] + "2", errSHA512Crypt},
	{"sha256-crypt rounds=999", "$5$rounds=999$abc$" + sum43, errRounds},
	{"sha256-crypt with the sum of sha512-crypt", "$5$salt$" + sum86, errSHA256Crypt},
	{"sha256-crypt with a spare bit set", "$5$salt$" + sum43[:42] + "E", errSHA256Crypt},

	{"{SHA} of 19 bytes", "{SHA}L55TUjtiq8FBorTWAZ0jy6g1", errSHA},
	{"{SHA} of 21 bytes", "{SHA}L55TUjtiq8FBorTWAZ0jy6g129AA", errSHA},
	{"{SHA} without padding", "{SHA}L55TUjtiq8FBorTWAZ0jy6g129A", errSHA},
	{"{SHA} with a spare bit set", "{SHA}L55TUjtiq8FBorTWAZ0jy6g129B=", errSHA},
	{"{SHA} with a line break", "{SHA}L55TUjtiq8FBorTWAZ0j\ny6g129A=", errBlankWithin},
	{"{SSHA} without a salt", "{SSHA}L55TUjtiq8FBorTWAZ0jy6g129A=", errSSHA},
	{"{SSHA} with a salt of 65 bytes", "{SSHA}" + strings.Repeat("AAAA", 28) + "AA==", errSSHA},
}

func TestOtherTextsAreRefusedWithAReason(t *testing.T) {
	for _, r := range refused {
		t.Run(r.name, func(t *testing.T) {
			h, err := Parse(r.hash, true)
			if !errors.Is(err, r.reason) {
				t.Errorf("%v, want %v", err, r.reason)
			}
			if h.Matches(horse) {
				t.Error("the hash beside the error matches")
			}
		})
	}
}

func TestSHA1NeedsPermission(t *testing.T) {
	for hash, reason := range map[string]error{
		"{SHA}L55TUjtiq8FBorTWAZ0jy6g129A=":              errWeakSHA,
		"{SSHA}NSZEu/ZzEMKdBO5ESNEYml3qKRYBAgMEBQYHCA==": errWeakSSHA,
	} {
		_, err := Parse(hash, false)
		if !errors.Is(err, reason) {
			t.Errorf("%v, want %v", err, reason)
		}
		for _, part := range []string{"allow_weak_hashes", "htpasswd -B"} {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%v does not name %s", err, part)
			}
		}
	}
}

func TestEveryOtherSchemeNeedsNoPermission(t *testing.T) {
	for _, v := range vectors {
		h, err := Parse(v.hash, false)
		if weak := strings.HasPrefix(v.hash, "{"); (err != nil) != weak {
			t.Errorf("%s: %v", v.name, err)
		}
		if err == nil && h.Params() != mustParse(t, v.hash).Params() {
			t.Errorf("%s: the permission changes what is read", v.name)
		}
	}
}

// No six characters in a row of a refused text are in its error, except the names of
// schemes and parameters.
func TestNoErrorContainsAPieceOfTheHash(t *testing.T) {
	known := strings.NewReplacer("$argon2id$v=19$", "", "argon2", "", "$argon2", "", "$apr1$", "", "rounds=", "", "pbkdf2_sha256", "", "$pbkdf2-sha256", "", "{CRYPT}", "", "{SSHA}", "", "{SHA}", "", "$shiro1$SHA-256", "", "$bcrypt-sha256$", "", "bcrypt_sha256", "", "{SHA512-CRYPT", "", "SCRAM-SHA-256", "", "$scrypt$", "", "scrypt", "", "$sha1$", "", "{PBKDF2", "", "1000001", "")
	for _, r := range slices.Concat(refused, foreign) {
		for _, allowWeak := range []bool{false, true} {
			_, err := Parse(r.hash, allowWeak)
			if err == nil {
				t.Fatalf("%s is accepted", r.name)
			}
			secret := known.Replace(r.hash)
			for i := range max(0, len(secret)-5) {
				if piece := secret[i : i+6]; strings.Contains(err.Error(), piece) {
					t.Errorf("%s: the error contains %q", r.name, piece)
				}
			}
		}
	}
}

// FuzzParse: what is accepted is within its bounds and compares without a panic; what
// is refused is not repeated.
func FuzzParse(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.hash, true)
	}
	texts := make(map[string]bool)
	for _, r := range slices.Concat(refused, foreign) {
		f.Add(r.hash, false)
		texts[r.reason.Error()] = true
	}
	f.Add("{CrYpt}$2a$07$"+strings.Repeat("0", 52)+"2", false)
	texts[errWeakSHA.Error()], texts[errWeakSSHA.Error()] = true, true

	f.Fuzz(func(t *testing.T, encoded string, allowWeak bool) {
		h, err := Parse(encoded, allowWeak)
		if err != nil {
			if !texts[err.Error()] { // one of the fixed texts cannot have been made of the input
				t.Errorf("unknown error: %v", err)
			}
			return
		}
		if len(encoded) > maxEncoded {
			t.Errorf("%d bytes are accepted", len(encoded))
		}
		p := h.Params()
		within, quick := false, false
		switch p.Scheme {
		case Bcrypt:
			within = p.cost >= 4 && p.cost <= 16 && len(h.text) == 60
			quick = p.cost <= 5
		case Argon2id:
			within = p.memory <= 262144 && p.memory >= 8*uint32(p.threads) && p.cost >= 1 && p.cost <= 16 && p.threads >= 1 &&
				p.threads <= 16 && len(h.salt) >= 8 && len(h.salt) <= 64 && len(h.sum) >= 16 && len(h.sum) <= 64
			quick = p.memory <= 256 && p.cost <= 2
		case Yescrypt:
			within = p.memory <= 262144 && p.cost >= 10 && p.cost <= 18 && yescryptBlock(p) >= 1 && yescryptBlock(p) <= 32 &&
				len(h.salt) >= 1 && len(h.salt) <= 64 && len(h.sum) == 32
			quick = p.memory <= 2048
		case APR1, MD5Crypt:
			within = p.salt >= 1 && p.salt <= 8
			quick = true
		case SHA256Crypt, SHA512Crypt:
			within = p.cost >= 1000 && p.cost <= 1000000 && p.salt >= 1 && p.salt <= 16
			quick = p.cost <= 1000
		case SHA1, SaltedSHA1:
			within, quick = allowWeak, true
		}
		if !within {
			t.Errorf("out of bounds: %v", p)
		}
		if quick {
			h.Matches(horse)
			h.Matches("")
		}
		var mix Mix
		mix.Add(p)
		if d := Decoy(testKey, "nobody", &mix); d.Params() != p || quick && d.Matches(horse) {
			t.Errorf("a decoy has %v instead of %v, or matches", d.Params(), p)
		}
	})
}
