package config

import (
	"os"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// Hashes of "correct horse" as Linux' mkpasswd writes them by default, and with the
// rounds of Ansible and passlib.
const (
	hashYescrypt  = `$y$j9T$7odobFQJmmC/ADeZ1L2Fo.$mIMnVA.yY4OWTJXs9362kSygEP6Hn6aE1AKU740sJ8/`
	hashSHA656000 = `$6$rounds=656000$PYfUO76dYFbPYR3R$Yz9rqFLqyNZxXaEpvPWIbxQh1EtFIcSckeZpMMv8zAKGNdnyW9p1Qe4W4q2eiAq2XIATO.UBngcdq93VlOCPq.`
	hashSHA535000 = `$5$rounds=535000$5JwZjbpu.vR2cXUf$FbO9NpAk9XSExVIxS4/r./18s37jSw8yRf2U54f3xB8`
	hashMD5Crypt  = `$1$saltsalt$NuzA7WTAelpl95xgBGWN60`
)

// Whatever writes the hash of a user or client, with the prefix that it writes before
// it.
func TestHashesOfLinuxAndOfDirectories(t *testing.T) {
	s := harness.NewSite(t)
	md5crypt := harness.HashWith(t, "md5-crypt", "correct horse")
	hashes := map[string]string{
		"yescrypt": hashYescrypt, "ansible": hashSHA656000, "passlib": hashSHA535000, "md5-crypt": md5crypt,
		"openldap": "{CRYPT}" + hashYescrypt, "dovecot-md5": "{MD5-CRYPT}" + md5crypt,
		"dovecot-bcrypt": "{BLF-CRYPT}" + harness.HashBcrypt, "dovecot-argon2": "{ARGON2ID}" + harness.HashArgon2id,
		"dovecot-sha": "{SHA512-CRYPT}" + harness.HashWith(t, "sha512-crypt", "correct horse"),
		"spring":      "{bcrypt}" + harness.HashBcrypt, "spring-argon2": "{argon2@SpringSecurity_v5_8}" + harness.HashArgon2id,
		"small": "{crypt}" + harness.HashWith(t, "sha256-crypt", "correct horse"),
	}
	var lines, objects []string
	for name, hash := range hashes {
		lines = append(lines, name+":"+hash)
		objects = append(objects, `{"username":"json-`+name+`","password_hash":"`+hash+`"}`)
	}
	s.WriteOld("users", strings.Join(lines, "\n"))
	s.WriteOld("users.json", `{"users":[`+strings.Join(objects, ",\n")+`]}`)
	s.WriteOld("clients", "machine:{CRYPT}"+harness.HashBcrypt+"\n")
	s.Reload("", harness.WebSite(`
		users htpasswd %DIR%/users
		users json %DIR%/users.json
		user inline {BLF-CRYPT}`+harness.HashBcrypt+`
		clients htpasswd %DIR%/clients
		client hashed {
			secret_hash {CRYPT}`+hashYescrypt+`
		}
		throttle off`))
	for name := range hashes {
		t.Run(name, func(t *testing.T) {
			for _, user := range []string{name, "json-" + name} {
				s.Login(user, "correct horse").Want(t, 200, "")
				s.Login(user, "correct horsE").Want(t, 400, "invalid_grant")
			}
		})
	}
	s.Login("inline", "correct horse").Want(t, 200, "")
	for _, client := range []string{"machine", "hashed"} {
		s.Login("inline", "correct horse", "client_id", client, "client_secret", "correct horse").Want(t, 200, "")
		s.Login("inline", "correct horse", "client_id", client, "client_secret", "wrong").Want(t, 400, "invalid_client")
	}
	t.Run("md5-crypt is warned of like apr1", func(t *testing.T) {
		found := s.Logged(func(line map[string]any) bool {
			advice, _ := line["advice"].(string)
			return line["level"] == "warn" && line["path"] == s.Path("users") && strings.HasPrefix(advice, "md5-crypt ($1$)")
		})
		if len(found) != 1 || found[0]["count"] != 2.0 {
			t.Errorf("warnings %v", found)
		}
	})
	t.Run("the memory of yescrypt is in the bound", func(t *testing.T) {
		s.Reload("", harness.WebSite("users htpasswd %DIR%/users\npassword_checks {\nconcurrency 1\n}"))
		found := s.Logged(func(line map[string]any) bool { return line["msg"] == "password checks are bounded" })
		if len(found) == 0 || found[len(found)-1]["memory_bytes_at_most"].(float64) < 16<<20 {
			t.Errorf("bounds %v", found)
		}
	})
}

// C11, C12: sha-crypt compares 256 bytes, and refuses a password with more.
func TestSHACryptRefusesPasswordsOver256Bytes(t *testing.T) {
	s := harness.NewSite(t)
	long := strings.Repeat("0123456789abcdef", 17)
	lines := ""
	for name, length := range map[string]int{"fits": 256, "over": 257} {
		for _, scheme := range []string{"sha256-crypt", "sha512-crypt"} {
			lines += name + "-" + scheme + ":" + harness.HashWith(t, scheme, long[:length]) + "\n"
		}
	}
	s.WriteOld("users", lines)
	s.Reload("", harness.WebSite("users htpasswd %DIR%/users"))
	for _, scheme := range []string{"sha256-crypt", "sha512-crypt"} {
		s.Login("fits-"+scheme, long[:256]).Want(t, 200, "")
		s.Login("fits-"+scheme, long[:257]).Want(t, 400, "invalid_grant")
		s.Login("over-"+scheme, long[:257]).Want(t, 400, "invalid_grant")
		s.Login("over-"+scheme, long[:256]).Want(t, 400, "invalid_grant")
	}
}

// The prefix says nothing that the hash does not: with and without it the password is
// the same, and so are the sessions.
func TestAPrefixBeforeAHashEndsNoSession(t *testing.T) {
	s := harness.NewSite(t)
	change := func(name, user, hash string) {
		s.Write(name+".new", user+":"+hash+"\n")
		if err := os.Rename(s.Path(name+".new"), s.Path(name)); err != nil {
			t.Fatal(err)
		}
	}
	change("adds", "adds", harness.HashBcrypt)
	change("drops", "drops", "{CRYPT}"+harness.HashBcrypt)
	change("other", "other", harness.HashBcrypt)
	site := func(user, hash string) string {
		return `http://127.0.0.1:%PORT% {
	token_endpoint {
		client web {
			secret web-secret
		}
		user ` + user + ` ` + hash + `
		users htpasswd %DIR%/adds
		users htpasswd %DIR%/drops
		users htpasswd %DIR%/other
	}
	bearer_auth /app*
	respond "in"
}
`
	}
	s.Reload("", site("inline", "{BLF-CRYPT}"+harness.HashBcrypt))
	tokens := make(map[string]harness.TokenPair)
	for _, user := range []string{"adds", "drops", "other", "inline"} {
		tokens[user] = s.Web().Login(t, user)
	}
	app := func(user string) int {
		return s.Do(s.Request("GET", "/app", "", "Authorization: Bearer "+tokens[user].Access)).Status
	}
	change("adds", "adds", "{BLF-CRYPT}"+harness.HashBcrypt)
	change("drops", "drops", harness.HashBcrypt)
	change("other", "other", "{BLF-CRYPT}"+harness.CheapHash(t, "another password"))
	s.Reload("", site("inline", harness.HashBcrypt))
	harness.Eventually(t, "the changes are active", func() bool { return app("other") == 401 })
	harness.Eventually(t, "the other files are active", func() bool {
		return len(s.Logged(func(line map[string]any) bool { return line["msg"] == "file has changed; its new version is active" })) == 3
	})
	for _, user := range []string{"adds", "drops", "inline"} {
		if got := app(user); got != 200 {
			t.Errorf("%s: the token is answered %d", user, got)
		}
		if a := s.Web().Refresh(tokens[user].Refresh); a.Status != 200 {
			t.Errorf("%s: the refresh is answered %d %s", user, a.Status, a.Body)
		}
	}
	if a := s.Web().Refresh(tokens["other"].Refresh); a.Status != 400 {
		t.Errorf("a new password: the refresh is answered %d", a.Status)
	}
}
