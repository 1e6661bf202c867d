package caddygrant

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// G9: whatever else is wrong at that moment, a refresh token that was used before ends its session.
func TestAReusedTokenIsNoticedWhereNoAccessTokenCanBeMade(t *testing.T) {
	site := newSpeedSite(t, "HS256")
	refresh := func(token string) (int, string) {
		w := httptest.NewRecorder()
		form := "grant_type=refresh_token&client_id=web&client_secret=s3cret&refresh_token=" + url.QueryEscape(token)
		r := httptest.NewRequest(http.MethodPost, "http://localhost/token", strings.NewReader(form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if err := site.endpoint.ServeHTTP(w, prepared(r, w), noNext); err != nil {
			t.Fatal(err)
		}
		return w.Code, site.tokens(t, w).RefreshToken
	}
	want := func(token string, code int, what string) (next string) {
		t.Helper()
		got, next := refresh(token)
		if got != code {
			t.Errorf("%s is answered %d, want %d", what, got, code)
		}
		return next
	}
	spent, unused := site.login(t).RefreshToken, site.login(t).RefreshToken
	next := want(spent, http.StatusOK, "the first use")

	server := site.endpoint.server
	server.Audience = []string{strings.Repeat("a", 8<<10)} // makes access tokens too long
	want(unused, http.StatusInternalServerError, "a good token")
	want(spent, http.StatusBadRequest, "the second use")

	server.Audience = nil
	want(next, http.StatusBadRequest, "what the first use gave")
	want(unused, http.StatusOK, "the good token, which was not consumed,")
}
