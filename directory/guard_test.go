package directory

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"

	"go.uber.org/zap"
)

// memory is a source in memory that may lose its users, or panic.
type memory struct {
	*UserSet
	get func(*UserSet) *UserSet
}

func (memory) String() string        { return "users memory" }
func (m *memory) Snapshot() *UserSet { return m.get(m.UserSet) }

// memoryClients is the same for clients.
type memoryClients struct {
	*ClientSet
	get func(*ClientSet) *ClientSet
}

func (memoryClients) String() string          { return "clients memory" }
func (m *memoryClients) Snapshot() *ClientSet { return m.get(m.ClientSet) }

func same[T any](v T) T { return v }

func panics[T any](T) T { panic("no snapshot") }

func nothing[T any](T) (none T) { return none }

func exits[T any](T) (none T) { runtime.Goexit(); return none }

// Beside a source that has to be asked, one in memory is asked in a goroutine too.
func TestASourceWithoutASnapshotIsUnavailable(t *testing.T) {
	for name, get := range map[string]func(*UserSet) *UserSet{"panic": panics[*UserSet], "nil": nothing[*UserSet], "exit": exits[*UserSet]} {
		t.Run(name, func(t *testing.T) {
			source := &memory{NewUserSet(Options{}), same[*UserSet]}
			d, _ := userDirectory(t, source, &fake{name: "users db", users: []*User{alice()}})
			source.get = get
			user, err := d.ByUsername(t.Context(), "alice")
			wantUnavailable(t, user, err, "users memory", "")
		})
	}
	for name, get := range map[string]func(*ClientSet) *ClientSet{"panic": panics[*ClientSet], "nil": nothing[*ClientSet], "exit": exits[*ClientSet]} {
		t.Run("clients, "+name, func(t *testing.T) {
			source := &memoryClients{NewClientSet(Options{}), same[*ClientSet]}
			d := clientDirectory(t, source, &fakeClients{name: "clients db"})
			source.get = get
			if client, err := d.ByID(t.Context(), "app"); client != nil || err == nil || !strings.HasPrefix(err.Error(), "clients memory: ") {
				t.Errorf("%v, %v", client, err)
			}
		})
	}
}

// "No such user" ends sessions, so it is not said by a source that has lost its users.
func TestASnapshotThatIsNilIsAnError(t *testing.T) {
	source := &memory{NewUserSet(Options{}), same[*UserSet]}
	clients := &memoryClients{NewClientSet(Options{}), same[*ClientSet]}
	d, _ := userDirectory(t, source)
	c := clientDirectory(t, clients)
	source.get, clients.get = nothing[*UserSet], nothing[*ClientSet]
	for how, look := range map[string]func(context.Context, string) (*User, error){"name": d.ByUsername, "subject": d.BySubject, "recently": d.RecentBySubject} {
		user, err := look(t.Context(), "alice")
		if wantUnavailable(t, user, err, "users memory", "no snapshot"); !errors.Is(err, errNoSnapshot) {
			t.Errorf("by %s: %v", how, err)
		}
	}
	for _, look := range []func(context.Context, string) (*Client, error){c.ByID, c.RecentByID} {
		if client, err := look(t.Context(), "app"); client != nil || !errors.Is(err, errNoSnapshot) {
			t.Errorf("%v, %v", client, err)
		}
	}
	if _, err := NewUserDirectory([]Users{source}, Settings{}); !errors.Is(err, errNoSnapshot) {
		t.Errorf("at load: %v", err)
	}
	if _, err := NewClientDirectory([]Clients{clients}, Settings{}); !errors.Is(err, errNoSnapshot) {
		t.Errorf("at load: %v", err)
	}
}

// Behind a source that has to be asked, a lost snapshot is an error like any other.
func TestALostSnapshotIsNotAPanic(t *testing.T) {
	source := &memory{NewUserSet(Options{}), same[*UserSet]}
	d, logs := userDirectory(t, &fake{name: "users db", users: []*User{alice()}}, source)
	source.get = nothing[*UserSet]
	user, err := d.ByUsername(t.Context(), "alice")
	wantUser(t, user, err, "alice")
	if lines := logs.FilterMessage("[PANIC] in a source").All(); len(lines) > 0 {
		t.Errorf("logged %v", lines[0].ContextMap()["panic"])
	}
}

// A driver may put anything into the value of a panic.
func TestThePasswordInAPanicIsNotLogged(t *testing.T) {
	source := binding{&fake{name: "users ldap", users: []*User{ldapUser("alice")}}, func(_ *User, password string) (bool, error) {
		panic("bind failed: pw=" + password)
	}}
	d, logs := userDirectory(t, source)
	_, check, err := d.ForLogin(t.Context(), "alice", testDecoys)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := check.Password(t.Context(), "hunter2"); !errors.Is(err, errPanic) || strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
	lines := logs.FilterMessage("[PANIC] in a source").FilterField(zap.String("panic", "string")).All()
	if len(lines) != 1 {
		t.Fatalf("log: %v", logs.All())
	}
	for key, value := range lines[0].ContextMap() {
		if text, ok := value.(string); ok && strings.Contains(text, "hunter2") || !ok {
			t.Errorf("%s: %v", key, value)
		}
	}
	source.binds = func(u *User, _ string) (bool, error) { return len(u.Scopes[1:][0]) > 0, nil }
	d, logs = userDirectory(t, source)
	_, check, _ = d.ForLogin(t.Context(), "alice", testDecoys)
	_, _ = check.Password(t.Context(), "hunter2")
	if text := logs.All()[0].ContextMap()["panic"]; !strings.Contains(text.(string), "out of range") {
		t.Errorf("the runtime's panic is %v", text)
	}
}

func TestASourceThatEndsItsGoroutineGivesItsPlaceBack(t *testing.T) {
	source := &fake{name: "users db", users: []*User{alice()}, ask: func(context.Context) error { runtime.Goexit(); return nil }}
	d, _ := userDirectory(t, source)
	for range maxCalls + 1 {
		user, err := d.ByUsername(t.Context(), "alice")
		wantUnavailable(t, user, err, "users db", "without an answer")
	}
	source.set(func() { source.ask = nil })
	user, err := d.ByUsername(t.Context(), "alice")
	wantUser(t, user, err, "alice")
}
