package client

import (
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// Section C of the conformance list: the resource owner's username and password.
func TestResourceOwner(t *testing.T) {
	hash := harness.CheapHash(t, "correct horse")
	s := harness.Start(t, harness.WebSite(`
		user alice `+hash+`
		user bob `+harness.HashArgon2id+`
		user dora `+hash+` {
			disabled
		}
		user naïve `+harness.CheapHash(t, "crème brûlée 🍮")+`
		user 🦊 `+harness.CheapHash(t, "fox")+`
		user nfc-é `+harness.CheapHash(t, "pass-é")+`
		user ctl `+harness.CheapHash(t, "se\x01cr\net\t")+`
		user word `+harness.CheapHash(t, "word")+`
		log_usernames
		throttle off
`))

	for _, test := range []struct{ name, username, password, code string }{
		{"C1: without a username", "", "correct horse", "invalid_request"},
		{"C1: without a password", "alice", "", "invalid_request"},
		{"C1: without either", "", "", "invalid_request"},
		{"C2: a wrong password", "alice", "wrong", "invalid_grant"},
		{"C2: a wrong password for argon2id", "bob", "wrong", "invalid_grant"},
		{"C2: the password in another case", "alice", "Correct Horse", "invalid_grant"},
		{"C2: the beginning of the password", "alice", "correct", "invalid_grant"},
		{"C2: the password with a space behind it", "alice", "correct horse ", "invalid_grant"},
		{"C2: the hash itself", "alice", hash, "invalid_grant"},
		{"C2: the username in another case", "Alice", "correct horse", "invalid_grant"},
		{"C2: the username with a space before it", " alice", "correct horse", "invalid_grant"},
		{"C3: an unknown user", "nobody", "correct horse", "invalid_grant"},
		{"C10: a disabled user with the right password", "dora", "correct horse", "invalid_grant"},
		{"C10: a disabled user with a wrong password", "dora", "wrong", "invalid_grant"},
		{"C13: a password in NFD against a hash of NFC", "nfc-é", "pass-e\u0301", "invalid_grant"},
		{"C13: a username in NFD against one in NFC", "nfc-e\u0301", "pass-é", "invalid_grant"},
		{"C13: a password in NFC", "nfc-é", "pass-é", ""},
		{"C14: accents and emoji in the password", "naïve", "crème brûlée 🍮", ""},
		{"C14: an emoji as the username", "🦊", "fox", ""},
		{"C14: another emoji of the same beginning", "🦋", "fox", "invalid_grant"},
		{"C15: control characters are part of the password", "ctl", "se\x01cr\net\t", ""},
		{"C15: what is before the control character alone", "ctl", "se", "invalid_grant"},
		{"C15: a NUL does not end the password", "word", "word\x00", "invalid_request"},
		{"C15: a NUL and the password again, which bcrypt takes for the same", "word", "word\x00word", "invalid_request"},
		{"C15: a NUL does not end the username", "word\x00x", "word", "invalid_request"},
		{"C15: a line feed does not end the password", "word", "word\n", "invalid_grant"},
	} {
		t.Run(test.name, func(t *testing.T) {
			status := http.StatusBadRequest
			if test.code == "" {
				status = http.StatusOK
			}
			s.Login(test.username, test.password).Want(t, status, test.code)
		})
	}

	t.Run("C3: an unknown user, a wrong password and a disabled user get the same answer", func(t *testing.T) {
		// Date aside, which is the clock's
		comparable := func(a harness.Answer) []any {
			a.Header.Del("Date")
			return []any{a.Status, string(a.Body), a.Header}
		}
		wrong := comparable(s.Login("alice", "wrong"))
		for _, other := range [][2]string{{"nobody", "wrong"}, {"dora", "correct horse"}, {"dora", "wrong"}, {"bob", "wrong"}, {"alice", strings.Repeat("x", 2000)}} {
			if got := comparable(s.Login(other[0], other[1])); !reflect.DeepEqual(got, wrong) {
				t.Errorf("%s gets %v, a wrong password gets %v", other[0], got, wrong)
			}
		}
	})

	t.Run("C15: a username cannot write a log line", func(t *testing.T) {
		forged := "x\n" + `{"level":"error","msg":"forged"}` + "\r\n\x1b[31m"
		s.Login(forged, "wrong").Want(t, 400, "invalid_grant")
		s.Login(strings.Repeat("é", 5000), "wrong").Want(t, 400, "invalid_grant")
		// logged fails the test where a line is not JSON
		if lines := s.Logged(func(line map[string]any) bool { return line["msg"] == "forged" }); len(lines) > 0 {
			t.Fatalf("a username made a line: %v", lines)
		}
		lines := s.Logged(func(line map[string]any) bool { return line["username"] == forged })
		if len(lines) != 1 {
			t.Fatalf("%d lines with the username", len(lines))
		}
		for _, line := range s.Logged(func(line map[string]any) bool { return line["username"] != nil }) {
			if name := line["username"].(string); len(name) > 260 {
				t.Errorf("a username of %d bytes in the log", len(name))
			}
		}
	})

	t.Run("C16: no password, secret or token in the log", func(t *testing.T) {
		token := s.Login("alice", "correct horse").Text(t, "access_token")
		s.Login("alice", "hunter2-typed-wrong").Want(t, 400, "invalid_grant")
		s.Login("alice", "correct horse", "client_secret", "guessed-client-secret").Want(t, 400, "invalid_client")
		// all but the line in which Caddy itself prints its config, at debug: the
		// reason to write secrets as placeholders
		lines := s.Logged(func(line map[string]any) bool { return line["msg"] != "adjusted config" })
		log := fmt.Sprint(lines)
		if len(lines) == 0 {
			t.Fatal("there is no log")
		}
		for _, secret := range []string{"correct horse", "correct+horse", "hunter2", "guessed-client", "web-secret", token, strings.Split(token, ".")[2], hash, harness.HashArgon2id} {
			if strings.Contains(log, secret) {
				t.Errorf("%q is in the log", secret)
			}
		}
	})
}

// Lengths of passwords, with every scheme that a file may have.
func TestPasswordLengths(t *testing.T) {
	ascii := `0123456789 abcdefghijklmnopqrstuvwxyz!"#$%&'()*+,-./:;<=>?@[\]^_~|` // 66 characters
	longest := map[string]int{"bcrypt": 72, "sha256-crypt": 256, "sha512-crypt": 256}
	password := func(length int) string { return strings.Repeat("0123456789", length/10+1)[:length] }

	users := new(strings.Builder)
	for i, scheme := range allSchemes {
		limit := longest[scheme]
		if limit == 0 {
			limit = 1024
		}
		longest[scheme] = limit
		fmt.Fprintf(users, "ascii%d:%s\n", i, harness.HashWith(t, scheme, ascii))
		fmt.Fprintf(users, "longest%d:%s\n", i, harness.HashWith(t, scheme, password(limit)))
		if scheme != "bcrypt" { // whose library refuses to hash more
			fmt.Fprintf(users, "longer%d:%s\n", i, harness.HashWith(t, scheme, password(limit+1)))
		}
	}
	fmt.Fprintf(users, "wide:%s\n", harness.CheapHash(t, strings.Repeat("é", 36)))
	s := harness.NewSite(t)
	s.Write("users", users.String())
	s.Reload("", harness.WebSite("users htpasswd %DIR%/users\nallow_weak_hashes"))

	for i, scheme := range allSchemes {
		limit := longest[scheme]
		t.Run("C12: "+strconv.Itoa(len(ascii))+" ASCII characters with "+scheme, func(t *testing.T) {
			s.Login(fmt.Sprint("ascii", i), ascii).Want(t, 200, "")
			s.Login(fmt.Sprint("ascii", i), ascii[:len(ascii)-1]).Want(t, 400, "invalid_grant")
		})
		t.Run(fmt.Sprintf("C11: %d bytes and no more with %s", limit, scheme), func(t *testing.T) {
			user := fmt.Sprint("longest", i)
			s.Login(user, password(limit)).Want(t, 200, "")
			s.Login(user, password(limit-1)).Want(t, 400, "invalid_grant")
			s.Login(user, password(limit-1)+"x").Want(t, 400, "invalid_grant")
			s.Login(user, password(limit+1)).Want(t, 400, "invalid_grant")
			s.Login(fmt.Sprint("longer", i), password(limit+1)).Want(t, 400, "invalid_grant")
		})
	}
	t.Run("C11: bcrypt's 72 are bytes, not characters", func(t *testing.T) {
		s.Login("wide", strings.Repeat("é", 36)).Want(t, 200, "")
		s.Login("wide", strings.Repeat("é", 37)).Want(t, 400, "invalid_grant")
	})
}

// A flood is answered 503 where it does not fit, and the rest of the server goes on.
// That also counts the work: a request that must wait for a turn has a hash computed,
// so floods of names that are unknown or disabled, and of passwords that are too long,
// prove a decoy.
func TestPasswordFlood(t *testing.T) {
	// of cost 10: slow enough that a flood is there as a whole before two have ended
	const slow = harness.HashBcrypt
	s := harness.Start(t, harness.WebSite(`
		user alice `+slow+`
		user bob `+slow+` {
			disabled
		}
		password_checks {
			concurrency 1
			queue 2
			wait 50s
		}
		throttle off
`))
	// no two equal ones: these would share a hash
	for _, test := range []struct{ name, username, password string }{
		{"C17: wrong passwords", "alice", "wrong-%d"},
		{"C3: unknown names", "nobody-%d", "wrong"},
		{"C3: a disabled user", "bob", "wrong-%d"},
		{"C11: passwords over bcrypt's 72 bytes", "alice", strings.Repeat("x", 73) + "%d"},
		{"C11: passwords over 1,024 bytes for unknown names", "nobody-%d", strings.Repeat("x", 1025)},
	} {
		t.Run(test.name, func(t *testing.T) {
			const flood = 20
			var answers [flood]harness.Answer
			var group sync.WaitGroup
			for i := range flood {
				group.Go(func() {
					var err error
					answers[i], err = s.Attempt(strings.ReplaceAll(test.username, "%d", strconv.Itoa(i)), strings.ReplaceAll(test.password, "%d", strconv.Itoa(i)))
					if err != nil {
						t.Error(err)
					}
				})
			}
			done := make(chan struct{})
			go func() { group.Wait(); close(done) }()
			for running := true; running; {
				select {
				case <-done:
					running = false
				default:
				}
				if a := s.Do(s.Request("GET", "/", "")); a.Status != 200 || string(a.Body) != "the app" {
					t.Fatalf("the app answers %d %q meanwhile", a.Status, a.Body)
				}
			}

			busy := 0
			for _, a := range answers {
				if a.Status != http.StatusServiceUnavailable {
					a.Want(t, 400, "invalid_grant")
					continue
				}
				busy++
				a.Want(t, 503, "temporarily_unavailable")
				if seconds, err := strconv.Atoi(a.Header.Get("Retry-After")); err != nil || seconds < 1 {
					t.Errorf("Retry-After: %q", a.Header.Get("Retry-After"))
				}
				if a.Header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(a.Header.Get("Content-Type"), "application/json") {
					t.Errorf("headers of a 503: %v", a.Header)
				}
			}
			if busy == 0 || busy == flood {
				t.Fatalf("%d of %d were answered 503", busy, flood)
			}
		})
	}
	t.Run("C17: the next login after the flood is checked again", func(t *testing.T) {
		s.Login("alice", "wrong").Want(t, 400, "invalid_grant")
	})
	if lines := s.Logged(func(line map[string]any) bool {
		return line["reason"] == "password_checks_busy" && line["remedy"] != nil
	}); len(lines) == 0 {
		t.Error("no log line says why and what to do")
	}
}

var allSchemes = []string{"bcrypt", "argon2id", "yescrypt", "apr1", "md5-crypt", "sha256-crypt", "sha512-crypt", "{SHA}", "{SSHA}"}
