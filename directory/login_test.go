package directory

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
)

func bob() *User { return &User{Username: "bob", ID: "2", PasswordHash: someHash} }

func carol() *User { return &User{Username: "carol", ID: "3", PasswordHash: someHash} }

// How long an answer takes must not tell whether a name exists, nor where.
func TestALoginAsksAllSourcesWhateverTheName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := &fake{name: "users one", users: []*User{alice()}, ask: takes(30 * time.Millisecond)}
		two := &fake{name: "users two", users: []*User{bob()}, ask: takes(70 * time.Millisecond)}
		d, _ := userDirectory(t, file(t, "users file", carol()), one, two)
		for name, subject := range map[string]string{"alice": "1", "bob": "2", "carol": "3", "dave": "dave", "1": "1", "2": "2"} {
			begun := time.Now()
			user, err := d.ByUsername(t.Context(), name)
			if err != nil || (user != nil) != (len(name) > 1 && name != "dave") {
				t.Errorf("%s: %v, %v", name, user, err)
			}
			if took := time.Since(begun); took != 140*time.Millisecond {
				t.Errorf("%s takes %v", name, took)
			}
			for _, source := range []*fake{one, two} {
				names, subjects := source.asked()
				if !slices.Equal(names, []string{name}) || !slices.Equal(subjects, []string{subject}) {
					t.Errorf("%s: %s is asked for %q and %q", name, source, names, subjects)
				}
			}
		}
	})
}

func TestALoginWaitsAQuarterOfASecondForSourcesThatHaveNothingToSay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &fake{name: "users slow", users: []*User{bob()}, ask: takes(time.Second)}
		d, _ := userDirectory(t, file(t, "users file", alice()), slow)
		for name, want := range map[string]time.Duration{
			"alice": 2 * courtesy, // for the name, and for the subject
			"bob":   2 * time.Second,
			"carol": 2 * time.Second,
		} {
			begun := time.Now()
			if _, err := d.ByUsername(t.Context(), name); err != nil || time.Since(begun) != want {
				t.Errorf("%s takes %v, want %v: %v", name, time.Since(begun), want, err)
			}
		}
		slow.set(func() { slow.ask = down })
		begun := time.Now()
		user, err := d.ByUsername(t.Context(), "alice")
		wantUser(t, user, err, "alice")
		if time.Since(begun) != 0 {
			t.Error("it waits for a source that has failed")
		}
	})
}

func TestUsersOfSourcesBeforeAFailingOneAreServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failing := &fake{name: "users db", users: []*User{bob()}}
		d, _ := userDirectory(t, file(t, "users file", alice()), failing, file(t, "users later", carol()))
		recent := func(name, subject string) {
			user, err := d.RecentBySubject(t.Context(), subject)
			wantUser(t, user, err, name)
		}
		recent("carol", "3") // so that the source has said: no such
		failing.set(func() { failing.ask = down })

		user, err := d.ByUsername(t.Context(), "alice")
		wantUser(t, user, err, "alice")
		user, err = d.BySubject(t.Context(), "1")
		wantUser(t, user, err, "alice")
		for _, name := range []string{"bob", "carol", "unknown"} {
			user, err := d.ByUsername(t.Context(), name)
			wantUnavailable(t, user, err, "users db", errDown.Error())
		}
		user, err = d.BySubject(t.Context(), "2")
		wantUnavailable(t, user, err, "users db", errDown.Error())
		user, err = d.BySubject(t.Context(), "3") // a fresh "no such" says otherwise
		wantUser(t, user, err, "carol")
		recent("carol", "3")

		time.Sleep(DefaultMaxAge) // it is not fresh now
		user, err = d.BySubject(t.Context(), "3")
		wantUnavailable(t, user, err, "users db", errDown.Error())
		user, err = d.RecentBySubject(t.Context(), "3")
		wantUnavailable(t, user, err, "users db", errDown.Error())
		user, err = d.RecentBySubject(t.Context(), "1")
		wantUser(t, user, err, "alice")
	})
}

// A subject belongs to the first source that has it.
func TestASubjectOfTwoUsersIsFoundAtTheLogin(t *testing.T) {
	also := func(name string) *User { return &User{Username: name, ID: "1", PasswordHash: someHash} }
	for _, test := range []struct {
		name    string
		sources func() []Users
	}{
		{"a file before", func() []Users {
			return []Users{file(t, "users file", alice()), &fake{name: "users db", users: []*User{also("eve")}}}
		}},
		{"a file after", func() []Users {
			return []Users{&fake{name: "users db", users: []*User{alice()}}, file(t, "users file", also("eve"))}
		}},
		{"two databases", func() []Users {
			return []Users{&fake{name: "users db", users: []*User{alice()}}, &fake{name: "users file", users: []*User{also("eve")}}}
		}},
		{"one database", func() []Users { return []Users{&fake{name: "users db", users: []*User{alice(), also("eve")}}} }},
		{"a name that is an id", func() []Users {
			return []Users{&fake{name: "users db", users: []*User{{Username: "alice", ID: "eve", PasswordHash: someHash}, {Username: "eve", PasswordHash: someHash}}}}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, logs := userDirectory(t, test.sources()...)
			user, err := d.ByUsername(t.Context(), "alice")
			wantUser(t, user, err, "alice")
			for range 3 {
				user, check, err := d.ForLogin(t.Context(), "eve", testDecoys)
				if _, duplicate := err.(DuplicateSubject); user != nil || !duplicate {
					t.Fatalf("%v, %v", user, err)
				}
				if check.BySource() || check.Hash.Matches("correct horse") {
					t.Error("the password is not checked with a decoy")
				}
			}
			if logs.Len() != 1 || logs.FilterLevelExact(zap.ErrorLevel).Len() != 1 || !strings.Contains(logs.All()[0].ContextMap()["remedy"].(string), "users db") {
				t.Errorf("log: %v", logs.All())
			}
			user, err = d.BySubject(t.Context(), user1(t, d).Subject())
			wantUser(t, user, err, "alice")
		})
	}
}

func user1(t *testing.T, d *UserDirectory) *User {
	t.Helper()
	user, err := d.ByUsername(t.Context(), "alice")
	wantUser(t, user, err, "alice")
	return user
}

// A user whose name an earlier source has is hidden, with tokens too.
func TestANameInAnEarlierSourceHidesALaterOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		early := &fake{name: "users early"}
		late := &fake{name: "users late", users: []*User{alice()}}
		d, _ := userDirectory(t, early, late)
		for _, ask := range []func(string) (*User, error){
			func(sub string) (*User, error) { return d.BySubject(t.Context(), sub) },
			func(sub string) (*User, error) { return d.RecentBySubject(t.Context(), sub) },
		} {
			early.set(func() { early.users = nil })
			time.Sleep(DefaultMaxAge)
			user, err := ask("1")
			wantUser(t, user, err, "alice")
			early.set(func() { early.users = []*User{{Username: "alice", ID: "another", PasswordHash: someHash}} })
			time.Sleep(DefaultMaxAge)
			user, err = ask("1")
			wantUser(t, user, err, "")
			user, err = ask("another")
			wantUser(t, user, err, "alice")
		}
		user, err := d.ByUsername(t.Context(), "alice")
		if wantUser(t, user, err, "alice"); user.ID != "another" {
			t.Errorf("id %s", user.ID)
		}
	})
}

// A user whom a source has by name only would log in to tokens that nothing accepts.
func TestAUserWithoutASubjectIsUnavailable(t *testing.T) {
	d, _ := userDirectory(t, nameOnly{&fake{name: "users db", users: []*User{alice()}}})
	user, err := d.ByUsername(t.Context(), "alice")
	wantUnavailable(t, user, err, "users db", "not by subject")
}

type nameOnly struct{ *fake }

func (nameOnly) BySubject(context.Context, string) (*User, error) { return nil, nil }
