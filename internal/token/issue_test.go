package token

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/directory"
)

// answer is the body of RFC 6749 §5.1 for encoding/json.
type answer struct {
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope"`
}

// issuer is a policy with a client and a user of it.
func issuer(refreshes bool) (*Policy, *Authorization) {
	alice := aliceOfBrowser()
	p := &Policy{Server: "default", AccessTTL: time.Hour, RefreshTTL: time.Hour, SessionTTL: 2 * time.Hour, Refreshes: refreshes}
	return p, &Authorization{Client: &directory.Client{ID: "web"}, User: &alice}
}

func TestTheAnswerIsWrittenAsEncodingJSONWritesIt(t *testing.T) {
	keys, at := browserKeys(t, "1"), time.Now().Truncate(time.Second)
	for _, refreshes := range []bool{false, true} {
		for _, scopes := range [][]string{nil, {"read"}, {"read", "contacts.write"}, {"<a&b>", "'"}, {"a\\\"", "\xff\u2028"}} {
			p, a := issuer(refreshes)
			a.Scopes = scopes
			a.Session = p.NewSession(a, nil, at)
			var got bytes.Buffer
			issued, err := p.Issue(t.Context(), keys, a, at, &got)
			if err != nil {
				t.Fatal(err)
			}
			var said answer
			if err := json.Unmarshal(got.Bytes(), &said); err != nil {
				t.Fatalf("%s: %v", got.Bytes(), err)
			}
			said.Scope = strings.Join(scopes, " ")
			sameJSON(t, got.Bytes(), marshaled(t, said))

			access, err := readSigned(keys.Ring, said.AccessToken)
			if err != nil || access.ID != issued.TokenID || access.Subject != "alice" || said.ExpiresIn != 3600 || said.TokenType != "Bearer" {
				t.Errorf("%s: %+v, %v", got.Bytes(), access, err)
			}
			if (said.RefreshToken != "") != refreshes {
				t.Fatalf("refreshes is %t: %s", refreshes, got.Bytes())
			}
			if !refreshes {
				continue
			}
			if refresh, err := OpenRefreshToken(keys, said.RefreshToken); err != nil || refresh.AccessTokenID != issued.TokenID || refresh.UserID != "alice" {
				t.Errorf("%s: %+v, %v", got.Bytes(), refresh, err)
			}
		}
	}
}

// failingExchange cannot be exchanged.
type failingExchange struct{ error }

func (f failingExchange) Consume(context.Context) (uint64, error) { return 0, f.error }

// The access token is in the buffer by then: an error tells the caller not to send it.
func TestAnExchangeThatFailsIsAnError(t *testing.T) {
	p, a := issuer(true)
	at, refused := time.Now(), errors.New("refused")
	a.Session = p.NewSession(a, nil, at)
	a.Session.Exchange = failingExchange{refused}
	var got bytes.Buffer
	if issued, err := p.Issue(t.Context(), browserKeys(t, "1"), a, at, &got); !errors.Is(err, refused) || issued != (Issued{}) {
		t.Errorf("%+v, %v", issued, err)
	}
}

func TestATokenThatIsTooLongIsNotIssued(t *testing.T) {
	p, a := issuer(true)
	at := time.Now()
	for _, test := range []struct{ scopes, claim int }{{9000, 0}, {0, 9000}} {
		a.Scopes = []string{strings.Repeat("s", test.scopes)}
		a.User.Claims = map[string]json.RawMessage{"c": json.RawMessage(`"` + strings.Repeat("c", test.claim) + `"`)}
		a.Session = p.NewSession(a, nil, at)
		if _, err := p.Issue(t.Context(), browserKeys(t, "1"), a, at, new(bytes.Buffer)); err == nil || !strings.Contains(err.Error(), "shorten") {
			t.Errorf("%+v: %v", test, err)
		}
	}
}
