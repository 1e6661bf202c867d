package token

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestASealedCookieOpensToWhatWasSealed(t *testing.T) {
	s := newBrowserServer(t)
	for _, remember := range []bool{false, true} {
		cookie, _ := s.begin(t, remember)
		at := s.at.Add(time.Hour)
		value, err := s.keys.Seal(cookie, atApp, at)
		if err != nil {
			t.Fatal(err)
		}
		opened, err := s.keys.OpenCookie(value, atApp)
		if err != nil {
			t.Fatal(err)
		}
		want := *cookie
		want.Sealed = at.Unix()
		if !reflect.DeepEqual(*opened, want) {
			t.Errorf("%+v was sealed, and opens to %+v", want, *opened)
		}
		if cookie.Sealed != 0 {
			t.Error("sealing changes the session, which requests share")
		}
		if opened.Remembered != remember || opened.Subject != "alice" || opened.Scope != "read write" || opened.Session.String() != opened.SessionID {
			t.Errorf("it opens to %+v", *opened)
		}
	}
}

func TestACookieShowsNothingAndIsNeverTheSameTwice(t *testing.T) {
	s := newBrowserServer(t)
	cookie, first := s.begin(t, false)
	seen := make(map[string]bool)
	for range 50 {
		value := s.seal(t, cookie)
		if seen[value[:32]] { // the nonce
			t.Fatal("a nonce was used twice")
		}
		seen[value[:32]] = true
	}
	box, err := base64.RawURLEncoding.DecodeString(first)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"alice", cookie.SessionID, cookie.CredentialVersion, "read"} {
		if strings.Contains(first, secret) || bytes.Contains(box, []byte(secret)) {
			t.Errorf("%q can be read in the cookie", secret)
		}
	}
	if strings.Trim(first, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		t.Errorf("%s has other characters than base64url", first)
	}
	if len(first) > 500 {
		t.Errorf("a cookie has %d bytes", len(first))
	}
}

func TestACookieOpensInItsOwnPlaceOnly(t *testing.T) {
	s := newBrowserServer(t)
	cookie, value := s.begin(t, false)
	for _, place := range []CookiePlace{
		{"grant-default", atApp.Host}, {"__Secure-grant-default", atApp.Host}, {atApp.Name, "other.example.com"}, {atApp.Name, ""},
		{atApp.Name, "app.example.com."}, {atApp.Name, "APP.example.com"}, {"", atApp.Host},
		{atApp.Name + "a", "pp.example.com"}, {atApp.Host, atApp.Name}, {atApp.Name + atApp.Host, ""}, {"", atApp.Name + atApp.Host},
	} {
		if opened, err := s.keys.OpenCookie(value, place); err != errNotOurCookie || opened != nil {
			t.Errorf("it opens at %+v: %v", place, err)
		}
		if session, err := s.CheckCookie(t.Context(), value, place); err != errNotOurCookie || session != nil {
			t.Errorf("it is good at %+v: %v", place, err)
		}
		other, err := s.keys.Seal(cookie, place, s.at)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.keys.OpenCookie(other, atApp); err == nil {
			t.Errorf("one of %+v opens elsewhere", place)
		}
	}
	s.wantCookie(t, value, "") // and now that it is remembered
	if session, err := s.CheckCookie(t.Context(), value, CookiePlace{atApp.Name, "other.example.com"}); err == nil || session != nil {
		t.Error("one that was checked is good in another place")
	}
}

func TestACookieOfAnotherSecretDoesNotOpen(t *testing.T) {
	s := newBrowserServer(t)
	_, value := s.begin(t, false)
	s.wantCookie(t, value, "")
	s.keys = browserKeys(t, "8")
	s.wantCookie(t, value, errNotOurCookie.Error())
}

// A signing key may be shared with apps and other servers, and says nothing about
// cookies.
func TestACookieDoesNotDependOnTheSigningKey(t *testing.T) {
	a, b := browserKeys(t, "7"), browserKeys(t, "7")
	b.Ring = browserKeys(t, "8").Ring
	cookie := aCookie()
	value, err := a.Seal(cookie, atApp, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.OpenCookie(value, atApp); err != nil {
		t.Error(err)
	}
}

func TestACookieThatWasCutOrChangedDoesNotOpen(t *testing.T) {
	keys := browserKeys(t, "7")
	value, err := keys.Seal(aCookie(), atApp, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	refuse := func(what, value string) {
		t.Helper()
		if opened, err := keys.OpenCookie(value, atApp); err != errNotOurCookie || opened != nil {
			t.Errorf("%s: it opens, error %v", what, err)
		}
	}
	for i := range value {
		refuse(fmt.Sprintf("cut to %d", i), value[:i])
		refuse(fmt.Sprintf("without the first %d", i+1), value[i+1:])
	}
	box, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(box) * 8 {
		flipped := bytes.Clone(box)
		flipped[i/8] ^= 1 << (i % 8)
		refuse(fmt.Sprintf("bit %d flipped", i), base64.RawURLEncoding.EncodeToString(flipped))
	}
	refuse("twice", value+value)
	refuse("longer", value+"A")
	refuse("longer than any", value+strings.Repeat("A", maxCookieValue))
}

// A remembered cookie is found by its spelling, and a log or a filter knows it by that.
func TestACookieHasOneSpellingOnly(t *testing.T) {
	keys := browserKeys(t, "7")
	for scopes := range 3 { // all lengths modulo three
		cookie := aCookie()
		cookie.Scope = strings.Repeat("x", scopes+1)
		value, err := keys.Seal(cookie, atApp, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := keys.OpenCookie(value, atApp); err != nil {
			t.Fatal(err)
		}
		others := []string{
			value + "=", value + "==", value + "\r\n", value + "\n", "\n" + value, value[:40] + "\r\n" + value[40:], value[:40] + "\r" + value[40:],
			" " + value, value + " ", "\t" + value, `"` + value + `"`, value + "\x00", value[:40] + "%0A" + value[40:],
		}
		if standard := strings.NewReplacer("-", "+", "_", "/").Replace(value); standard != value {
			others = append(others, standard)
		}
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		for _, last := range alphabet { // unused bits at the end
			if last := string(last); last != value[len(value)-1:] {
				others = append(others, value[:len(value)-1]+last)
			}
		}
		for _, other := range others {
			if _, err := keys.OpenCookie(other, atApp); err == nil {
				t.Errorf("%q opens, which was sealed as %q", other, value)
			}
		}
	}
}

// What is sealed is our own, unless an earlier or later version made it.
func TestWhatWasSealedWithoutASessionDoesNotOpen(t *testing.T) {
	keys := browserKeys(t, "7")
	good := string(plainCookie(t, aCookie()))
	if _, err := keys.OpenCookie(sealPlain(keys, []byte(good)), atApp); err != nil {
		t.Fatal(err)
	}
	id := aCookie().SessionID
	for _, plain := range []string{
		"", "null", "[]", "{}", "1", `"x"`, good[:len(good)-1], good + "}",
		strings.Replace(good, id, "", 1), strings.Replace(good, id, id[:len(id)-1], 1), strings.Replace(good, id, "../"+id, 1),
		strings.Replace(good, `"sub":"alice"`, `"sub":""`, 1), strings.Replace(good, `"sub":"alice"`, `"sub":1`, 1),
		strings.Replace(good, `"cver":"version"`, `"cver":""`, 1), strings.Replace(good, `"exp":`, `"exp":-`, 1),
		strings.Replace(good, `"exp":`, `"Exp2":`, 1),
	} {
		if _, err := keys.OpenCookie(sealPlain(keys, []byte(plain)), atApp); err != errNotOurCookie {
			t.Errorf("%s opens: %v", plain, err)
		}
	}
}

func TestACookieThatBrowsersWouldDropIsAnErrorOfTheLogin(t *testing.T) {
	keys := browserKeys(t, "7")
	cookie := aCookie()
	longest := 0
	for n := 2000; n < 3000; n++ {
		cookie.Scope = strings.Repeat("s", n)
		value, err := keys.Seal(cookie, atApp, time.Now())
		if err != nil {
			if !strings.Contains(err.Error(), "shorten the scopes") {
				t.Errorf("the error does not say what to do: %v", err)
			}
			break
		}
		if _, err := keys.OpenCookie(value, atApp); err != nil {
			t.Fatalf("one of %d bytes was sealed, and does not open", len(value))
		}
		longest = len(value)
	}
	if longest < maxCookieValue-2 || longest > maxCookieValue {
		t.Errorf("the longest has %d bytes", longest)
	}
	name := strings.Repeat("n", 128+len("__Secure-")) // as long as a config allows
	if line := len(name) + len("=") + longest; line > 4096 {
		t.Errorf("with its name it has %d bytes, and browsers keep 4096", line)
	}
}

func TestAKeySetPrintsNothingOfTheKeyOfCookies(t *testing.T) {
	keys := browserKeys(t, "7")
	cookie, value := aCookie(), ""
	var err error
	if value, err = keys.Seal(cookie, atApp, time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.OpenCookie(value, atApp); err != nil {
		t.Fatal(err)
	}
	// the cipher has a copy of the key, which shows how it would be printed
	key := reflect.ValueOf(keys.cookies()).Elem().FieldByName("key")
	var material []byte
	for i := range key.Len() {
		material = append(material, byte(key.Index(i).Uint()))
	}
	if len(material) != 32 || bytes.Equal(material, make([]byte, 32)) {
		t.Fatal("the test does not know the key")
	}
	leaks := []string{
		string(material[:4]), fmt.Sprintf("%x", material[:4]), fmt.Sprintf("%X", material[:4]), fmt.Sprint(material[:4])[1:12],
		strings.TrimPrefix(fmt.Sprintf("%#v", material[:3]), "[]byte{")[:12],
	}
	for _, value := range []any{keys, *keys, &struct{ K KeySet }{*keys}, &Checker{Policy: &Policy{}}, keys.cookies} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			printed := fmt.Sprintf(verb, value)
			for _, leak := range leaks {
				if strings.Contains(printed, leak) {
					t.Errorf("%s of a %T prints the key: %.200s", verb, value, printed)
				}
			}
		}
	}
}

func TestWhenACookieExpiresAndWhenItIsDue(t *testing.T) {
	const day = 24 * time.Hour
	begins := time.Unix(1_800_000_000, 0)
	policy := BrowserPolicy{SessionTTL: 7 * day, IdleTTL: 12 * time.Hour, RememberTTL: 30 * day}
	for _, test := range []struct {
		name     string
		ends     time.Duration // of the session, as its login said
		sealed   time.Duration // how long after the login
		remember bool
		config   func(*BrowserPolicy) // since the login
		expires  time.Duration
		due      time.Duration // -1: never
	}{
		{"at the login", 7 * day, 0, false, nil, 12 * time.Hour, 72 * time.Minute},
		{"sealed anew", 7 * day, 5 * time.Hour, false, nil, 17 * time.Hour, 5*time.Hour + 72*time.Minute},
		{"the idle time goes beyond the session", 7 * day, 7*day - time.Hour, false, nil, 7 * day, 7*day + 12*time.Minute},
		{"remembered", 30 * day, 0, true, nil, 30 * day, -1},
		{"session_ttl was shortened", 7 * day, day, false, func(p *BrowserPolicy) { p.SessionTTL = 26 * time.Hour }, 26 * time.Hour, day + 72*time.Minute},
		{"session_ttl was lengthened", 7 * day, 7*day - time.Hour, false, func(p *BrowserPolicy) { p.SessionTTL = 90 * day }, 7 * day, 7*day + 12*time.Minute},
		{"idle_ttl was shortened", 7 * day, day, false, func(p *BrowserPolicy) { p.IdleTTL = time.Hour }, day + time.Hour, day + 6*time.Minute},
		{"idle_ttl is short", 7 * day, day, false, func(p *BrowserPolicy) { p.IdleTTL = 2 * time.Second }, day + 2*time.Second, day + time.Second},
		{"remember was shortened", 30 * day, 0, true, func(p *BrowserPolicy) { p.RememberTTL = 2 * day }, 2 * day, -1},
		{"remember was lengthened", 30 * day, 0, true, func(p *BrowserPolicy) { p.RememberTTL = 90 * day }, 30 * day, -1},
		{"remember was removed", 30 * day, 0, true, func(p *BrowserPolicy) { p.RememberTTL = 0 }, 12 * time.Hour, 72 * time.Minute},
		{"remember was removed, and it was sealed anew since", 30 * day, 6 * day, true, func(p *BrowserPolicy) { p.RememberTTL = 0 }, 6*day + 12*time.Hour, 6*day + 72*time.Minute},
		{"remember was removed, and session_ttl is over", 30 * day, 7 * day, true, func(p *BrowserPolicy) { p.RememberTTL = 0 }, 7 * day, 7*day + 72*time.Minute},
		{"remember is shorter than the session", 3 * time.Hour, 0, true, func(p *BrowserPolicy) { p.RememberTTL = 3 * time.Hour }, 3 * time.Hour, -1},
		{"remember was added after a login without", 7 * day, 0, false, func(p *BrowserPolicy) { p.RememberTTL = 90 * day }, 12 * time.Hour, 72 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			config := policy
			if test.config != nil {
				test.config(&config)
			}
			cookie := &SessionCookie{
				Begins: begins.Unix(), Ends: begins.Add(test.ends).Unix(), Sealed: begins.Add(test.sealed).Unix(), Remembered: test.remember,
			}
			if expires := config.Expires(cookie).Sub(begins); expires != test.expires {
				t.Errorf("it expires after %s, want %s", expires, test.expires)
			}
			due := time.Duration(-1)
			for _, at := range []time.Duration{test.due - time.Second, test.due} {
				if test.due >= 0 && config.isDue(cookie, begins.Add(at)) && due < 0 {
					due = at
				}
			}
			if test.due < 0 && config.isDue(cookie, begins.Add(100*day)) || due != test.due {
				t.Errorf("it is due after %s, want %s", due, test.due)
			}
		})
	}
}

// aCookie is always the same.
func aCookie() *SessionCookie {
	return &SessionCookie{
		SessionID: "20300102-" + strings.Repeat("0123456789", 4), Subject: "alice", CredentialVersion: "version", Scope: "read write",
		Begins: 1_893_456_000, Ends: 1_893_542_400, Sealed: 1_893_456_000,
	}
}

func plainCookie(t testing.TB, cookie *SessionCookie) []byte {
	plain, err := json.Marshal(cookie)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

// sealPlain seals what need not be a session.
func sealPlain(keys *KeySet, plain []byte) string {
	nonce := make([]byte, keys.cookies().NonceSize())
	return base64.RawURLEncoding.EncodeToString(keys.cookies().Seal(nonce, nonce, plain, atApp.bind()))
}
