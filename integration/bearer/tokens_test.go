package bearer

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// Whatever is wrong with a token, its sender learns the same: that it is invalid. Most
// of these tokens are signed with the server's own secret, as an app that shares it
// could, so nothing but the claims is wrong with them.
func TestDefectiveTokensGetOneAnswer(t *testing.T) {
	app := harness.NewApp(t)
	s := harness.Start(t, app.In(harness.EdgeSite))
	token, bobs := s.Token("alice"), s.Token("bob")
	parts := strings.Split(token, ".")

	s.Do(s.Request("GET", "/", "", harness.Bearer(harness.Forge(t, token, func(*harness.Forgery) {})))).Want(t, 200, "") // the forgery as such is good
	app.One(t).WantIdentity(t, "X-User", "alice")

	type defect struct{ name, token, reason string }
	defects := []defect{
		{"I12: a refresh-typed token", harness.Forge(t, token, func(f *harness.Forgery) { f.Header["typ"] = json.RawMessage(`"refresh+jwt"`) }), "typ is not"},
		{"I12: a token of type JOSE", harness.Forge(t, token, func(f *harness.Forgery) { f.Header["typ"] = json.RawMessage(`"JOSE"`) }), "typ is not"},
		{"I12: a token of type application/json", harness.Forge(t, token, func(f *harness.Forgery) { f.Header["typ"] = json.RawMessage(`"application/json"`) }), "typ is not"},
		{"I12: a token of an empty type", harness.Forge(t, token, func(f *harness.Forgery) { f.Header["typ"] = json.RawMessage(`""`) }), "typ is not"},
		{"I12: a token without a type", harness.Forge(t, token, func(f *harness.Forgery) { delete(f.Header, "typ") }), "typ is not"},
		{"I16: an unknown kid", harness.Forge(t, token, func(f *harness.Forgery) { f.Header["kid"] = json.RawMessage(`"nobody"`) }), "no key"},
		{"I16: no kid", harness.Forge(t, token, func(f *harness.Forgery) { delete(f.Header, "kid") }), "no key"},
		{"I17: two parts", parts[0] + "." + parts[1], "not a signed token"},
		{"I17: two parts and a dot", parts[0] + "." + parts[1] + ".", "not a signed token"},
		{"I17: five parts", parts[0] + ".." + parts[1] + "." + parts[2] + "." + parts[2], "not a signed token"},
		{"I17: dots alone", "..", "not a signed token"},
		{"I17: 16 kB of one part", strings.Repeat("A", 16<<10), "longer than 8 KiB"},
		{"I17: 16 kB of dots", strings.Repeat(".", 16<<10), "longer than 8 KiB"},
		{"I17: a good signature over 16 kB", harness.Forge(t, token, harness.SetClaim("email", `"`+strings.Repeat("x", 12<<10)+`"`)), "longer than 8 KiB"},
		{"the cver of another user", harness.Forge(t, token, harness.SetClaim("cver", claimOf(t, bobs, "cver"))), "another password"},
		{"a known cver under another subject", harness.Forge(t, bobs, harness.SetClaim("sub", `"alice"`)), "another password"},
		{"the username in place of the id", harness.Forge(t, bobs, harness.SetClaim("sub", `"bob"`)), "its user is gone"},
		{"a user who does not exist", harness.Forge(t, token, harness.SetClaim("sub", `"eve"`)), "its user is gone"},
		{"a subject in another case", harness.Forge(t, token, harness.SetClaim("sub", `"Alice"`)), "its user is gone"},
		{"a client who does not exist", harness.Forge(t, token, harness.SetClaim("cid", `"app"`)), "its client is gone"},
		{"a client id as the subject", harness.Forge(t, token, harness.SetClaim("sub", `"web"`)), "its user is gone"},
		{"I10: no iss", harness.Forge(t, token, harness.WithoutClaims("iss")), "iss is not"},
		{"I10: another iss", harness.Forge(t, token, harness.SetClaim("iss", `"https://evil.example.com"`)), "iss is not"},
		{"I10: the iss with a slash", harness.Forge(t, token, harness.SetClaim("iss", `"https://api.example.com/"`)), "iss is not"},
		{"I10: the iss in another case", harness.Forge(t, token, harness.SetClaim("iss", `"https://API.example.com"`)), "iss is not"},
		{"I10: a list of iss", harness.Forge(t, token, harness.SetClaim("iss", `["https://api.example.com"]`)), "iss is malformed"},
		{"I11: no aud", harness.Forge(t, token, harness.WithoutClaims("aud")), "aud does not"},
		{"I11: another aud", harness.Forge(t, token, harness.SetClaim("aud", `["https://other.example.com"]`)), "aud does not"},
		{"I11: the aud as a prefix", harness.Forge(t, token, harness.SetClaim("aud", `"https://api.example.com.evil"`)), "aud does not"},
		{"I11: an empty list of aud", harness.Forge(t, token, harness.SetClaim("aud", `[]`)), "aud does not"},
		{"I11: a list of aud that has a number", harness.Forge(t, token, harness.SetClaim("aud", `["https://api.example.com",1]`)), "aud is malformed"},
		{"I11: an object as aud", harness.Forge(t, token, harness.SetClaim("aud", `{"https://api.example.com":1}`)), "aud is malformed"},
		{"I11: null as aud", harness.Forge(t, token, harness.SetClaim("aud", `null`)), "aud is malformed"},
		{"I13: expired an hour ago", harness.Forge(t, token, harness.SetClaim("exp", harness.FromNow(-time.Hour))), "expired"},
		{"I13: expired beyond the leeway", harness.Forge(t, token, harness.SetClaim("exp", harness.FromNow(-45*time.Second))), "expired"},
		{"I13: not valid for another hour", harness.Forge(t, token, harness.SetClaim("nbf", harness.FromNow(time.Hour))), "not yet valid"},
		{"I13: not valid beyond the leeway", harness.Forge(t, token, harness.SetClaim("nbf", harness.FromNow(90*time.Second))), "not yet valid"},
		{"I13: nbf as a string", harness.Forge(t, token, harness.SetClaim("nbf", `"0"`)), "nbf is"},
		{"I13: null as nbf", harness.Forge(t, token, harness.SetClaim("nbf", `null`)), "nbf is"},
		{"a list as scope", harness.Forge(t, token, harness.SetClaim("scope", `["read"]`)), "scope is malformed"},
		{"a number as scope", harness.Forge(t, token, harness.SetClaim("scope", `1`)), "scope is malformed"},
		{"H9: two sub that differ", harness.Forge(t, token, func(f *harness.Forgery) { f.More = `,"sub":"bob"` }), "a claim is duplicated"},
		{"H9: two sub that are equal", harness.Forge(t, token, func(f *harness.Forgery) { f.More = `,"sub":"alice"` }), "a claim is duplicated"},
		{"H9: two sub, one of them escaped", harness.Forge(t, token, func(f *harness.Forgery) { f.More = `,"s\u0075b":"bob"` }), "a claim is duplicated"},
		{"H9: two exp", harness.Forge(t, token, func(f *harness.Forgery) { f.More = `,"exp":` + harness.FromNow(time.Hour) }), "a claim is duplicated"},
		{"H9: two of a claim of no meaning", harness.Forge(t, token, func(f *harness.Forgery) { f.More = `,"x":1,"x":1` }), "a claim is duplicated"},
		{"SUB in place of sub", harness.Forge(t, token, func(f *harness.Forgery) { delete(f.Claims, "sub"); f.More = `,"SUB":"alice"` }), "sub is missing"},
		{"Cver in place of cver", harness.Forge(t, token, func(f *harness.Forgery) { f.Claims["Cver"] = f.Claims["cver"]; delete(f.Claims, "cver") }), "cver is missing"},
		{"a list as claims", harness.Forge(t, token, func(f *harness.Forgery) { f.Payload = `[]` }), "not a JSON object"},
		{"null as claims", harness.Forge(t, token, func(f *harness.Forgery) { f.Payload = `null` }), "not a JSON object"},
		{"no claims", harness.Forge(t, token, func(f *harness.Forgery) { f.Payload = `{}` }), "sub is missing"},
		{"claims that are cut off", harness.Forge(t, token, func(f *harness.Forgery) { f.Payload = `{"sub":"alice"` }), "not a JSON object"},
		{"claims with more after them", harness.Forge(t, token, func(f *harness.Forgery) { f.More = `}{"sub":"bob"` }), "not a JSON object"},
	}
	// DESIGN §6: what all our tokens have, and an app might leave out
	for _, claim := range []string{"cver", "sid", "jti", "cid", "sub", "username", "exp"} {
		defects = append(defects, defect{"no " + claim, harness.Forge(t, token, harness.WithoutClaims(claim)), claim + " is missing"})
		for name, value := range map[string]string{"null": `null`, "an empty string": `""`, "a list": `["alice"]`, "an object": `{}`, "true": `true`} {
			defects = append(defects, defect{name + " as " + claim, harness.Forge(t, token, harness.SetClaim(claim, value)), claim + " is missing"})
		}
	}
	for name, value := range map[string]string{
		"a fraction": harness.FromNow(time.Hour) + ".5", "a fraction of zero": harness.FromNow(time.Hour) + ".0", "an exponent": "2e9",
		"a string": `"` + harness.FromNow(time.Hour) + `"`, "a negative number": "-1", "minus zero": "-0",
		"one beyond 64 bits": "9223372036854775808", "the last of 64 bits": "9223372036854775807",
		"one beyond a float": "1e400", "the year 10000": "253402300800", "a leading zero": "0" + harness.FromNow(time.Hour),
		"hexadecimal": "0x7fffffff", "infinity": "Infinity",
	} {
		defects = append(defects, defect{"I13: " + name + " as exp", harness.Forge(t, token, harness.SetClaim("exp", value)), ""})
	}

	garbage := s.Do(s.Request("GET", "/", "", harness.Bearer("garbage")))
	garbage.Want(t, 401, "")
	for _, d := range defects {
		t.Run(d.name, func(t *testing.T) {
			harness.WantSameOutward(t, s.Do(s.Request("GET", "/", "", harness.Bearer(d.token))), garbage)
			if reason := s.LastReason(); !strings.Contains(reason, d.reason) {
				t.Errorf("the log says %q, want %q", reason, d.reason)
			}
		})
	}
	if got := app.Take(); len(got) > 0 {
		t.Errorf("the app received %d requests", len(got))
	}
}

func TestUnusualTokensThatAreGood(t *testing.T) {
	app := harness.NewApp(t)
	s := harness.Start(t, app.In(harness.EdgeSite))
	token := s.Token("alice")
	typ := func(value string) func(*harness.Forgery) {
		return func(f *harness.Forgery) { f.Header["typ"] = json.RawMessage(`"` + value + `"`) }
	}
	for _, test := range []struct {
		name   string
		change func(*harness.Forgery)
	}{
		{"I11: one aud as a string", harness.SetClaim("aud", `"https://api.example.com"`)},
		{"I11: our aud among others", harness.SetClaim("aud", `["https://other.example.com","https://api.example.com"]`)},
		{"I12: at+jwt", typ("at+jwt")},
		{"I12: application/at+jwt", typ("application/at+jwt")},
		{"I12: application/jwt", typ("application/jwt")},
		{"I12: application/JWT", typ("application/JWT")},
		{"I12: a type has no case", typ("Application/AT+JWT")},
		{"I13: expired within the leeway", harness.SetClaim("exp", harness.FromNow(-5*time.Second))},
		{"I13: not yet valid within the leeway", harness.SetClaim("nbf", harness.FromNow(20*time.Second))},
		{"I13: no nbf", harness.WithoutClaims("nbf")},
		{"I13: an exp in the year 9999", harness.SetClaim("exp", "253402300799")},
		{"SUB beside sub is another claim", func(f *harness.Forgery) { f.More = `,"SUB":"bob","Exp":1` }},
		{"an unknown claim", harness.SetClaim("https://example.com/x", `{"a":[1,{"a":null}]}`)},
		{"an unknown header", func(f *harness.Forgery) { f.Header["x"] = json.RawMessage(`{"y":1}`) }},
		{"I15: a jku, x5u and jwk mean nothing", func(f *harness.Forgery) {
			f.Header["jku"], f.Header["x5u"] = json.RawMessage(`"`+s.URL("/jku")+`"`), json.RawMessage(`"`+s.URL("/x5u")+`"`)
			f.Header["jwk"] = json.RawMessage(`{"kty":"oct","k":"AAAA"}`)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.Do(s.Request("GET", "/", "", harness.Bearer(harness.Forge(t, token, test.change)))).Want(t, 200, "")
			app.One(t).WantIdentity(t, "X-User", "alice")
		})
	}
}

func TestLeewayIsThatOfTheConfig(t *testing.T) {
	app := harness.NewApp(t)
	for _, test := range []struct {
		name, leeway string
		exp, nbf     time.Duration
		status       int
		because      string
	}{
		{"no leeway, expired", "0s", -2 * time.Second, -time.Hour, 401, "expired"},
		{"no leeway, not yet valid", "0s", time.Hour, time.Minute, 401, "not yet valid"},
		{"no leeway, valid", "0s", time.Hour, -time.Hour, 200, ""},
		{"5 minutes, expired within them", "5m", -4 * time.Minute, -time.Hour, 200, ""},
		{"5 minutes, not yet valid within them", "5m", time.Hour, 4 * time.Minute, 200, ""},
		{"5 minutes, expired before", "5m", -6 * time.Minute, -time.Hour, 401, "expired"},
		{"5 minutes, not yet valid after", "5m", time.Hour, 6 * time.Minute, 401, "not yet valid"},
	} {
		t.Run("I13: "+test.name, func(t *testing.T) {
			s := harness.Start(t, app.In(strings.Replace(harness.EdgeSite, "issuer ", "leeway "+test.leeway+"\n\t\tissuer ", 1)))
			forged := harness.Forge(t, s.Token("alice"), func(f *harness.Forgery) {
				harness.SetClaim("exp", harness.FromNow(test.exp))(f)
				harness.SetClaim("nbf", harness.FromNow(test.nbf))(f)
			})
			s.Do(s.Request("GET", "/", "", harness.Bearer(forged))).Want(t, test.status, "")
			if test.status == 401 && s.LastReason() != test.because {
				t.Errorf("the log says %q, want %q", s.LastReason(), test.because)
			}
		})
	}
}

// Beyond what Caddy takes for headers, the answer is Caddy's.
func TestHeadersBeyondCaddysLimitAreCaddysToRefuse(t *testing.T) {
	app := harness.NewApp(t)
	s := harness.StartWith(t, "servers {\n\t\tmax_header_size 32KiB\n\t}", app.In(harness.EdgeSite))
	for _, test := range []struct{ size, status int }{{16 << 10, 401}, {64 << 10, 431}} {
		token := base64.RawURLEncoding.EncodeToString(make([]byte, test.size*3/4))
		if a := s.Do(s.Request("GET", "/", "", harness.Bearer(token))); a.Status != test.status {
			t.Errorf("I17: a token of %d bytes is answered %d, want %d", test.size, a.Status, test.status)
		}
	}
}

func TestServersWithoutAnIssuerAskForNone(t *testing.T) {
	app := harness.NewApp(t)
	s := harness.Start(t, app.In(strings.Replace(harness.EdgeSite, "issuer      https://api.example.com\n", "", 1)))
	token := s.Token("alice")
	for name, change := range map[string]func(*harness.Forgery){
		"I10: no iss": func(*harness.Forgery) {}, "I10: any iss": harness.SetClaim("iss", `"https://other.example.com"`), "I11: any aud": harness.SetClaim("aud", `["x"]`),
	} {
		t.Run(name, func(t *testing.T) {
			s.Do(s.Request("GET", "/", "", harness.Bearer(harness.Forge(t, token, change)))).Want(t, 200, "")
		})
	}
}

// claimOf is one claim of a token, as JSON text.
func claimOf(t *testing.T, token, claim string) string {
	t.Helper()
	var value string
	harness.Forge(t, token, func(f *harness.Forgery) { value = string(f.Claims[claim]) })
	return value
}
