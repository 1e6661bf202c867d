package password

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestWhatMatchedOutsideIsRememberedForItsUserVersionAndPassword(t *testing.T) {
	v := NewVerifier(nil) // nothing is hashed
	v.SetCacheTTL(time.Minute)
	asked := 0
	verify := func(keep bool, password string, under ...string) Result {
		t.Helper()
		result, err := v.VerifyOutside(t.Context(), Outside{Under: under, Password: password, Keep: keep, Compare: func(context.Context) (bool, error) {
			asked++
			return password == horse, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	for i, test := range []struct {
		keep     bool
		password string
		under    []string
		want     Result
	}{
		{true, horse, []string{"server", "ldap", "alice", "7"}, Result{Matches: true}},
		{true, horse, []string{"server", "ldap", "alice", "7"}, Result{Matches: true, Cached: true}},
		{true, horse, []string{"server", "ldap", "alice", "8"}, Result{Matches: true}},
		{true, horse, []string{"server", "ldap", "bob", "7"}, Result{Matches: true}},
		{true, horse, []string{"server", "other", "alice", "7"}, Result{Matches: true}},
		{true, horse, []string{"other", "ldap", "alice", "7"}, Result{Matches: true}},
		{true, horse, []string{"server", "ldap", "alice7", ""}, Result{Matches: true}},
		{true, "wrong", []string{"server", "ldap", "alice", "7"}, Result{}},
		{true, "wrong", []string{"server", "ldap", "alice", "7"}, Result{}}, // what was refused is asked again
		{false, horse, []string{"server", "ldap", "alice", "7"}, Result{Matches: true}},
		{false, horse, []string{"server", "ldap", "dave", "7"}, Result{Matches: true}},
		{true, horse, []string{"server", "ldap", "dave", "7"}, Result{Matches: true}}, // a disabled user left nothing
	} {
		before := asked
		if got := verify(test.keep, test.password, test.under...); got != test.want || (asked == before) != test.want.Cached {
			t.Errorf("%d: %+v, asked %d times", i, got, asked-before)
		}
	}
	v.SetCacheTTL(0)
	if got := verify(true, horse, "server", "ldap", "alice", "7"); got.Cached {
		t.Error("it is remembered though the cache is off")
	}
}

func TestAFailureOutsideIsNotRemembered(t *testing.T) {
	v := NewVerifier(nil)
	v.SetCacheTTL(time.Minute)
	down := errors.New("down")
	for _, want := range []error{down, nil} {
		result, err := v.VerifyOutside(t.Context(), Outside{Under: []string{"alice"}, Password: horse, Keep: true, Compare: func(context.Context) (bool, error) {
			return true, want
		}})
		if err != want || result.Matches != (want == nil) || result.Cached {
			t.Errorf("%+v, %v", result, err)
		}
	}
}
