package token

import (
	"encoding/base64"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/internal/session"
)

// A cookie is whatever a browser sends. Nothing opens but what was sealed for its place,
// as it was spelled. What an earlier or a later version has sealed may be anything: what
// opens of that has all that a session needs, and is the same session when it is sealed
// anew.
func FuzzOpenCookie(f *testing.F) {
	keys := browserKeys(f, "7")
	plain := plainCookie(f, aCookie())
	ours := sealPlain(keys, plain)
	for _, value := range []string{
		ours, ours + "=", ours + "\n", ours[1:], ours[:len(ours)-1], ours + ours, "", "A", strings.Repeat("A", 54), strings.Repeat("A", maxCookieValue+1),
		strings.NewReplacer("-", "+", "_", "/").Replace(ours), ours[:60] + "\r\n" + ours[60:],
	} {
		f.Add(value, []byte("{}"))
	}
	for _, change := range []string{
		`"sub":"alice"->"sub":null`, `"sub":"alice"->"SUB":"alice"`, `"sub":"alice"->"sub":"alice","sub":"bob"`, `alice->ali\ud800ce`, `alice-><&>`,
		`"exp":->"exp":-`, `"exp":1893542400->"exp":9223372036854775807`, `"exp":1893542400->"exp":1e9`, `"iat":->"iat":-`, `20300102-->20300102`,
		`20300102->20301332`, `"scope":"read write"->"scope":" read  write "`, `}->,"remember":true}`, `}->,"remember":"on"}`, `}->,"more":[1]}`, `}->}}`,
	} {
		from, to, _ := strings.Cut(change, "->")
		f.Add(ours, []byte(strings.Replace(string(plain), from, to, 1)))
	}
	f.Fuzz(func(t *testing.T, value string, plain []byte) {
		if c, err := keys.OpenCookie(value, atApp); err == nil {
			if value != ours || !reflect.DeepEqual(c, opened(aCookie())) {
				t.Fatalf("%q opens to %+v", value, c)
			}
		} else if value == ours {
			t.Fatal("our own does not open")
		}
		if box, err := base64.RawURLEncoding.DecodeString(value); err == nil && value != base64.RawURLEncoding.EncodeToString(box) {
			if _, err := keys.OpenCookie(value, atApp); err == nil {
				t.Fatalf("%q has another spelling", value)
			}
		}
		c, err := keys.OpenCookie(sealPlain(keys, plain), atApp)
		if err != nil {
			return
		}
		if c.Subject == "" || c.CredentialVersion == "" || c.Ends <= 0 || c.Session.String() != c.SessionID {
			t.Fatalf("%s opens to %+v", plain, c)
		}
		again, err := keys.Seal(c, atApp, time.Unix(c.Sealed, 0))
		if err != nil {
			return // which may be longer than it was: <, > and & are escaped
		}
		if same, err := keys.OpenCookie(again, atApp); err != nil || !reflect.DeepEqual(c, same) {
			t.Fatalf("%+v is %+v when it is sealed anew, error %v", c, same, err)
		}
	})
}

// opened is what a cookie opens to.
func opened(c *SessionCookie) *SessionCookie {
	c.Session, _ = session.ParseID(c.SessionID)
	return c
}
