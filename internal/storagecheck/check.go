package storagecheck

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
)

// lack is something that a storage does not do.
type lack struct {
	what   string // it does instead
	remedy string // or what it costs
	err    error  // may be nil
}

// lacksOf tries in a new folder of the storage what sessions need, and removes what it
// has put there. An error says that nothing is known, since the storage does not
// answer. It takes some seconds, and no longer than the context where the storage obeys
// it. Whether a lock expires whose holder is gone cannot be checked here.
func lacksOf(ctx context.Context, storage certmagic.Storage, folder string) (lacks []lack, err error) {
	defer recovered(&err)
	c := &check{storage: storage, folder: folder + "-" + random()}
	defer c.tidy(ctx)
	if err := Answers(ctx, storage, c.folder); err != nil {
		return nil, err
	}
	for _, look := range []func(context.Context) error{c.writes, c.reads, c.lists, c.locks} {
		if err := look(ctx); err != nil {
			return c.lacks, err
		}
		if err := ctx.Err(); err != nil {
			return c.lacks, err
		}
	}
	return c.lacks, nil
}

type check struct {
	storage certmagic.Storage
	folder  string
	made    []string
	lacks   []lack
}

func (c *check) lack(err error, what, remedy string) {
	c.lacks = append(c.lacks, lack{what, remedy, err})
}

// put stores an object that is removed at the end.
func (c *check) put(ctx context.Context, name string, content []byte) error {
	c.made = append(c.made, name)
	if err := c.storage.Store(ctx, path.Join(c.folder, name), content); err != nil {
		return fmt.Errorf("storing %s: %w", path.Join(c.folder, name), err)
	}
	return nil
}

func (c *check) tidy(ctx context.Context) {
	defer func() { _ = recover() }()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyLimit)
	defer cancel()
	for _, name := range slices.Backward(c.made) {
		_ = c.storage.Delete(ctx, path.Join(c.folder, name))
	}
	if c.storage.Exists(ctx, c.folder) { // a folder that outlives what was in it
		_ = c.storage.Delete(ctx, c.folder)
	}
}

// writes tells whether what was stored is there, complete and up to date, and what was
// deleted is not.
func (c *check) writes(ctx context.Context) error {
	const name = "object"
	key := path.Join(c.folder, name)
	for _, content := range [][]byte{[]byte("a first content, which is longer than the next"), []byte("\x00the next\xff\n")} {
		if err := c.put(ctx, name, content); err != nil {
			return err
		}
		found, err := c.storage.Load(ctx, key)
		if err != nil || !bytes.Equal(found, content) {
			c.lack(err, "an object is not read as it was stored", "a spent refresh token can be used again: use another storage, or one that answers from its primary")
			return nil
		}
	}
	switch info, err := c.storage.Stat(ctx, key); {
	case err != nil:
		c.lack(err, "Stat does not know an object that is there", "sessions count as unavailable: use another storage")
	case info.Modified.IsZero():
		c.lack(nil, "Stat tells no time of modification", "what is left of old sessions is never removed: look at the size of the storage from time to time")
	case time.Since(info.Modified).Abs() > clocksDiffer:
		c.lack(nil, fmt.Sprintf("the clock of the storage and this one differ by %s", time.Since(info.Modified).Round(time.Second)), "synchronize both with NTP; old sessions are removed when both clocks say so")
	}
	if err := c.storage.Delete(ctx, key); err != nil {
		return fmt.Errorf("deleting %s: %w", key, err)
	}
	if _, err := c.storage.Load(ctx, key); !errors.Is(err, fs.ErrNotExist) {
		c.lack(err, "an object that was deleted is not reported as fs.ErrNotExist", "a session without a record counts as unavailable: use another storage")
	}
	return nil
}

// reads tells whether a failed read can be told from one that found nothing: with a
// context that has ended.
func (c *check) reads(ctx context.Context) error {
	const name = "read"
	key := path.Join(c.folder, name)
	if err := c.put(ctx, name, []byte("it is there")); err != nil {
		return err
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, loaded := c.storage.Load(ended, key)
	_, statted := c.storage.Stat(ended, key)
	if errors.Is(loaded, fs.ErrNotExist) || errors.Is(statted, fs.ErrNotExist) {
		c.lack(nil, "a read that fails looks as if the object did not exist", "sessions tolerate that, at the cost of answering 503 more often while the storage is partly down; Caddy's certificates may not: tell the author of the storage")
	}
	return nil
}

// lists tells whether the names in a folder are the existing ones, with folders but not
// their contents.
func (c *check) lists(ctx context.Context) error {
	for _, name := range []string{"list/object", "list/folder/object", "list/folder/another"} {
		if err := c.put(ctx, name, []byte("x")); err != nil {
			return err
		}
	}
	key := path.Join(c.folder, "list")
	names, err := c.storage.List(ctx, key, false)
	if err != nil {
		c.lack(err, "List fails", "revocations of other nodes are not known here, and nothing is ever removed: use another storage")
		return nil
	}
	for i, name := range names {
		names[i] = strings.TrimSuffix(name, "/")
	}
	slices.Sort(names)
	if want := []string{key + "/folder", key + "/object"}; !slices.Equal(names, want) {
		c.lack(nil, fmt.Sprintf("List of a folder gives %s, not the objects and folders in it", short(names, key)), "revocations of other nodes are not known here, and nothing is ever removed: use another storage")
	}
	return nil
}

// short returns the first few names, without their folder.
func short(names []string, folder string) string {
	var all []string
	for _, name := range names[:min(len(names), 5)] {
		all = append(all, strings.TrimPrefix(strings.TrimPrefix(name, folder), "/"))
	}
	return fmt.Sprintf("%q", all)
}

// locks tells whether a second caller has to wait for a lock, in whatever process, and
// gets it when the first releases it.
func (c *check) locks(ctx context.Context) error {
	name := path.Join(c.folder, "lock")
	first, cancel := context.WithTimeout(ctx, lockLimit)
	defer cancel()
	if err := c.storage.Lock(first, name); err != nil {
		c.lack(err, "Lock of a new name fails", "no refresh succeeds: check Caddy's permissions in the storage, or use another")
		return nil
	}
	held := true
	unlock := func() error {
		if !held {
			return nil
		}
		held = false
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyLimit)
		defer cancel()
		return c.storage.Unlock(ctx, name)
	}
	defer func() { _ = unlock() }()

	second, cancel := context.WithTimeout(ctx, lockTry)
	defer cancel()
	if err := c.storage.Lock(second, name); err == nil {
		c.lack(nil, "a lock that is held can be acquired, at least by one process", "if other nodes can acquire it too, two uses of a refresh token at once can both succeed: use another storage, or a single node")
		return nil
	}
	if try, ok := c.storage.(certmagic.TryLocker); ok {
		if got, err := try.TryLock(ctx, name); got && err == nil {
			c.lack(nil, "TryLock acquires a lock that is held", "Caddy itself may renew a certificate twice: tell the author of the storage")
			return nil
		}
	}
	if err := unlock(); err != nil {
		c.lack(err, "Unlock fails", "a session is unavailable after each refresh until its lock has expired: use another storage")
		return nil
	}
	again, cancel := context.WithTimeout(ctx, lockLimit)
	defer cancel()
	if err := c.storage.Lock(again, name); err != nil {
		c.lack(err, "a released lock cannot be acquired again", "a session is unavailable after each refresh until its lock has expired: use another storage")
		return nil
	}
	held = true
	return nil
}

const (
	clocksDiffer = time.Minute
	lockTry      = 1500 * time.Millisecond // many storages look once a second
	lockLimit    = 10 * time.Second
	tidyLimit    = 5 * time.Second
)
