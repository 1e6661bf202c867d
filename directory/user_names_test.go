package directory

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestANameIsThatOfAUserByUsernameOrSubject(t *testing.T) {
	hidden := &User{Username: "alice", ID: "2", PasswordHash: someHash}
	disabled := &User{Username: "dora", Disabled: true, PasswordHash: someHash}
	db := &fake{name: "db", users: []*User{{Username: "bob", ID: "7", PasswordHash: someHash}}}
	d, _ := userDirectory(t, file(t, "first", alice()), file(t, "second", hidden, disabled), db)
	for name, known := range map[string]bool{"alice": true, "1": true, "2": true, "dora": true, "bob": false, "7": false} {
		if d.KnownName(name) != known {
			t.Errorf("%s is known %t", name, !known)
		}
		for how, has := range map[string]func() (bool, error){
			"now":      func() (bool, error) { return d.HasName(t.Context(), name) },
			"recently": func() (bool, error) { return d.RecentlyHasName(t.Context(), name) },
		} {
			if named, err := has(); !named || err != nil {
				t.Errorf("%s, %s: %t, %v", name, how, named, err)
			}
		}
	}
	for _, name := range []string{"Alice", "alice ", "3", "carol"} {
		if named, err := d.HasName(t.Context(), name); named || err != nil || d.KnownName(name) {
			t.Errorf("%q is that of a user: %v", name, err)
		}
	}
}

// Whether a client is named like a user is not guessed.
func TestASourceThatCannotTellLeavesOpenWhoseNameItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := &fake{name: "db"}
		d, _ := userDirectory(t, file(t, "first", alice()), db)
		if named, err := d.RecentlyHasName(t.Context(), "backup"); named || err != nil {
			t.Fatal(named, err)
		}
		db.asked()
		for range 100 { // as often as a client sends its token
			if named, err := d.RecentlyHasName(t.Context(), "backup"); named || err != nil {
				t.Fatal(named, err)
			}
		}
		if names, subjects := db.asked(); len(names) > 1 || len(subjects) > 1 {
			t.Errorf("it was asked %d times", len(names)+len(subjects))
		}

		db.set(func() { db.ask = down })
		time.Sleep(time.Minute) // what it said is old
		for _, has := range []func() (bool, error){
			func() (bool, error) { return d.HasName(t.Context(), "backup") },
			func() (bool, error) { return d.RecentlyHasName(t.Context(), "backup") },
		} {
			if named, err := has(); named || err == nil {
				t.Errorf("it says %t, %v", named, err)
			}
		}
		if named, err := d.HasName(t.Context(), "alice"); !named || err != nil {
			t.Errorf("a user of an earlier source: %t, %v", named, err)
		}

		db.set(func() { db.ask, db.users = nil, []*User{{Username: "backup", ID: "9", PasswordHash: someHash}} })
		time.Sleep(time.Minute)
		if named, err := d.RecentlyHasName(t.Context(), "backup"); !named || err != nil {
			t.Errorf("a user who came later: %t, %v", named, err)
		}
		synctest.Wait()
	})
}

func TestAClientMayActForItselfOnlyWhereItsListSaysSo(t *testing.T) {
	const grant = "client_credentials"
	for _, test := range []struct {
		grants []string
		may    bool
	}{{nil, false}, {[]string{}, false}, {[]string{"password"}, false}, {[]string{grant}, true}, {[]string{"password", grant}, true}} {
		options := Options{GrantTypes: []string{"password", grant}}
		client := &Client{ID: "backup", Secret: "a long secret", Grants: test.grants}
		set := NewClientSet(options)
		if err := set.Add(client, 1); err != nil {
			t.Fatal(err)
		}
		d, err := NewClientDirectory([]Clients{set}, Settings{Options: options})
		if err != nil || client.MayUse(grant) != test.may || d.AnyMayAct() != test.may {
			t.Errorf("grants %q: may %t, machines %t, %v", test.grants, client.MayUse(grant), d.AnyMayAct(), err)
		}
		public := &Client{ID: "cli", Public: true, Grants: test.grants}
		if err := public.Validate(options); (err == nil) == test.may {
			t.Errorf("a public client with grants %q: %v", test.grants, err)
		}
	}
	if d := clientDirectory(t, &fakeClients{name: "clients db"}); !d.AnyMayAct() {
		t.Error("a database may have such clients")
	}
}
