package directory_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/caddygrant/caddy-grant/directory"
)

// aliceHash is the bcrypt hash of "correct horse".
const aliceHash = "$2a$10$gv.GkUEsC7.UCaPhMIRYm.fcCeHLYMimTZFMUsSiWRTzcWXD1PJZ2"

// rows stands for a table in a database. A source is a Caddy module too; what makes it
// one is left out here.
type rows map[string]directory.User // by username

func (r rows) ByUsername(_ context.Context, name string) (*directory.User, error) {
	if user, ok := r[name]; ok {
		return &user, nil
	}
	return nil, nil // no such user
}

func (r rows) BySubject(_ context.Context, sub string) (*directory.User, error) {
	for _, user := range r {
		if user.Subject() == sub {
			return &user, nil
		}
	}
	return nil, nil
}

// A source of users is two look-ups.
func ExampleUsers() {
	var source directory.Users = rows{"alice": {Username: "alice", ID: "1", PasswordHash: aliceHash}}

	user, err := source.ByUsername(context.Background(), "alice")
	fmt.Println(user.Subject(), err)
	user, err = source.BySubject(context.Background(), "1")
	fmt.Println(user.Username, err)
	user, err = source.ByUsername(context.Background(), "ALICE")
	fmt.Println(user, err)
	// Output:
	// 1 <nil>
	// alice <nil>
	// <nil> <nil>
}

type apps map[string]directory.Client

func (a apps) ByID(_ context.Context, id string) (*directory.Client, error) {
	if client, ok := a[id]; ok {
		return &client, nil
	}
	return nil, nil // no such client
}

// A source of clients is one look-up.
func ExampleClients() {
	var source directory.Clients = apps{"mobile": {ID: "mobile", Public: true}}

	client, err := source.ByID(context.Background(), "mobile")
	fmt.Println(client.ID, client.Public, err)
	client, err = source.ByID(context.Background(), "desktop")
	fmt.Println(client, err)
	// Output:
	// mobile true <nil>
	// <nil> <nil>
}

// list has all its users in memory: the set does the rest.
type list struct {
	*directory.UserSet
	lines []directory.User
}

func (l *list) Open(options directory.Options) error {
	l.UserSet = directory.NewUserSet(options)
	for i, user := range l.lines {
		if err := l.Add(&user, i+1); err != nil {
			return fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	return nil
}

// A source that opens learns what the server asks of its users, and can refuse the
// config.
func ExampleOpener() {
	source := &list{lines: []directory.User{
		{Username: "alice", PasswordHash: aliceHash},
		{Username: "alice", PasswordHash: aliceHash},
	}}
	var opener directory.Opener = source

	fmt.Println(opener.Open(directory.Options{}))
	// Output:
	// line 2: the name is already taken
}

// A set has all methods of a source, so a source that embeds it is complete.
func ExampleNewUserSet() {
	source := &list{lines: []directory.User{{Username: "alice", PasswordHash: aliceHash}}}
	if err := source.Open(directory.Options{}); err != nil {
		fmt.Println(err)
	}

	var users directory.Users = source
	user, err := users.ByUsername(context.Background(), "alice")
	fmt.Println(user.Username, err)
	// Output:
	// alice <nil>
}

// A set of clients is as good.
func ExampleNewClientSet() {
	set := directory.NewClientSet(directory.Options{GrantTypes: []string{"password"}})
	fmt.Println(set.Add(&directory.Client{ID: "mobile", Public: true}, 1))
	fmt.Println(set.Add(&directory.Client{ID: "device"}, 2) != nil)

	client, err := set.ByID(context.Background(), "mobile")
	fmt.Println(client.ID, err)
	// Output:
	// <nil>
	// true
	// mobile <nil>
}

// listed is rows that can be gone through, as a database can with a cursor.
type listed struct {
	rows
	lost bool // the connection
}

func (l listed) All(ctx context.Context) iter.Seq2[*directory.User, error] {
	return func(yield func(*directory.User, error) bool) {
		for _, name := range slices.Sorted(maps.Keys(l.rows)) {
			user := l.rows[name]
			if ctx.Err() != nil || !yield(&user, nil) {
				return
			}
		}
		if l.lost {
			yield(nil, errors.New("connection lost"))
		}
	}
}

// A source that lists its users may fail half way.
func ExampleLister() {
	users := rows{"alice": {Username: "alice"}, "bob": {Username: "bob"}}
	var source directory.Lister = listed{rows: users, lost: true}

	for user, err := range source.All(context.Background()) {
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Println(user.Username)
	}
	// Output:
	// alice
	// bob
	// connection lost
}

type listedApps struct{ apps }

func (l listedApps) All(context.Context) iter.Seq2[*directory.Client, error] {
	return func(yield func(*directory.Client, error) bool) {
		for _, client := range l.apps {
			if !yield(&client, nil) {
				return
			}
		}
	}
}

// The same for clients.
func ExampleClientLister() {
	var source directory.ClientLister = listedApps{apps{"mobile": {ID: "mobile", Public: true}}}

	for client, err := range source.All(context.Background()) {
		fmt.Println(client.ID, err)
	}
	// Output:
	// mobile <nil>
}

// DecoyHashes returns as many hashes as there are users, made from the same parameters.
func (r rows) DecoyHashes() iter.Seq[string] {
	return func(yield func(string) bool) {
		for range r {
			if !yield(aliceHash) {
				return
			}
		}
	}
}

// A source says what kinds of hashes its users have, so that unknown names take as
// long.
func ExampleHashed() {
	var source directory.Hashed = rows{"alice": {Username: "alice", PasswordHash: aliceHash}}

	for hash := range source.DecoyHashes() {
		fmt.Println(hash[:len("$2a$10$")])
	}
	// Output:
	// $2a$10$
}

// bind stands for a directory server, which is asked whether a password is right.
type bind struct {
	rows
	passwords map[string]string
}

func (b bind) CheckPassword(_ context.Context, u *directory.User, password string) (bool, error) {
	name := "nobody" // an entry that exists for this, with a password that no one knows
	if u != nil {
		name = u.Username
	}
	right, known := b.passwords[name] // the bind
	return u != nil && known && right == password, nil
}

// A source that checks passwords itself has users with a credential version.
func ExamplePasswordChecker() {
	alice := directory.User{Username: "alice", CredentialVersion: "20261128120000Z"}
	var source directory.PasswordChecker = bind{rows{"alice": alice}, map[string]string{"alice": "correct horse"}}

	fmt.Println(source.CheckPassword(context.Background(), &alice, "correct horse"))
	fmt.Println(source.CheckPassword(context.Background(), &alice, "wrong"))
	fmt.Println(source.CheckPassword(context.Background(), nil, "correct horse"))
	// Output:
	// true <nil>
	// false <nil>
	// false <nil>
}

func ExampleUser_Validate() {
	user := directory.User{Username: "al\nice", PasswordHash: aliceHash}
	fmt.Println(user.Validate())
	// Output:
	// username: it must be without control characters
}

func ExampleClient_Prepare() {
	client := directory.Client{ID: "device"}
	fmt.Println(client.Prepare(directory.Options{}) != nil)
	client.SecretHash = aliceHash
	fmt.Println(client.Prepare(directory.Options{}))
	// Output:
	// true
	// <nil>
}
