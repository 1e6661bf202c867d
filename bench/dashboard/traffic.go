package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

// tokens are what a login or a refresh answered.
type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

// visitors send requests as users, apps and attackers do.
type visitors struct {
	base   string
	key    string // of a script
	client http.Client

	mu       sync.Mutex
	sessions []tokens
}

// kind is something that is done over and over.
type kind struct {
	perSecond   float64
	from, until float64 // parts of the run
	do          func(context.Context)
}

// traffic sends requests of all kinds until the time is over, and does to the users
// file and the storage what happens to them: the storage is away for a while, users are
// added, and at last someone writes a broken line, while an attack goes on.
func (r *theRun) traffic(ctx context.Context, length time.Duration) error {
	v := &visitors{base: "http://" + r.caddy, key: r.key}
	v.client.Timeout = 15 * time.Second
	v.client.Transport = &http.Transport{MaxIdleConnsPerHost: 200}
	defer v.client.CloseIdleConnections()

	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	var all sync.WaitGroup
	for _, k := range v.kinds() {
		all.Go(func() { k.repeat(ctx, length) })
	}
	var failed []error
	for _, event := range []struct {
		at float64
		do func() error
	}{
		{.18, func() error { return r.storageAway(true) }},
		{.28, func() error { return r.storageAway(false) }},
		{.40, func() error { return v.reuse(ctx) }},
		{.45, func() error { return r.writeUsers(60) }},
		{.70, func() error { return v.reuse(ctx) }},
		{.82, func() error { return r.replaceUsers("user0:" + r.hashes[0] + "\nuser1 has no hash\n") }},
	} {
		all.Go(func() {
			if pause(ctx, time.Duration(event.at*float64(length))) {
				if err := event.do(); err != nil {
					v.mu.Lock()
					failed = append(failed, err)
					v.mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	return errors.Join(failed...)
}

func (v *visitors) kinds() []kind {
	bearer := func(path string, token func() string) func(context.Context) {
		return func(ctx context.Context) { v.check(ctx, path, token()) }
	}
	good := func() string { return v.some().Access }
	none := func() string { return "" }
	forged := func() string { return "forged" }
	key := func() string { return v.key }
	return []kind{
		{3, 0, 1, func(ctx context.Context) { v.login(ctx, "app", anyUser(), thePassword, address(10)) }},
		{1, 0, 1, func(ctx context.Context) { v.login(ctx, "web", anyUser(), thePassword, "192.0.2.1") }},
		{.3, 0, 1, func(ctx context.Context) { v.login(ctx, "app", anyUser(), thePassword+"r", address(10)) }},
		{2, 0, 1, v.refresh},
		{.2, 0, 1, v.logOut},
		{.5, 0, 1, v.introspect},
		{.3, 0, 1, func(ctx context.Context) { v.get(ctx, "/token/jwks") }},
		{.1, 0, 1, func(ctx context.Context) { v.get(ctx, "/.well-known/oauth-authorization-server") }},
		{15, 0, 1, bearer("/app", good)},
		{1, 0, 1, bearer("/app", none)},
		{.3, 0, 1, bearer("/app", forged)},
		{.5, 0, 1, bearer("/write", good)},
		{1, 0, 1, bearer("/open", none)},
		{2, 0, 1, bearer("/trial", good)},
		{.5, 0, 1, bearer("/trial", none)},
		{.1, 0, 1, bearer("/script", key)},
		// the attack: many addresses, names that exist and names that do not
		{30, .58, 1, func(ctx context.Context) {
			v.login(ctx, "app", fmt.Sprintf("user%d", rand.IntN(200)), fmt.Sprint("guess", rand.Int()), address(12))
		}},
	}
}

// repeat does it at once and then at random moments, each time in a goroutine of its own:
// one that waits keeps no other from coming.
func (k kind) repeat(ctx context.Context, length time.Duration) {
	var all sync.WaitGroup
	defer all.Wait()
	if !pause(ctx, time.Duration(k.from*float64(length))) {
		return
	}
	for over := time.Now().Add(time.Duration((k.until - k.from) * float64(length))); time.Now().Before(over); {
		all.Go(func() { k.do(ctx) })
		if !pause(ctx, time.Duration(rand.ExpFloat64()/k.perSecond*float64(time.Second))) {
			return
		}
	}
}

// pause is false if ctx ended before.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// storageAway puts a file where the storage is, and takes it away again.
func (r *theRun) storageAway(away bool) error {
	if away {
		if err := os.Rename(r.path("storage"), r.path("storage.away")); err != nil {
			return err
		}
		return os.WriteFile(r.path("storage"), nil, 0o600)
	}
	if err := os.Remove(r.path("storage")); err != nil {
		return err
	}
	return os.Rename(r.path("storage.away"), r.path("storage"))
}

func anyUser() string { return fmt.Sprintf("user%d", rand.IntN(40)) }

// address is one of n.
func address(n int) string { return fmt.Sprintf("198.51.100.%d", 1+rand.IntN(n)) }

// some is one of the sessions, without a token if there is none.
func (v *visitors) some() tokens {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.sessions) == 0 {
		return tokens{}
	}
	return v.sessions[rand.IntN(len(v.sessions))]
}

// take is one of the sessions, which nobody else uses from then on.
func (v *visitors) take() (t tokens) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if n := len(v.sessions); n > 0 {
		i := rand.IntN(n)
		t, v.sessions[i] = v.sessions[i], v.sessions[n-1]
		v.sessions = v.sessions[:n-1]
	}
	return t
}

func (v *visitors) keep(t tokens) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if t.Access != "" && len(v.sessions) < 200 {
		v.sessions = append(v.sessions, t)
	}
}

func (v *visitors) login(ctx context.Context, client, user, password, from string) {
	form := url.Values{"grant_type": {"password"}, "client_id": {client}, "username": {user}, "password": {password}}
	if client == "web" {
		form.Set("client_secret", "web-secret")
		v.post(ctx, "/token", form, from)
		return
	}
	v.keep(v.post(ctx, "/token", form, from))
}

// post sends a form that came over HTTPS from that address.
func (v *visitors) post(ctx context.Context, path string, form url.Values, from string) (t tokens) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, v.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		return t
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("X-Forwarded-For", from)
	request.Header.Set("X-Forwarded-Proto", "https")
	_ = json.Unmarshal(v.send(request), &t)
	return t
}

// send returns the body of the answer, and nothing if there is none.
func (v *visitors) send(request *http.Request) []byte {
	response, err := v.client.Do(request)
	if err != nil {
		return nil
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return body
}

// refresh keeps the old tokens where it gets no new ones.
func (v *visitors) refresh(ctx context.Context) {
	t := v.take()
	if t.Refresh == "" {
		return
	}
	if next := v.exchange(ctx, t); next.Access != "" {
		t = next
	}
	v.keep(t)
}

func (v *visitors) exchange(ctx context.Context, t tokens) tokens {
	return v.post(ctx, "/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {"app"}, "refresh_token": {t.Refresh}}, address(10))
}

// reuse is a thief who has a refresh token that was used already.
func (v *visitors) reuse(ctx context.Context) error {
	stolen := v.post(ctx, "/token", url.Values{"grant_type": {"password"}, "client_id": {"app"}, "username": {"user1"}, "password": {thePassword}}, "198.51.100.1")
	if stolen.Refresh == "" {
		return errors.New("no login for a refresh token to be stolen")
	}
	v.exchange(ctx, stolen)
	v.exchange(ctx, stolen)
	return nil
}

func (v *visitors) logOut(ctx context.Context) {
	v.post(ctx, "/token/revoke", url.Values{"client_id": {"app"}, "token": {v.take().Refresh}}, address(10))
}

func (v *visitors) introspect(ctx context.Context) {
	v.post(ctx, "/token/introspect", url.Values{"client_id": {"web"}, "client_secret": {"web-secret"}, "token": {v.some().Access}}, "192.0.2.1")
}

func (v *visitors) get(ctx context.Context, path string) { v.check(ctx, path, "") }

func (v *visitors) check(ctx context.Context, path, token string) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, v.base+path, nil)
	if err != nil {
		return
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	v.send(request)
}
