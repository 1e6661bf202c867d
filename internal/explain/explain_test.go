package explain

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/adminapi"
	"github.com/caddygrant/caddy-grant/internal/token"
)

func TestNoCheckPassesWhileThereAreNoKeys(t *testing.T) {
	s := &Server{Checker: &token.Checker{
		Policy: &token.Policy{Server: "default"}, Keys: func(context.Context) *token.KeySet { return nil },
		Users: new(directory.UserDirectory), Clients: new(directory.ClientDirectory),
	}}
	x := s.Token(t.Context(), adminapi.ExplainRequest{Token: "a password that was pasted"})
	if x.Active || len(x.Checks) != 1 || x.Checks[0].Passed || x.Checks[0].Check != checkKeys || !strings.Contains(x.Checks[0].Remedy, "try again") {
		t.Errorf("it says %+v", x)
	}
}

func TestAReasonWithoutWordsIsStillTheReason(t *testing.T) {
	f := &facts{decoded: Decode("a.b.c")}
	x := f.explain(accessTokenChecks, token.Error("of a later version"))
	if x.Active || len(x.Checks) != 1 || x.Checks[0].Found != "of a later version" {
		t.Errorf("it says %+v", x)
	}
}

func TestCleanFindsTheTokenInWhatPeoplePaste(t *testing.T) {
	for _, input := range []string{
		"a.b.c", " a.b.c\n", `"a.b.c"`, "Bearer a.b.c", "authorization: bearer  a.b.c\r\n", "'Authorization: Bearer a.b.c'",
		`{"token_type":"Bearer","access_token":"a.b.c"}`,
	} {
		if got := Clean(input); got != "a.b.c" {
			t.Errorf("%q gives %q", input, got)
		}
	}
}

// Whatever a token is, there is an explanation: it ends with the check that fails, or
// all pass. What is not a JWT is not repeated.
func FuzzExplanation(f *testing.F) {
	for _, raw := range []string{"", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "eyJhbGciOiJFUzI1NiIsImtpZCI6MX0.bnVsbA.AA", strings.Repeat("x", 200)} {
		f.Add(raw)
	}
	verifier := Verifier{Keys: jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{}}}}
	f.Fuzz(func(t *testing.T, raw string) {
		raw = Clean(raw)
		x := verifier.Token(raw)
		if len(x.Checks) == 0 || x.Active {
			t.Fatalf("it says %+v", x)
		}
		for i, check := range x.Checks {
			if last := i == len(x.Checks)-1; check.Passed == last || check.Found == "" || last != (check.Remedy != "") {
				t.Fatalf("check %d says %+v", i, check)
			}
			if len(raw) > 12 && Decode(raw).Header == nil && strings.Contains(check.Found+check.Remedy, raw) {
				t.Fatalf("it repeats %q", raw)
			}
		}
	})
}

func TestATimeWithinTheLeewayIsNotTheOtherSideOfIt(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for got, want := range map[string]string{
		expiry(now, now.Unix()+2, time.Minute):    "it expires 2 seconds from now (2027-01-15T08:00:02Z)",
		expiry(now, now.Unix()-2, time.Minute):    "it expired 2 seconds ago (2027-01-15T07:59:58Z), within the leeway of 1m0s",
		expiry(now, now.Unix()-2, 0):              "it expired 2 seconds ago (2027-01-15T07:59:58Z)",
		beginning(now, now.Unix()-2, time.Minute): "it became valid 2 seconds ago (2027-01-15T07:59:58Z)",
		beginning(now, now.Unix()+2, time.Minute): "it becomes valid 2 seconds from now (2027-01-15T08:00:02Z), within the leeway of 1m0s",
	} {
		if got != want {
			t.Errorf("it says %q, want %q", got, want)
		}
	}
}
