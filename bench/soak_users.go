package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"
)

// changingUsers is a file of users that is written again and again: for some seconds every second, by turns as a tool
// does that renames a new file and as Apache's htpasswd does, which empties the file and writes it in pieces; then it
// rests, so that the last version comes into force. user0, user1 … stay as they are all the time. The password of the
// user "moving" is another one in every version.
type changingUsers struct {
	path    string
	stable  string
	version int
}

func newChangingUsers(path string) (*changingUsers, error) {
	hash := bcrypted(thePassword, cheapCost)
	var stable strings.Builder
	for i := range soakUsers {
		fmt.Fprintf(&stable, "user%d:%s\n", i, hash)
	}
	u := &changingUsers{path: path, stable: stable.String()}
	return u, u.write()
}

// keepChanging returns how long each version took to come into force that was left at rest.
func (u *changingUsers) keepChanging(ctx context.Context, done <-chan struct{}, l *soakLoad) (took []float64) {
	for {
		select {
		case <-done:
			return took
		default:
		}
		for range changesInARow {
			l.note(u.write())
			if sleep(ctx, time.Second) != nil {
				return took
			}
		}
		if t, err := u.awaitVersion(ctx, l); err != nil {
			l.count(err)
		} else {
			took = append(took, t)
		}
	}
}

// awaitVersion tries the password of the last version, and then that of the one before. It tries seldom, for failures
// are throttled, and again where the connection was dropped.
func (u *changingUsers) awaitVersion(ctx context.Context, l *soakLoad) (float64, error) {
	try := func(version int) (a answer, err error) {
		for {
			a, err = l.client.post(ctx, l.server.url("/token"), login("moving", movingPassword(version)), nil)
			if _, dropped := errors.AsType[*connectionError](err); !dropped || ctx.Err() != nil {
				return a, err
			}
		}
	}
	const pause = 2 * time.Second
	if err := sleep(ctx, pause); err != nil {
		return 0, err
	}
	took, _, err := awaitLogin(ctx, pause, 7*time.Second, func() (answer, error) {
		return try(u.version)
	}, http.StatusBadRequest, `"invalid_grant"`)
	if err != nil {
		return 0, wrongly("a new password that is at rest for longer than that", err)
	}
	took += time.Second + pause // keepChanging has slept since it was written
	a, err := try(u.version - 1)
	if err != nil {
		return 0, err
	}
	return took.Seconds(), wrongly("an old password", a.expect(http.StatusBadRequest, `"invalid_grant"`))
}

func (u *changingUsers) write() error {
	u.version++
	content := u.stable + "moving:" + bcrypted(movingPassword(u.version), cheapCost) + "\n"
	if u.version%2 == 1 {
		if err := os.WriteFile(u.path+".new", []byte(content), 0o600); err != nil {
			return err
		}
		return os.Rename(u.path+".new", u.path)
	}
	file, err := os.Create(u.path) // empty from here on
	if err != nil {
		return err
	}
	defer file.Close()
	for _, piece := range []string{content[:len(content)/2], content[len(content)/2:]} {
		time.Sleep(50 * time.Millisecond) // so that a reader can come in between
		if _, err := file.WriteString(piece); err != nil {
			return err
		}
	}
	return file.Close()
}

func movingPassword(version int) string { return fmt.Sprintf("version-%d", version) }

const (
	soakUsers     = 500
	changesInARow = 8
)
