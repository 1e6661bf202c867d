package machine

import (
	"fmt"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// A client that is named like a user is never taken for that user (RFC 9700 §4.15).

const alike = "clients are named like users, so they get no tokens for themselves"

// namedAlike are the ids in the warnings so far.
func namedAlike(s *harness.Site) (ids []string) {
	s.T.Helper()
	for _, line := range s.Logged(func(line map[string]any) bool { return line["level"] == "warn" && line["msg"] == alike }) {
		ids = append(ids, fmt.Sprint(line["client_ids"]))
	}
	return ids
}

func TestAClientThatIsCalledLikeAUserGetsNoToken(t *testing.T) {
	for _, test := range []struct{ name, id, users string }{
		{"RFC 9700 §4.15: like the username", "carol", "user carol " + harness.HashBcrypt},
		{"RFC 9700 §4.15: like the username of a user with another subject", "carol", "user carol " + harness.HashBcrypt + " {\nid u-3\n}"},
		{"RFC 9700 §4.15: like the subject of a user with another name", "u-3", "user carol " + harness.HashBcrypt + " {\nid u-3\n}"},
		{"RFC 9700 §4.15: like a user who is disabled", "carol", "user carol " + harness.HashBcrypt + " {\ndisabled\n}"},
		{"RFC 9700 §4.15: like a user in a file", "dave", "users htpasswd %DIR%/users.htpasswd"},
		{"RFC 9700 §4.15: like a user whom another one hides", "u-9", "user dave " + harness.HashBcrypt + "\nusers json %DIR%/users.json"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := harness.NewSite(t)
			s.Write("users.htpasswd", "dave:"+harness.CheapHash(t, "correct horse")+"\n")
			s.Write("users.json", `{"users":[{"username":"dave","id":"u-9","password_hash":"`+harness.CheapHash(t, "other")+`"}]}`)
			s.Reload("", harness.WithCheapHashes(t, with(test.users+"\nclient "+test.id+" {\nsecret "+test.id+"-secret\nscopes read\ngrants client_credentials password\n}")))

			if got := namedAlike(s); len(got) != 1 || got[0] != "["+test.id+"]" {
				t.Errorf("the warnings name %v", got)
			}
			a := itself(s.As(test.id))
			a.Want(t, 400, "unauthorized_client")
			harness.WellFormedError(t, a)
			harness.WantSameOutward(t, a, itself(s.Web())) // it does not tell of the user
			itself(s.As(test.id))
			line := s.LastRefusal()
			if line["reason"] != "client_named_like_user" || line["client_id"] != test.id || line["user_id"] != nil ||
				!strings.Contains(fmt.Sprint(line["remedy"]), "give the client another id") {
				t.Errorf("logged %v", line)
			}
			login := s.As(test.id).Form("grant_type", "password", "username", "alice", "password", "correct horse")
			s.Post("/token", login).Want(t, 200, "") // users log in with it all the same
		})
	}
}

func TestNoWarningForClientsThatDoNotListTheGrant(t *testing.T) {
	for _, settings := range []string{
		"client alice {\nsecret alice-secret\n}",
		"client alice {\nsecret alice-secret\ngrants password\n}",
		"client alice {\nsecret alice-secret\ngrants client_credentials\n}\ngrants password",
	} {
		if s := start(t, settings); len(namedAlike(s)) > 0 {
			t.Errorf("%s: warned of %v", settings, namedAlike(s))
		}
	}
}

// The user comes after the client has its token: the token is refused from then on, and
// the user's own tokens pass.
func TestAUserWhoComesLaterEndsTheTokenOfTheClient(t *testing.T) {
	for _, test := range []struct{ name, line, username string }{
		{"by the username", `{"username":"backup","id":"u-7","password_hash":%q}`, "backup"},
		{"by the subject", `{"username":"erin","id":"backup","password_hash":%q}`, "erin"},
		{"by both, and disabled", `{"username":"backup","disabled":true,"password_hash":%q}`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := harness.NewSite(t)
			hash := harness.CheapHash(t, "correct horse")
			dave := fmt.Sprintf(`{"username":"dave","password_hash":%q}`, hash)
			s.Write("users.json", `{"users":[`+dave+`]}`)
			s.Reload("", harness.WithCheapHashes(t, with("users json %DIR%/users.json")))
			backup := s.As("backup")
			raw := token(t, backup)
			wantPasses(t, s, raw)
			if len(namedAlike(s)) > 0 {
				t.Fatal("there is a warning already")
			}

			s.Write("users.json", `{"users":[`+dave+`,`+fmt.Sprintf(test.line, hash)+`]}`)
			eventuallyReason(t, s, raw, "its client has the name of a user")
			if isActive(t, backup, raw) {
				t.Error("introspection says that it is active")
			}
			itself(backup).Want(t, 400, "unauthorized_client")
			harness.Eventually(t, "it is named", func() bool { return len(namedAlike(s)) == 1 })
			if test.username != "" {
				if user := s.Web().Login(t, test.username); s.Edge(user.Access) != 200 {
					t.Error("the user does not pass")
				}
			}

			s.Write("users.json", `{"users":[`+dave+`]}`)
			harness.Eventually(t, "it passes again", func() bool { return s.Edge(raw) == 200 })
			itself(backup).Want(t, 200, "")
		})
	}
}
