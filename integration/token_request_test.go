package integration

import (
	"net/http"
	"testing"
)

// Section A of the conformance list: the token request.
func TestTokenRequests(t *testing.T) {
	s := start(t, basicSite)

	for _, method := range []string{"GET", "PUT", "HEAD", "DELETE", "PATCH"} {
		t.Run("A1: "+method+" is answered 405 and names POST", func(t *testing.T) {
			a := s.do(s.request(method, "/token", ""))
			if a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") != "POST" {
				t.Fatalf("got %d, Allow %q", a.status, a.header.Get("Allow"))
			}
		})
	}
	t.Run("a correct login gets a token", func(t *testing.T) {
		s.login("alice", "correct horse").want(t, 200, "")
	})
}
