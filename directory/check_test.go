package directory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddygrant/caddy-grant/internal/password"
)

// binding is a source that checks passwords itself: each user's is the name backwards.
type binding struct {
	*fake
	binds func(u *User, password string) (bool, error)
}

func (b binding) CheckPassword(_ context.Context, u *User, password string) (bool, error) {
	return b.binds(u, password)
}

func ldapUser(name string) *User { return &User{Username: name, CredentialVersion: "20261128120000Z"} }

func TestASourceChecksThePasswordsOfItsUsers(t *testing.T) {
	var asked []*User
	source := binding{&fake{name: "users ldap", users: []*User{ldapUser("alice")}}, func(u *User, password string) (bool, error) {
		asked = append(asked, u)
		return password == "correct horse", nil
	}}
	d, _ := userDirectory(t, source)
	user, check, err := d.ForLogin(t.Context(), "alice", testDecoys)
	wantUser(t, user, err, "alice")
	under := check.Remembered()
	if !check.BySource() || len(under) != 3 || !strings.HasPrefix(under[0], "users ldap ") || !slices.Equal(under[1:], []string{"alice", "20261128120000Z"}) {
		t.Errorf("check %+v, remembered under %q", check, under)
	}
	next, _ := userDirectory(t, source) // it may ask another server now
	if _, check, _ := next.ForLogin(t.Context(), "alice", testDecoys); check.Remembered()[0] == under[0] {
		t.Error("the source of another config has the same identity")
	}
	for _, test := range []struct {
		password string
		right    bool
		asks     bool
	}{
		{"correct horse", true, true},
		{"wrong", false, true},
		{"", false, false}, // an LDAP bind would succeed
		{"correct\x00horse", false, false},
		{strings.Repeat("x", password.MaxLength), false, true},
		{strings.Repeat("x", password.MaxLength+1), false, false},
	} {
		asked = nil
		right, err := check.Password(t.Context(), test.password)
		if err != nil || right != test.right || (len(asked) == 1) != test.asks {
			t.Errorf("%.20q: %v, %v, asked %v", test.password, right, err, asked)
		}
		if test.asks && (!asked[0].equal(user) || asked[0] == user) {
			t.Errorf("asked for %v, want a copy of the user", asked[0])
		}
	}

	// the only users there are, so every decoy is the source's
	asked = nil
	user, check, err = d.ForLogin(t.Context(), "unknown", testDecoys)
	wantUser(t, user, err, "")
	if right, err := check.Password(t.Context(), "correct horse"); right || err != nil {
		t.Errorf("an unknown name is accepted: %v, %v", right, err)
	}
	if !check.BySource() || check.Remembered() != nil || len(asked) != 1 || asked[0] != nil {
		t.Errorf("check %+v, asked %v", check, asked)
	}
}

// What it wrote would be in tokens, and was never validated.
func TestACheckOfAPasswordChangesNoUser(t *testing.T) {
	known := ldapUser("alice")
	known.Scopes, known.Claims = []string{"a"}, map[string]json.RawMessage{"group": json.RawMessage(`"staff"`)}
	source := binding{&fake{name: "users ldap", users: []*User{known}}, func(u *User, _ string) (bool, error) {
		u.ID, u.Scopes[0], u.Claims["sub"] = "root", "admin", json.RawMessage(`"root"`)
		copy(u.Claims["group"], `"wheel"`)
		return true, nil
	}}
	d, _ := userDirectory(t, source)
	user, check, err := d.ForLogin(t.Context(), "alice", testDecoys)
	wantUser(t, user, err, "alice")
	if right, err := check.Password(t.Context(), "x"); !right || err != nil {
		t.Fatal(right, err)
	}
	if !user.equal(known) || user.Scopes[0] != "a" || string(user.Claims["group"]) != `"staff"` {
		t.Errorf("the user is now %+v", user)
	}
}

func TestASourceThatCannotCheckAPasswordIsUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		over := make(chan struct{})
		how := func() (bool, error) { return true, errDown }
		source := binding{&fake{name: "users ldap", users: []*User{ldapUser("alice")}}, func(*User, string) (bool, error) { return how() }}
		d, _ := userDirectory(t, source)
		_, check, err := d.ForLogin(t.Context(), "alice", testDecoys)
		if err != nil {
			t.Fatal(err)
		}
		fails := func(why string) {
			t.Helper()
			if right, err := check.Password(t.Context(), "x"); right || err == nil || !strings.HasPrefix(err.Error(), "users ldap: ") || !strings.Contains(err.Error(), why) {
				t.Errorf("%v, %v", right, err)
			}
		}
		fails(errDown.Error())
		how = func() (bool, error) { panic("nil pointer") }
		fails("panicked")
		how = func() (bool, error) { <-over; return true, nil }
		for range maxCalls {
			go func() { _, _ = check.Password(t.Context(), "x") }()
		}
		synctest.Wait()
		fails("too many")
		// binds that hang hold up no look-up
		user, err := d.RecentBySubject(t.Context(), "alice")
		wantUser(t, user, err, "alice")
		close(over)
	})
}

// sampled is a source that says what its hashes are like.
type sampled struct {
	*fake
	hashes []string
}

func (s sampled) DecoyHashes() iter.Seq[string] { return slices.Values(s.hashes) }

func TestUnknownNamesCostWhatTheHashesOfASourceCost(t *testing.T) {
	drawn := func(d *UserDirectory) map[string]int {
		n := make(map[string]int)
		for i := range 1000 {
			check := d.decoy(fmt.Sprint("name", i), testDecoys)
			if check.BySource() {
				n["bind"]++
				continue
			}
			n[check.Hash.Params().String()]++
		}
		return n
	}
	about := func(t *testing.T, got map[string]int, want map[string]int) {
		t.Helper()
		if len(got) != len(want) {
			t.Errorf("drawn: %v", got)
		}
		for kind, n := range want {
			if got[kind] < n-80 || got[kind] > n+80 {
				t.Errorf("%s: %d of 1000 names, want about %d", kind, got[kind], n)
			}
		}
	}
	t.Run("its samples", func(t *testing.T) {
		d, _ := userDirectory(t, sampled{&fake{name: "users db", users: []*User{alice()}}, []string{otherHash, otherHash, otherHash, someHash}})
		about(t, drawn(d), map[string]int{"bcrypt cost 4": 750, "bcrypt cost 10": 250})
		user1(t, d) // counts nothing: the samples do
		about(t, drawn(d), map[string]int{"bcrypt cost 4": 750, "bcrypt cost 10": 250})
	})
	t.Run("a sample that is no hash refuses the config, and is not told", func(t *testing.T) {
		_, err := NewUserDirectory([]Users{sampled{&fake{name: "users db"}, []string{"s3cret"}}}, Settings{})
		if err == nil || !strings.HasPrefix(err.Error(), "users db: ") || strings.Contains(err.Error(), "s3cret") {
			t.Error(err)
		}
	})
	t.Run("no samples are not counted", func(t *testing.T) {
		d, _ := userDirectory(t, sampled{&fake{name: "users db", users: []*User{alice()}}, nil})
		user1(t, d)
		about(t, drawn(d), map[string]int{"bcrypt cost 10": 1000})
	})
	t.Run("the hashes it has returned", func(t *testing.T) {
		source := &fake{name: "users db"}
		d, _ := userDirectory(t, source)
		about(t, drawn(d), map[string]int{"argon2id m=47104,t=1,p=1": 1000}) // nothing is known yet
		for i := range 4 {
			user := &User{Username: fmt.Sprint("user", i), PasswordHash: otherHash}
			if i == 0 {
				user.PasswordHash = someHash
			}
			source.users = append(source.users, user)
			for range 3 {
				if _, err := d.ByUsername(t.Context(), user.Username); err != nil {
					t.Fatal(err)
				}
			}
		}
		about(t, drawn(d), map[string]int{"bcrypt cost 4": 750, "bcrypt cost 10": 250})
		source.users[0].PasswordHash = otherHash // a new password
		if _, err := d.ByUsername(t.Context(), "user0"); err != nil {
			t.Fatal(err)
		}
		about(t, drawn(d), map[string]int{"bcrypt cost 4": 1000})
	})
	t.Run("together with a file and a source that checks itself", func(t *testing.T) {
		ldap := binding{&fake{name: "users ldap"}, func(*User, string) (bool, error) { return false, nil }}
		d, _ := userDirectory(t, file(t, "users file", alice(), bob()), ldap)
		for i := range 2 {
			ldap.users = append(ldap.users, ldapUser(fmt.Sprint("user", i)))
			if _, err := d.BySubject(t.Context(), fmt.Sprint("user", i)); err != nil {
				t.Fatal(err)
			}
		}
		about(t, drawn(d), map[string]int{"bcrypt cost 10": 500, "bind": 500})
		for i := range 100 { // each is always the same
			name := fmt.Sprint("name", i)
			first, second := d.decoy(name, testDecoys), d.decoy(name, testDecoys)
			if first.BySource() != second.BySource() {
				t.Fatal(name)
			}
		}
	})
}

// decoying is a source whose DecoyHashes do what a test says.
type decoying struct {
	*fake
	hashes iter.Seq[string]
}

func (d decoying) DecoyHashes() iter.Seq[string] { return d.hashes }

// Neither ends the process, nor holds up a config for ever.
func TestSamplesThatPanicOrNeverEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		load := func(hashes iter.Seq[string]) error {
			_, err := NewUserDirectory([]Users{decoying{&fake{name: "users db"}, hashes}}, Settings{})
			return err
		}
		err := load(func(func(string) bool) { panic("nil pointer") })
		wantUnavailable(t, nil, err, "users db", "panicked")
		if err := load(func(yield func(string) bool) {
			for yield(someHash) {
			}
		}); err != nil || time.Since(begun) != 0 {
			t.Error(err)
		}
		over := make(chan struct{})
		err = load(func(func(string) bool) { <-over })
		if took := time.Since(begun); took != patience {
			t.Errorf("it took %v", took)
		}
		wantUnavailable(t, nil, err, "users db", "no answer")
		close(over)
	})
}

// After a reload nothing is known of a source that checks itself and cannot list. It
// must not be one in hundreds then, or whatever takes as long as a bind exists.
func TestASourceThatChecksAndIsNotCountedWeighsAsMuchAsAllOthers(t *testing.T) {
	many := make([]*User, 200)
	for i := range many {
		many[i] = &User{Username: fmt.Sprint("user", i), PasswordHash: someHash}
	}
	never := func(*User, string) (bool, error) { return false, nil }
	binds := func(d *UserDirectory) (n int) {
		for i := range 1000 {
			if d.decoy(fmt.Sprint("name", i), testDecoys).BySource() {
				n++
			}
		}
		return n
	}
	about := func(n, want int) {
		t.Helper()
		if n < want-80 || n > want+80 {
			t.Errorf("%d of 1000 names, want about %d", n, want)
		}
	}
	ldap := binding{&fake{name: "users ldap", users: []*User{ldapUser("eve")}}, never}
	d, _ := userDirectory(t, file(t, "users file", many...), ldap)
	about(binds(d), 500)
	user, err := d.BySubject(t.Context(), "eve")
	wantUser(t, user, err, "eve")
	about(binds(d), 500) // one is not all
	for i := range 600 {
		ldap.set(func() { ldap.users = []*User{ldapUser(fmt.Sprint("ldap", i))} })
		if _, err := d.BySubject(t.Context(), fmt.Sprint("ldap", i)); err != nil {
			t.Fatal(err)
		}
	}
	about(binds(d), 750) // it has more than the others

	d, _ = userDirectory(t, file(t, "users file", many...), listingBinding{ldap, listing{ldap.fake, nil}})
	about(binds(d), 0) // it has one, and said so
}

type listingBinding struct {
	binding
	lists listing
}

func (l listingBinding) All(ctx context.Context) iter.Seq2[*User, error] { return l.lists.All(ctx) }

// listing is a source that can list its users, and may fail half way.
type listing struct {
	*fake
	err error
}

func (l listing) All(ctx context.Context) iter.Seq2[*User, error] {
	return func(yield func(*User, error) bool) {
		for _, user := range l.users {
			if l.ask != nil && l.ask(ctx) != nil || !yield(user, nil) {
				return
			}
		}
		if l.err != nil {
			yield(nil, l.err)
		}
	}
}

func TestASourceThatListsItsUsersIsLookedAtWhenAConfigIsLoaded(t *testing.T) {
	const clash, refused, unlisted, advice = "a user is refused: the id belongs to another user", "users of a source are refused with 503",
		"a source could not be listed to its end: what is wrong with its users is found when they are looked up", "hashes that should be replaced"
	also := &User{Username: "eve", ID: "1", PasswordHash: someHash}
	carol := &User{Username: "carol", PasswordHash: someHash}
	broken := &User{Username: "br\x00ken", PasswordHash: someHash}
	weak := &User{Username: "weak", PasswordHash: otherHash}
	for _, test := range []struct {
		name    string
		sources []Users
		logged  []string
		memory  uint64
	}{
		{"all is well", []Users{listing{&fake{name: "users db", users: []*User{alice(), bob()}}, nil}}, nil, 0},
		{"it fails half way", []Users{listing{&fake{name: "users db", users: []*User{alice()}}, errDown}}, []string{unlisted}, largestHash},
		{"it is no Lister", []Users{&fake{name: "users db", users: []*User{alice()}}}, nil, largestHash},
		{"it cannot list", []Users{listing{&fake{name: "users db"}, errors.ErrUnsupported}}, nil, largestHash},
		{"a broken user", []Users{listing{&fake{name: "users db", users: []*User{alice(), broken}}, nil}}, []string{refused}, 0},
		{"a weak hash", []Users{listing{&fake{name: "users db", users: []*User{weak}}, nil}}, []string{advice}, 0},
		{"an id twice", []Users{listing{&fake{name: "users db", users: []*User{alice(), also}}, nil}}, []string{clash}, 0},
		{"an id of a file before", []Users{file(t, "users file", alice()), listing{&fake{name: "users db", users: []*User{also}}, nil}}, []string{clash}, 0},
		{"an id of a file after", []Users{listing{&fake{name: "users db", users: []*User{also}}, nil}, file(t, "users file", alice())}, []string{clash}, 0},
		{"a name twice, without an id", []Users{
			listing{&fake{name: "users one", users: []*User{carol}}, nil}, listing{&fake{name: "users two", users: []*User{carol}}, nil},
		}, nil, 0},
		{"a name of a file before, without an id", []Users{file(t, "users file", carol), listing{&fake{name: "users db", users: []*User{carol}}, nil}}, nil, 0},
		{"a name of a file after, without an id", []Users{listing{&fake{name: "users db", users: []*User{carol}}, nil}, file(t, "users file", carol)}, nil, 0},
		{"a name that a file hides, and an id of another database", []Users{
			file(t, "users file", &User{Username: "eve", ID: "2", PasswordHash: someHash}),
			listing{&fake{name: "users one", users: []*User{alice()}}, nil}, listing{&fake{name: "users two", users: []*User{also}}, nil},
		}, nil, 0},
		{"a name that a database hides, and an id of a file", []Users{
			listing{&fake{name: "users one", users: []*User{{Username: "eve", ID: "2", PasswordHash: someHash}}}, nil},
			file(t, "users file", alice()), listing{&fake{name: "users two", users: []*User{also}}, nil},
		}, nil, 0},
		{"an id of a user who is hidden", []Users{
			file(t, "users file", carol), listing{&fake{name: "users one", users: []*User{{Username: "carol", ID: "1", PasswordHash: someHash}}}, nil},
			listing{&fake{name: "users two", users: []*User{alice()}}, nil},
		}, []string{clash}, 0},
		{"an id of another database, and what came before the failure counts", []Users{
			listing{&fake{name: "users one", users: []*User{also}}, errDown}, listing{&fake{name: "users two", users: []*User{alice()}}, nil},
		}, []string{unlisted, clash}, largestHash},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, logs := userDirectory(t, test.sources...)
			var logged []string
			for _, line := range logs.All() {
				logged = append(logged, line.Message)
			}
			if !slices.Equal(logged, test.logged) {
				t.Errorf("log: %v", logs.All())
			}
			if memory := d.HashMemory(); memory != test.memory {
				t.Errorf("%d bytes of memory", memory)
			}
			if n := d.sources[0].live; n != nil && n.bySubject.entries.Len() > 0 {
				t.Error("what was listed is taken for a look-up")
			}
		})
	}
}

// A config must not wait for a database that hangs.
func TestASourceThatListsForTooLongIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		over := make(chan struct{})
		core, logs := observer.New(zap.DebugLevel)
		begun := time.Now()
		_, err := NewUserDirectory([]Users{listing{&fake{name: "users db", users: []*User{alice()}, ask: hangs(over)}, nil}}, Settings{Logger: zap.New(core)})
		if took := time.Since(begun); err != nil || took != patience || logs.Len() != 1 {
			t.Errorf("it took %v: %v, %v", took, err, logs.All())
		}
		close(over)
	})
}

// The advice on what it listed before, and the clashes, are worth having.
func TestWhatASourceListedBeforeItWasLeftCounts(t *testing.T) {
	for name, stuck := range map[string]func(<-chan struct{}) func(context.Context) error{
		"it hangs":                 hangs,
		"it ends with its context": func(<-chan struct{}) func(context.Context) error { return takes(time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				over := make(chan struct{})
				source := listing{&fake{name: "users db", users: []*User{{Username: "weak", ID: "1", PasswordHash: otherHash}, bob(), bob()}}, nil}
				wait, listed := stuck(over), 0
				source.ask = func(ctx context.Context) error {
					if listed++; listed > 1 {
						return wait(ctx)
					}
					return nil
				}
				d, logs := userDirectory(t, file(t, "users file", alice()), source)
				var logged []string
				for _, line := range logs.All() {
					logged = append(logged, line.Message)
				}
				if !slices.Equal(logged, []string{
					"a source could not be listed to its end: what is wrong with its users is found when they are looked up",
					"a user is refused: the id belongs to another user", "hashes that should be replaced",
				}) {
					t.Errorf("log: %v", logs.All())
				}
				if d.sources[1].live.costs.isComplete() {
					t.Error("all its users count as known")
				}
				close(over)
			})
		})
	}
}

func TestACheckOfPasswordsInMemoryIsBoundToo(t *testing.T) {
	set := NewUserSet(Options{})
	if err := set.Add(ldapUser("alice"), 1); err != nil {
		t.Fatal(err)
	}
	source := memoryBinding{set}
	d, _ := userDirectory(t, source)
	user, check, err := d.ForLogin(t.Context(), "alice", testDecoys)
	wantUser(t, user, err, "alice")
	if right, err := check.Password(t.Context(), "x"); right || !errors.Is(err, errDown) {
		t.Error(right, err)
	}
	if _, check, _ := d.ForLogin(t.Context(), "unknown", testDecoys); !check.BySource() {
		t.Error("an unknown name has a hash")
	}
	unchecked, _ := userDirectory(t, struct {
		*UserSet
		stringer
	}{set, "users file"})
	user, _, err = unchecked.ForLogin(t.Context(), "alice", testDecoys)
	wantUnavailable(t, user, err, "users file", "does not check passwords")
}

type memoryBinding struct{ *UserSet }

func (memoryBinding) CheckPassword(context.Context, *User, string) (bool, error) {
	return true, errDown
}
