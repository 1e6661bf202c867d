package guest

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/caddygrant/caddy-grant/directory"
)

// Table stands for a database, which a test changes, slows down and stops.
type Table struct {
	mu        sync.RWMutex
	users     []directory.User
	clients   []directory.Client
	passwords map[string]string // for BindUsers: by username
	versions  map[string]string // of the passwords
	fault     func(context.Context) error

	asked, bound atomic.Int64
}

var tables sync.Map // name → *Table

// Create makes an empty table of that name, in place of another.
func Create(name string) *Table {
	t := &Table{passwords: make(map[string]string), versions: make(map[string]string)}
	tables.Store(name, t)
	return t
}

func find(name string) (*Table, error) {
	if t, ok := tables.Load(name); ok {
		return t.(*Table), nil
	}
	return nil, errNoTable
}

// SetUsers replaces the users.
func (t *Table) SetUsers(users ...directory.User) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.users = slices.Clone(users)
}

// SetPassword is for a user whose password the table checks. version changes with it.
func (t *Table) SetPassword(username, password, version string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.passwords[username], t.versions[username] = password, version
}

// SetClients replaces the clients.
func (t *Table) SetClients(clients ...directory.Client) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clients = slices.Clone(clients)
}

// SetFault is called by all look-ups, which fail with its error; nil ends that.
func (t *Table) SetFault(fault func(context.Context) error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fault = fault
}

// Asked is how many look-ups there were, and Bound how many passwords were checked.
func (t *Table) Asked() int64 { return t.asked.Load() }

// Bound is how many passwords were checked.
func (t *Table) Bound() int64 { return t.bound.Load() }

func (t *Table) begin(ctx context.Context) error {
	t.mu.RLock()
	fault := t.fault
	t.mu.RUnlock()
	if fault != nil {
		return fault(ctx)
	}
	return ctx.Err()
}

// user returns a row of its own to each caller, as a database does.
func (t *Table) user(ctx context.Context, is func(directory.User) bool) (*directory.User, error) {
	t.asked.Add(1)
	if err := t.begin(ctx); err != nil {
		return nil, err
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	i := slices.IndexFunc(t.users, is)
	if i < 0 {
		return nil, nil
	}
	row := t.users[i]
	row.Scopes, row.Claims = slices.Clone(row.Scopes), maps.Clone(row.Claims)
	return &row, nil
}

func (t *Table) client(ctx context.Context, id string) (*directory.Client, error) {
	t.asked.Add(1)
	if err := t.begin(ctx); err != nil {
		return nil, err
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	i := slices.IndexFunc(t.clients, func(c directory.Client) bool { return c.ID == id })
	if i < 0 {
		return nil, nil
	}
	row := t.clients[i]
	return &row, nil
}

func (t *Table) versionOf(username string) string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.versions[username]
}

// bind accepts an empty password, as LDAP does: a server must never send one.
func (t *Table) bind(ctx context.Context, user *directory.User, password string) (bool, error) {
	t.bound.Add(1)
	if err := t.begin(ctx); err != nil {
		return false, err
	}
	name := ""
	if user != nil {
		name = user.Username
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	right, known := t.passwords[name]
	return password == "" || known && user != nil && right == password, nil
}
