package integration

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// Whatever is wrong with a token, its sender learns the same: that it is invalid. Most of
// these tokens are signed with the server's own secret, as an app that shares it could,
// so nothing but the claims is wrong with them.
func TestDefectiveTokensGetOneAnswer(t *testing.T) {
	app := newEdgeApp(t)
	s := start(t, app.in(edgeSite))
	token, bobs := s.token("alice"), s.token("bob")
	parts := strings.Split(token, ".")

	s.do(s.request("GET", "/", "", bearer(forge(t, token, func(*forgery) {})))).want(t, 200, "") // the forgery as such is good
	app.one(t).wantIdentity(t, "X-User", "alice")

	type defect struct{ name, token, reason string }
	defects := []defect{
		{"I12: a refresh-typed token", forge(t, token, func(f *forgery) { f.header["typ"] = json.RawMessage(`"refresh+jwt"`) }), "typ is not"},
		{"I12: a token of type JOSE", forge(t, token, func(f *forgery) { f.header["typ"] = json.RawMessage(`"JOSE"`) }), "typ is not"},
		{"I12: a token of type application/jwt", forge(t, token, func(f *forgery) { f.header["typ"] = json.RawMessage(`"application/jwt"`) }), "typ is not"},
		{"I12: a token of an empty type", forge(t, token, func(f *forgery) { f.header["typ"] = json.RawMessage(`""`) }), "typ is not"},
		{"I12: a token without a type", forge(t, token, func(f *forgery) { delete(f.header, "typ") }), "typ is not"},
		{"I16: an unknown kid", forge(t, token, func(f *forgery) { f.header["kid"] = json.RawMessage(`"nobody"`) }), "no key"},
		{"I16: no kid", forge(t, token, func(f *forgery) { delete(f.header, "kid") }), "no key"},
		{"I17: two parts", parts[0] + "." + parts[1], "not a signed token"},
		{"I17: two parts and a dot", parts[0] + "." + parts[1] + ".", "not a signed token"},
		{"I17: five parts", parts[0] + ".." + parts[1] + "." + parts[2] + "." + parts[2], "not a signed token"},
		{"I17: dots alone", "..", "not a signed token"},
		{"I17: 16 kB of one part", strings.Repeat("A", 16<<10), "not a signed token"},
		{"I17: 16 kB of dots", strings.Repeat(".", 16<<10), "not a signed token"},
		{"I17: a good signature over 16 kB", forge(t, token, set("email", `"`+strings.Repeat("x", 12<<10)+`"`)), "not a signed token"},
		{"the cver of another user", forge(t, token, set("cver", claimOf(t, bobs, "cver"))), "another password"},
		{"a known cver under another subject", forge(t, bobs, set("sub", `"alice"`)), "another password"},
		{"the username in place of the id", forge(t, bobs, set("sub", `"bob"`)), "its user is gone"},
		{"a user who does not exist", forge(t, token, set("sub", `"eve"`)), "its user is gone"},
		{"a subject in another case", forge(t, token, set("sub", `"Alice"`)), "its user is gone"},
		{"a client who does not exist", forge(t, token, set("cid", `"app"`)), "its client is gone"},
		{"a client id as the subject", forge(t, token, set("sub", `"web"`)), "its user is gone"},
		{"I10: no iss", forge(t, token, without("iss")), "iss is not"},
		{"I10: another iss", forge(t, token, set("iss", `"https://evil.example.com"`)), "iss is not"},
		{"I10: the iss with a slash", forge(t, token, set("iss", `"https://api.example.com/"`)), "iss is not"},
		{"I10: the iss in another case", forge(t, token, set("iss", `"https://API.example.com"`)), "iss is not"},
		{"I10: a list of iss", forge(t, token, set("iss", `["https://api.example.com"]`)), "iss is malformed"},
		{"I11: no aud", forge(t, token, without("aud")), "aud does not"},
		{"I11: another aud", forge(t, token, set("aud", `["https://other.example.com"]`)), "aud does not"},
		{"I11: the aud as a prefix", forge(t, token, set("aud", `"https://api.example.com.evil"`)), "aud does not"},
		{"I11: an empty list of aud", forge(t, token, set("aud", `[]`)), "aud does not"},
		{"I11: a list of aud that has a number", forge(t, token, set("aud", `["https://api.example.com",1]`)), "aud is malformed"},
		{"I11: an object as aud", forge(t, token, set("aud", `{"https://api.example.com":1}`)), "aud is malformed"},
		{"I11: null as aud", forge(t, token, set("aud", `null`)), "aud is malformed"},
		{"I13: expired an hour ago", forge(t, token, set("exp", fromNow(-time.Hour))), "expired"},
		{"I13: expired beyond the leeway", forge(t, token, set("exp", fromNow(-45*time.Second))), "expired"},
		{"I13: not valid for another hour", forge(t, token, set("nbf", fromNow(time.Hour))), "not yet valid"},
		{"I13: not valid beyond the leeway", forge(t, token, set("nbf", fromNow(90*time.Second))), "not yet valid"},
		{"I13: nbf as a string", forge(t, token, set("nbf", `"0"`)), "nbf is"},
		{"I13: null as nbf", forge(t, token, set("nbf", `null`)), "nbf is"},
		{"a list as scope", forge(t, token, set("scope", `["read"]`)), "scope is malformed"},
		{"a number as scope", forge(t, token, set("scope", `1`)), "scope is malformed"},
		{"H9: two sub that differ", forge(t, token, func(f *forgery) { f.more = `,"sub":"bob"` }), "one is there twice"},
		{"H9: two sub that are equal", forge(t, token, func(f *forgery) { f.more = `,"sub":"alice"` }), "one is there twice"},
		{"H9: two sub, one of them escaped", forge(t, token, func(f *forgery) { f.more = `,"s\u0075b":"bob"` }), "one is there twice"},
		{"H9: two exp", forge(t, token, func(f *forgery) { f.more = `,"exp":` + fromNow(time.Hour) }), "one is there twice"},
		{"H9: two of a claim of no meaning", forge(t, token, func(f *forgery) { f.more = `,"x":1,"x":1` }), "one is there twice"},
		{"SUB in place of sub", forge(t, token, func(f *forgery) { delete(f.claims, "sub"); f.more = `,"SUB":"alice"` }), "sub is missing"},
		{"Cver in place of cver", forge(t, token, func(f *forgery) { f.claims["Cver"] = f.claims["cver"]; delete(f.claims, "cver") }), "cver is missing"},
		{"a list as claims", forge(t, token, func(f *forgery) { f.payload = `[]` }), "no JSON object"},
		{"null as claims", forge(t, token, func(f *forgery) { f.payload = `null` }), "no JSON object"},
		{"no claims", forge(t, token, func(f *forgery) { f.payload = `{}` }), "sub is missing"},
		{"claims that are cut off", forge(t, token, func(f *forgery) { f.payload = `{"sub":"alice"` }), "no JSON object"},
		{"claims with more after them", forge(t, token, func(f *forgery) { f.more = `}{"sub":"bob"` }), "no JSON object"},
	}
	// DESIGN §6: what every token of ours has, and an app might leave out
	for _, claim := range []string{"cver", "sid", "jti", "cid", "sub", "username", "exp"} {
		defects = append(defects, defect{"no " + claim, forge(t, token, without(claim)), claim + " is missing"})
		for name, value := range map[string]string{"null": `null`, "an empty string": `""`, "a list": `["alice"]`, "an object": `{}`, "true": `true`} {
			defects = append(defects, defect{name + " as " + claim, forge(t, token, set(claim, value)), claim + " is missing"})
		}
	}
	for name, value := range map[string]string{
		"a fraction": fromNow(time.Hour) + ".5", "a fraction of zero": fromNow(time.Hour) + ".0", "an exponent": "2e9",
		"a string": `"` + fromNow(time.Hour) + `"`, "a negative number": "-1", "minus zero": "-0",
		"one beyond 64 bits": "9223372036854775808", "the last of 64 bits": "9223372036854775807",
		"one beyond a float": "1e400", "the year 10000": "253402300800", "a leading zero": "0" + fromNow(time.Hour),
		"hexadecimal": "0x7fffffff", "infinity": "Infinity",
	} {
		defects = append(defects, defect{"I13: " + name + " as exp", forge(t, token, set("exp", value)), ""})
	}

	garbage := s.do(s.request("GET", "/", "", bearer("garbage")))
	garbage.want(t, 401, "")
	for _, d := range defects {
		t.Run(d.name, func(t *testing.T) {
			wantSameOutward(t, s.do(s.request("GET", "/", "", bearer(d.token))), garbage)
			if reason := s.lastReason(); !strings.Contains(reason, d.reason) {
				t.Errorf("the log says %q, want %q", reason, d.reason)
			}
		})
	}
	if got := app.take(); len(got) > 0 {
		t.Errorf("the app received %d requests", len(got))
	}
}

func TestUnusualTokensThatAreGood(t *testing.T) {
	app := newEdgeApp(t)
	s := start(t, app.in(edgeSite))
	token := s.token("alice")
	typ := func(value string) func(*forgery) {
		return func(f *forgery) { f.header["typ"] = json.RawMessage(`"` + value + `"`) }
	}
	for _, test := range []struct {
		name   string
		change func(*forgery)
	}{
		{"I11: one aud as a string", set("aud", `"https://api.example.com"`)},
		{"I11: our aud among others", set("aud", `["https://other.example.com","https://api.example.com"]`)},
		{"I12: at+jwt", typ("at+jwt")},
		{"I12: application/at+jwt", typ("application/at+jwt")},
		{"I12: a type has no case", typ("Application/AT+JWT")},
		{"I13: expired within the leeway", set("exp", fromNow(-5*time.Second))},
		{"I13: not yet valid within the leeway", set("nbf", fromNow(20*time.Second))},
		{"I13: no nbf", without("nbf")},
		{"I13: an exp in the year 9999", set("exp", "253402300799")},
		{"SUB beside sub is another claim", func(f *forgery) { f.more = `,"SUB":"bob","Exp":1` }},
		{"a claim nobody knows", set("https://example.com/x", `{"a":[1,{"a":null}]}`)},
		{"a header nobody knows", func(f *forgery) { f.header["x"] = json.RawMessage(`{"y":1}`) }},
		{"I15: a jku, x5u and jwk mean nothing", func(f *forgery) {
			f.header["jku"], f.header["x5u"] = json.RawMessage(`"`+s.url("/jku")+`"`), json.RawMessage(`"`+s.url("/x5u")+`"`)
			f.header["jwk"] = json.RawMessage(`{"kty":"oct","k":"AAAA"}`)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.do(s.request("GET", "/", "", bearer(forge(t, token, test.change)))).want(t, 200, "")
			app.one(t).wantIdentity(t, "X-User", "alice")
		})
	}
}

func TestLeewayIsThatOfTheConfig(t *testing.T) {
	app := newEdgeApp(t)
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
			s := start(t, app.in(strings.Replace(edgeSite, "issuer ", "leeway "+test.leeway+"\n\t\tissuer ", 1)))
			forged := forge(t, s.token("alice"), func(f *forgery) {
				set("exp", fromNow(test.exp))(f)
				set("nbf", fromNow(test.nbf))(f)
			})
			s.do(s.request("GET", "/", "", bearer(forged))).want(t, test.status, "")
			if test.status == 401 && s.lastReason() != test.because {
				t.Errorf("the log says %q, want %q", s.lastReason(), test.because)
			}
		})
	}
}

// Beyond what Caddy takes for headers, the answer is Caddy's.
func TestHeadersBeyondCaddysLimitAreCaddysToRefuse(t *testing.T) {
	app := newEdgeApp(t)
	s := startWith(t, "servers {\n\t\tmax_header_size 32KiB\n\t}", app.in(edgeSite))
	for _, test := range []struct{ size, status int }{{16 << 10, 401}, {64 << 10, 431}} {
		token := base64.RawURLEncoding.EncodeToString(make([]byte, test.size*3/4))
		if a := s.do(s.request("GET", "/", "", bearer(token))); a.status != test.status {
			t.Errorf("I17: a token of %d bytes is answered %d, want %d", test.size, a.status, test.status)
		}
	}
}

func TestServersWithoutAnIssuerAskForNone(t *testing.T) {
	app := newEdgeApp(t)
	s := start(t, app.in(strings.Replace(edgeSite, "issuer      https://api.example.com\n", "", 1)))
	token := s.token("alice")
	for name, change := range map[string]func(*forgery){
		"I10: no iss": func(*forgery) {}, "I10: any iss": set("iss", `"https://other.example.com"`), "I11: any aud": set("aud", `["x"]`),
	} {
		t.Run(name, func(t *testing.T) {
			s.do(s.request("GET", "/", "", bearer(forge(t, token, change)))).want(t, 200, "")
		})
	}
}
