package directory

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
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
