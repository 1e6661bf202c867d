package harness

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// SharedSecret is the HS256 secret that the server of some tests shares with its apps.
const SharedSecret = "a-secret-that-the-app-has-as-well"

// Forgery is a token as an app could sign it that has seen one and holds the secret.
type Forgery struct {
	Header, Claims map[string]json.RawMessage
	More           string // text after the last claim, such as a duplicate
	Payload        string // in place of all claims
}

// Forge takes an HS256 token apart, has it changed, and signs it again.
func Forge(t *testing.T, token string, change func(*Forgery)) string {
	t.Helper()
	f := new(Forgery)
	parts := strings.Split(token, ".")
	for i, into := range []*map[string]json.RawMessage{&f.Header, &f.Claims} {
		decoded, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(decoded, into); err != nil {
			t.Fatal(err)
		}
	}
	change(f)
	header, err := json.Marshal(f.Header)
	if err != nil {
		t.Fatal(err)
	}
	if f.Payload == "" {
		// by hand, since a claim may be what encoding/json does not write
		members := make([]string, 0, len(f.Claims))
		for _, name := range slices.Sorted(maps.Keys(f.Claims)) {
			members = append(members, strconv.Quote(name)+":"+string(f.Claims[name]))
		}
		f.Payload = "{" + strings.Join(members, ",") + f.More + "}"
	}
	signed := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString([]byte(f.Payload))
	mac := hmac.New(sha256.New, []byte(SharedSecret))
	mac.Write([]byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// SetClaim gives a claim a value, as JSON text.
func SetClaim(claim, value string) func(*Forgery) {
	return func(f *Forgery) { f.Claims[claim] = json.RawMessage(value) }
}

// WithoutClaims takes claims out.
func WithoutClaims(claims ...string) func(*Forgery) {
	return func(f *Forgery) {
		for _, claim := range claims {
			delete(f.Claims, claim)
		}
	}
}

// FromNow is a NumericDate.
func FromNow(d time.Duration) string { return strconv.FormatInt(time.Now().Add(d).Unix(), 10) }
