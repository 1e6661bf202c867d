package integration

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/oauth2"
)

// Row B2 of the conformance list: RFC 6749 has both halves of a Basic header form-urlencoded,
// and curl, requests, Authlib, ruby-oauth2, client-oauth2, axios and Postman send them as
// they are.

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

func startReadings(t *testing.T, setting string) *site {
	t.Helper()
	text := strings.NewReplacer("%HASH%", cheapHash(t, "correct horse"), "%SECRETHASH%", cheapHash(t, oddSecret), "%SETTING%", setting).Replace(readingsSite)
	return startWith(t, throttleOptions, text)
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
		{"encoded", encodedBasic("web", oddSecret), userForm(), "web", ""},
		{"raw", basic("web", oddSecret), userForm(), "web", ""},
		{"encoded, against a hash", encodedBasic("hashed", oddSecret), userForm(), "hashed", ""},
		{"raw, against a hash", basic("hashed", oddSecret), userForm(), "hashed", ""},
		{"raw, the same again", basic("hashed", oddSecret), userForm(), "hashed", ""},
		{"raw, with what is no escape", basic("percent", "100%"), userForm(), "percent", ""},
		{"raw, with what looks like an escape", basic("looks", "a%2Bb"), userForm(), "looks", ""},
		{"encoded, what looks like an escape", encodedBasic("looks", "a%2Bb"), userForm(), "looks", ""},
		{"encoded twice", encodedBasic("looks", url.QueryEscape("a%2Bb")), userForm(), "", "wrong_client_secret"},
		{"decoded once too often", basic("looks", "a+b"), userForm(), "", "wrong_client_secret"},
		{"the id raw and the secret encoded", basic("p%41+", "raw%2Bid"), userForm(), "", "wrong_client_secret"},
		{"the id encoded and the secret raw", basic("p%2541%2B", "raw+id"), userForm(), "", "wrong_client_secret"},
		{"both encoded", encodedBasic("p%41+", "raw+id"), userForm(), "p%41+", ""},
		{"both raw", basic("p%41+", "raw+id"), userForm(), "p%41+", ""},
		{"an id that names two clients: the secret of the raw one", basic("a+b", "plus"), userForm(), "a+b", ""},
		{"an id that names two clients: the secret of the decoded one", basic("a+b", "space"), userForm(), "a b", ""},
		{"an id that names two clients: another secret", basic("a+b", "web"), userForm(), "", "wrong_client_secret"},
		{"the id in the body says which: raw", basic("a+b", "plus"), userForm("client_id", "a+b"), "a+b", ""},
		{"the id in the body says which: decoded", basic("a+b", "space"), userForm("client_id", "a b"), "a b", ""},
		{"the id in the body is not that of the secret: raw", basic("a+b", "space"), userForm("client_id", "a+b"), "", "wrong_client_secret"},
		{"the id in the body is not that of the secret: decoded", basic("a+b", "plus"), userForm("client_id", "a b"), "", "wrong_client_secret"},
		{"the id in the body is neither", basic("a+b", "plus"), userForm("client_id", "web"), "", "two_client_ids"},
		{"a public client, raw", basic("cli+1", ""), userForm(), "cli+1", ""},
		{"a public client, encoded", encodedBasic("cli+1", ""), userForm(), "cli+1", ""},
		{"a public client with a secret", basic("cli+1", "x+y"), userForm(), "", "public_client_with_secret"},
		{"an unknown client", basic("no+body", "x+y"), userForm(), "", "unknown_client"},
		{"a secret that is missing", basic("a+b", ""), userForm(), "", "no_client_secret"},
		{"an escape that is NUL is no escape", basic("web", "a%00"), userForm(), "", "wrong_client_secret"},
		{"an escape that is no UTF-8 is none either", basic("web", "a%ff"), userForm(), "", "wrong_client_secret"},
		{"NUL in both readings", basic("web", "a+\x00"), userForm(), "", "basic_malformed"},
		{"no UTF-8 in both readings", basic("web", "a+\xff"), userForm(), "", "basic_malformed"},
		{"half a character that an escape completes", basic("web", oddSecretHalf), userForm(), "", "wrong_client_secret"},
	} {
		t.Run("B2: "+test.name, func(t *testing.T) {
			a := s.post("/token", test.form, test.header)
			if test.client == "" {
				if a.status == 200 || s.reason() != test.reason {
					t.Fatalf("got %d, refused for %q, want %q", a.status, s.reason(), test.reason)
				}
				return
			}
			a.want(t, 200, "")
			if got := textClaim(t, a.text(t, "access_token"), "client_id"); got != test.client {
				t.Errorf("the token is for %q", got)
			}
			// the client of the session is the one that was read, at every endpoint
			token := "token=" + a.text(t, "access_token")
			if test.reason == "" && test.client != "cli+1" {
				if a := s.post("/token/introspect", token, test.header); test.form == userForm() && a.json["active"] != true {
					t.Errorf("introspection: %d %s", a.status, a.body)
				}
			}
			if test.form == userForm() {
				s.post("/token/revoke", token, test.header).want(t, 200, "")
			}
		})
	}
}

// half of é as a byte, the other half as an escape: that is text in one reading only
const oddSecretHalf = "\xc3%a9"

// Two readings are one attempt, and who is there cannot be told by the counts, the answers
// or how much was compared.
func TestTwoReadingsAreOneAttempt(t *testing.T) {
	s := startReadings(t, "")
	const compared = `password_checks_total{kind="client",result="compared"}`
	var first []string
	for i, id := range []string{"web", "hashed", "nobody", "cli+1", "a+b", "no+body", "p%41+"} {
		t.Run("B9, B17: "+id, func(t *testing.T) {
			peer, before := stranger(i), s.metrics()[compared]
			var answers []string
			for n := range 5 {
				a := s.from(peer, userForm(), basic(id, fmt.Sprint("wrong+", n)))
				a.want(t, 401, "invalid_client")
				answers = append(answers, a.comparable())
			}
			if got := s.metrics()[compared] - before; got != 5 {
				t.Errorf("5 attempts are %v", got)
			}
			s.from(peer, userForm(), basic(id, "wrong+5")).throttled(t, 30)
			s.from(peer, userForm(), basic(id, oddSecret[:8])).throttled(t, 30)
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
	for i, header := range []string{basic("web", oddSecret), encodedBasic("web", oddSecret), basic("hashed", oddSecret), basic("p%41+", "raw+id")} {
		decoded, err := base64.StdEncoding.DecodeString(header[len("Authorization: Basic "):])
		if err != nil {
			t.Fatal(err)
		}
		wrong := authorization("Basic", string(decoded)+"x")
		for range 3 {
			for range 4 {
				s.from(stranger(i), userForm(), wrong).want(t, 401, "invalid_client")
			}
			s.from(stranger(i), userForm(), header).want(t, 200, "")
		}
	}
}

// As their sources say: in Basic, requests and Authlib write "id:secret" as it is, and so
// does axios in UTF-8; the Go library encodes both halves first.
func TestRealClientsSendASecretWithSpecialCharacters(t *testing.T) {
	s := startReadings(t, "")
	t.Run("curl -u", func(t *testing.T) {
		curl, err := exec.LookPath("curl")
		if err != nil {
			t.Fatal("curl is missing: install it, this is how the README gets its token")
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		output, err := exec.CommandContext(ctx, curl, "--silent", "--show-error", "--fail-with-body", "--noproxy", "*",
			"--user", "web:"+oddSecret, "--data", userForm(), s.url("/token")).Output()
		if err != nil {
			t.Fatalf("curl: %v\n%s", err, output)
		}
	})
	for name, style := range map[string]oauth2.AuthStyle{"in the header": oauth2.AuthStyleInHeader, "in the parameters": oauth2.AuthStyleInParams, "wherever it works": oauth2.AuthStyleAutoDetect} {
		t.Run("x/oauth2 "+name, func(t *testing.T) {
			config := oauth2.Config{ClientID: "web", ClientSecret: oddSecret, Endpoint: oauth2.Endpoint{TokenURL: s.url("/token"), AuthStyle: style}}
			if _, err := config.PasswordCredentialsToken(t.Context(), "alice", "correct horse"); err != nil {
				t.Error(err)
			}
		})
	}
	for name, header := range map[string]string{
		"net/http SetBasicAuth":     basic("web", oddSecret),
		"axios, in a lower case":    authorization("basic", "web:"+oddSecret),
		"encodeURIComponent":        authorization("Basic", "web:"+percentEncoded(oddSecret)),
		"every byte as an escape":   authorization("Basic", everyByte("web")+":"+everyByte(oddSecret)),
		"an encoded id, unneeded":   authorization("Basic", "%77eb:"+percentEncoded(oddSecret)),
		"form-encoded, + for blank": encodedBasic("web", oddSecret),
	} {
		t.Run(name, func(t *testing.T) { s.post("/token", userForm(), header).want(t, 200, "") })
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
