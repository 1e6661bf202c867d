package caddygrant

import (
	"net/http"
	"strings"
	"testing"
)

// G9: whatever else is wrong at that moment, a refresh token that was used before ends
// its session.
func TestAReusedTokenIsNoticedWhereNoAccessTokenCanBeMade(t *testing.T) {
	site := newSpeedSite(t, "HS256")
	want := func(token string, code int, what string) (next string) {
		t.Helper()
		w := site.send(t, speedRefreshForm(token))
		if w.Code != code {
			t.Errorf("%s is answered %d, want %d", what, w.Code, code)
		}
		return site.tokens(t, w).RefreshToken
	}
	spent, unused := site.login(t).RefreshToken, site.login(t).RefreshToken
	next := want(spent, http.StatusOK, "the first use")

	server := site.endpoint.server
	server.policy.Audience = []string{strings.Repeat("a", 8<<10)} // makes access tokens too long
	want(unused, http.StatusInternalServerError, "a good token")
	want(spent, http.StatusBadRequest, "the second use")

	server.policy.Audience = nil
	want(next, http.StatusBadRequest, "what the first use gave")
	want(unused, http.StatusOK, "the good token, which was not consumed,")
}
