package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// measureBrowser compares requests with the session cookie of a login page with the
// same requests with a remembered token, and the page itself with `respond`. All have
// the headers of a browser, and the app's own cookies.
func measureBrowser(ctx context.Context, b *bench) (findings, error) {
	s, err := b.start(ctx, setup{name: "browser", pinned: true, users: manyUsers, hash: bcrypted(thePassword, cheapCost), site: fmt.Sprintf(`token_endpoint {
		signing_key HS256
		users htpasswd users
		import client
		login_page
	}
	handle /plain {
		%s
	}
	@app path /app /token/login
	handle @app {
		bearer_auth
		%s
	}`, respondJSON(), respondJSON())})
	if err != nil {
		return findings{}, err
	}
	defer s.stop()

	issued, err := newClient().logIn(ctx, s.url("/token"), login("user0", thePassword))
	if err != nil {
		return findings{}, err
	}
	cookie, err := logInByPage(ctx, s.url("/token/login"), "user0", thePassword)
	if err != nil {
		return findings{}, err
	}
	asking := func(path, cookies, contains string, more map[string]string) plan {
		header := map[string]string{
			"Cookie": cookies, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty",
			"Accept-Language": "de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7",
		}
		for name, value := range more {
			header[name] = value
		}
		return saturating(plan{Method: http.MethodGet, URL: s.url(path), Header: header}, contains)
	}
	const own = "theme=dark; csrftoken=0123456789abcdef0123456789abcdef"
	token := map[string]string{"Authorization": "Bearer " + issued.Access}
	page := map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
	entries, err := b.speeds(ctx, []target{
		{"respond", groupLimits, &s.process, asking("/plain", own, `"access_token"`, nil)},
		{"bearer_auth, one token", groupOurs, &s.process, asking("/app", own, `"access_token"`, token)},
		{"bearer_auth, session cookie", groupOurs, &s.process, asking("/app", own+"; "+cookie, `"access_token"`, nil)},
		{"login page", groupOurs, &s.process, asking("/token/login", own, `name="password"`, page)},
	})
	if err != nil {
		return findings{}, err
	}
	return findings{Entries: entries, Figures: []figure{
		ratio("CPU per request: with one token / with a session cookie", times(entries[1], entries[2])...).atLeast(0.91),
		ratio("CPU per request: respond's / the login page's", entries[3].Share.Values...).atLeast(0.5),
	}}, nil
}

// logInByPage returns the session cookie that the page sets, with its name.
func logInByPage(ctx context.Context, address, username, password string) (string, error) {
	c := http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	form := url.Values{"username": {username}, "password": {password}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", formType)
	response, err := c.Do(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	set := response.Cookies()
	if response.StatusCode != http.StatusSeeOther || len(set) != 1 {
		return "", fmt.Errorf("the login page answers %s with %d cookies", response.Status, len(set))
	}
	return set[0].Name + "=" + set[0].Value, nil
}
