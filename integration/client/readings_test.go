package client

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/standin"
)

// Row B2 of the conformance list: RFC 6749 has both halves of a Basic header
// form-urlencoded, and curl, requests, Authlib, ruby-oauth2, client-oauth2, axios and
// Postman send them as they are.

// oddSecret has all that the two ways disagree about, and an escape that is none.
const oddSecret = "a+b c%41%zz%25:é/=&"

const readingsSite = `http://:%PORT% {
	log
	token_endpoint {
		allow_http
		client web {
			secret "` + oddSecret + `"
		}
		client percent {
			secret "100%"
		}
		client looks {
			secret "a%2Bb"
		}
		client hashed {
			secret_hash %SECRETHASH%
		}
		client a+b {
			secret plus
		}
		client "a b" {
			secret space
		}
		client "p%41+" {
			secret raw+id
		}
		client cli+1 {
			public
		}
		user alice %HASH%
		%SETTING%
	}
	handle /metrics {
		metrics
	}
}
`

func startReadings(t *testing.T, setting string) *harness.Site {
	t.Helper()
	text := strings.NewReplacer("%HASH%", harness.CheapHash(t, "correct horse"), "%SECRETHASH%", harness.CheapHash(t, oddSecret), "%SETTING%", setting).Replace(readingsSite)
	return harness.StartWith(t, harness.ThrottleOptions, text)
}

func TestBasicIsReadInBothWays(t *testing.T) {
	s := startReadings(t, "throttle off")
	for _, test := range []struct {
		name   string
		header string
		form   string
		client string // that gets the token; none if it is refused
		reason string
	}{
		{"encoded", encodedBasic("web", oddSecret), harness.UserForm(), "web", ""},
		{"raw", harness.Basic("web", oddSecret), harness.UserForm(), "web", ""},
		{"encoded, against a hash", encodedBasic("hashed", oddSecret), harness.UserForm(), "hashed", ""},
		{"raw, against a hash", harness.Basic("hashed", oddSecret), harness.UserForm(), "hashed", ""},
		{"raw, the same again", harness.Basic("hashed", oddSecret), harness.UserForm(), "hashed", ""},
		{"raw, with what is no escape", harness.Basic("percent", "100%"), harness.UserForm(), "percent", ""},
		{"raw, with what looks like an escape", harness.Basic("looks", "a%2Bb"), harness.UserForm(), "looks", ""},
		{"encoded, what looks like an escape", encodedBasic("looks", "a%2Bb"), harness.UserForm(), "looks", ""},
		{"encoded twice", encodedBasic("looks", url.QueryEscape("a%2Bb")), harness.UserForm(), "", "wrong_client_secret"},
		{"decoded once too often", harness.Basic("looks", "a+b"), harness.UserForm(), "", "wrong_client_secret"},
		{"the id raw and the secret encoded", harness.Basic("p%41+", "raw%2Bid"), harness.UserForm(), "", "wrong_client_secret"},
		{"the id encoded and the secret raw", harness.Basic("p%2541%2B", "raw+id"), harness.UserForm(), "", "wrong_client_secret"},
		{"both encoded", encodedBasic("p%41+", "raw+id"), harness.UserForm(), "p%41+", ""},
		{"both raw", harness.Basic("p%41+", "raw+id"), harness.UserForm(), "p%41+", ""},
		{"an id that names two clients: the secret of the raw one", harness.Basic("a+b", "plus"), harness.UserForm(), "a+b", ""},
		{"an id that names two clients: the secret of the decoded one", harness.Basic("a+b", "space"), harness.UserForm(), "a b", ""},
		{"an id that names two clients: another secret", harness.Basic("a+b", "web"), harness.UserForm(), "", "wrong_client_secret"},
		{"the id in the body says which: raw", harness.Basic("a+b", "plus"), harness.UserForm("client_id", "a+b"), "a+b", ""},
		{"the id in the body says which: decoded", harness.Basic("a+b", "space"), harness.UserForm("client_id", "a b"), "a b", ""},
		{"the id in the body is not that of the secret: raw", harness.Basic("a+b", "space"), harness.UserForm("client_id", "a+b"), "", "wrong_client_secret"},
		{"the id in the body is not that of the secret: decoded", harness.Basic("a+b", "plus"), harness.UserForm("client_id", "a b"), "", "wrong_client_secret"},
		{"the id in the body is neither", harness.Basic("a+b", "plus"), harness.UserForm("client_id", "web"), "", "two_client_ids"},
		{"a public client, raw", harness.Basic("cli+1", ""), harness.UserForm(), "cli+1", ""},
		{"a public client, encoded", encodedBasic("cli+1", ""), harness.UserForm(), "cli+1", ""},
		{"a public client with a secret", harness.Basic("cli+1", "x+y"), harness.UserForm(), "", "public_client_with_secret"},
		{"an unknown client", harness.Basic("no+body", "x+y"), harness.UserForm(), "", "unknown_client"},
		{"a secret that is missing", harness.Basic("a+b", ""), harness.UserForm(), "", "no_client_secret"},
		{"an escape that is NUL is no escape", harness.Basic("web", "a%00"), harness.UserForm(), "", "wrong_client_secret"},
		{"an escape that is no UTF-8 is none either", harness.Basic("web", "a%ff"), harness.UserForm(), "", "wrong_client_secret"},
		{"NUL in both readings", harness.Basic("web", "a+\x00"), harness.UserForm(), "", "basic_malformed"},
		{"no UTF-8 in both readings", harness.Basic("web", "a+\xff"), harness.UserForm(), "", "basic_malformed"},
		{"half a character that an escape completes", harness.Basic("web", oddSecretHalf), harness.UserForm(), "", "wrong_client_secret"},
	} {
		t.Run("B2: "+test.name, func(t *testing.T) {
			a := s.Post("/token", test.form, test.header)
			if test.client == "" {
				if a.Status == 200 || s.Reason() != test.reason {
					t.Fatalf("got %d, refused for %q, want %q", a.Status, s.Reason(), test.reason)
				}
				return
			}
			a.Want(t, 200, "")
			if got := harness.TextClaim(t, a.Text(t, "access_token"), "client_id"); got != test.client {
				t.Errorf("the token is for %q", got)
			}
			// the client of the session is the one that was read, at every endpoint
			token := "token=" + a.Text(t, "access_token")
			if test.reason == "" && test.client != "cli+1" {
				if a := s.Post("/token/introspect", token, test.header); test.form == harness.UserForm() && a.JSON["active"] != true {
					t.Errorf("introspection: %d %s", a.Status, a.Body)
				}
			}
			if test.form == harness.UserForm() {
				s.Post("/token/revoke", token, test.header).Want(t, 200, "")
			}
		})
	}
}

// half of é as a byte, the other half as an escape: that is text in one reading only
const oddSecretHalf = "\xc3%a9"

// Two readings are one attempt, and who is there cannot be told by the counts, the
// answers or how much was compared.
func TestTwoReadingsAreOneAttempt(t *testing.T) {
	s := startReadings(t, "")
	const compared = `password_checks_total{kind="client",result="compared"}`
	var first []string
	for i, id := range []string{"web", "hashed", "nobody", "cli+1", "a+b", "no+body", "p%41+"} {
		t.Run("B9, B17: "+id, func(t *testing.T) {
			peer, before := harness.StrangerAddress(i), s.Metrics()[compared]
			var answers []string
			for n := range 5 {
				a := s.From(peer, harness.UserForm(), harness.Basic(id, fmt.Sprint("wrong+", n)))
				a.Want(t, 401, "invalid_client")
				answers = append(answers, a.Comparable())
			}
			if got := s.Metrics()[compared] - before; got != 5 {
				t.Errorf("5 attempts are %v", got)
			}
			s.From(peer, harness.UserForm(), harness.Basic(id, "wrong+5")).Throttled(t, 30)
			s.From(peer, harness.UserForm(), harness.Basic(id, oddSecret[:8])).Throttled(t, 30)
			if first == nil {
				first = answers
			}
			for n := range answers {
				if answers[n] != first[n] {
					t.Errorf("the answer %d is %s", n, answers[n])
				}
			}
		})
	}
}

// A right secret takes its failures away, whichever reading is right.
func TestARightReadingForgivesFailures(t *testing.T) {
	s := startReadings(t, "")
	for i, header := range []string{harness.Basic("web", oddSecret), encodedBasic("web", oddSecret), harness.Basic("hashed", oddSecret), harness.Basic("p%41+", "raw+id")} {
		decoded, err := base64.StdEncoding.DecodeString(header[len("Authorization: Basic "):])
		if err != nil {
			t.Fatal(err)
		}
		wrong := harness.Authorization("Basic", string(decoded)+"x")
		for range 3 {
			for range 4 {
				s.From(harness.StrangerAddress(i), harness.UserForm(), wrong).Want(t, 401, "invalid_client")
			}
			s.From(harness.StrangerAddress(i), harness.UserForm(), header).Want(t, 200, "")
		}
	}
}

// As their sources say: in Basic, requests and Authlib write "id:secret" as it is, and
// so does axios in UTF-8; the Go library encodes both halves first.
func TestRealClientsSendASecretWithSpecialCharacters(t *testing.T) {
	s := startReadings(t, "")
	t.Run("curl -u", func(t *testing.T) {
		curl := standin.Path(t, "curl")
		ctx, cancel := context.WithTimeout(t.Context(), harness.Patience)
		defer cancel()
		output, err := exec.CommandContext(ctx, curl, "--silent", "--show-error", "--fail-with-body", "--noproxy", "*",
			"--user", "web:"+oddSecret, "--data", harness.UserForm(), s.URL("/token")).Output()
		if err != nil {
			t.Fatalf("curl: %v\n%s", err, output)
		}
	})
	for name, style := range map[string]oauth2.AuthStyle{"in the header": oauth2.AuthStyleInHeader, "in the parameters": oauth2.AuthStyleInParams, "wherever it works": oauth2.AuthStyleAutoDetect} {
		t.Run("x/oauth2 "+name, func(t *testing.T) {
			config := oauth2.Config{ClientID: "web", ClientSecret: oddSecret, Endpoint: oauth2.Endpoint{TokenURL: s.URL("/token"), AuthStyle: style}}
			if _, err := config.PasswordCredentialsToken(t.Context(), "alice", "correct horse"); err != nil {
				t.Error(err)
			}
		})
	}
	for name, header := range map[string]string{
		"net/http SetBasicAuth":     harness.Basic("web", oddSecret),
		"axios, in a lower case":    harness.Authorization("basic", "web:"+oddSecret),
		"encodeURIComponent":        harness.Authorization("Basic", "web:"+percentEncoded(oddSecret)),
		"every byte as an escape":   harness.Authorization("Basic", everyByte("web")+":"+everyByte(oddSecret)),
		"an encoded id, unneeded":   harness.Authorization("Basic", "%77eb:"+percentEncoded(oddSecret)),
		"form-encoded, + for blank": encodedBasic("web", oddSecret),
	} {
		t.Run(name, func(t *testing.T) { s.Post("/token", harness.UserForm(), header).Want(t, 200, "") })
	}
}

// percentEncoded is the encoding of encodeURIComponent, which has no + for a blank.
func percentEncoded(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

func everyByte(s string) (encoded string) {
	for _, b := range []byte(s) {
		encoded += fmt.Sprintf("%%%02x", b)
	}
	return encoded
}
