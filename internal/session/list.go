package session

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"github.com/caddyserver/certmagic"

	"github.com/caddygrant/caddy-grant/internal/storagecheck"
)

// list returns the names directly below a key, none if it does not exist. An empty list
// is believed when the storage has answered something else in between; before a first
// start it has nothing else.
func (s *Store) list(ctx context.Context, key string) ([]string, error) {
	names, err := s.listOnce(ctx, key)
	if err != nil || len(names) > 0 {
		return names, err
	}
	if err := s.askWitness(ctx); err != nil && s.memory.witnessed.Load() {
		return nil, err
	}
	return s.listOnce(ctx, key)
}

// listOnce believes what it is told. The file system's List fails with the error of a
// missing key also when a file that it saw disappears before it looks closer, as
// temporary files do: so that error is believed only if the key really is missing.
func (s *Store) listOnce(ctx context.Context, key string) ([]string, error) {
	for try := 1; ; try++ {
		names, err := s.listNames(ctx, key)
		if ctx.Err() != nil && (err != nil || len(names) == 0) {
			return nil, unavailable("listing "+key, ctx.Err())
		}
		if errors.Is(err, fs.ErrNotExist) && s.missing(ctx, key) {
			return nil, nil
		}
		if err != nil && (!errors.Is(err, fs.ErrNotExist) || try == listTries) {
			return nil, unavailable("listing "+key, err)
		}
		if err == nil {
			return names, nil
		}
	}
}

// missing tells whether a key is certainly not there. [certmagic.Storage] has Exists,
// which also says no when it could not find out.
func (s *Store) missing(ctx context.Context, key string) bool {
	_, err := s.storage.Stat(ctx, key)
	return errors.Is(err, fs.ErrNotExist)
}

// listTimes returns the names directly below a key that are times in that layout, in
// order.
func (s *Store) listTimes(ctx context.Context, key, layout string) ([]string, error) {
	names, err := s.list(ctx, key)
	names = slices.DeleteFunc(names, func(name string) bool { return !isTime(name, layout) })
	slices.Sort(names)
	return names, err
}

// relistTimes is listTimes where some names are known. A list that lacks one of these
// is believed when the storage answers wherever it is asked, and still lacks it.
func (s *Store) relistTimes(ctx context.Context, key, layout string, known []string) ([]string, error) {
	names, err := s.listTimes(ctx, key, layout)
	lacks := func(name string) bool { return !isIn(names, name) }
	if err != nil || !slices.ContainsFunc(known, lacks) {
		return names, err
	}
	if err := s.certain(ctx, "listing "+key); err != nil {
		return nil, err
	}
	return s.listTimes(ctx, key, layout)
}

// listKnown is list for a folder that is known to have something in it, or about which
// nothing is known yet. An empty list is believed when the storage answers wherever it
// is asked.
func (s *Store) listKnown(ctx context.Context, key string) ([]string, error) {
	names, err := s.list(ctx, key)
	if err != nil || len(names) > 0 || s.tellsErrors() {
		return names, err
	}
	if err := s.certain(ctx, "listing "+key); err != nil {
		return nil, err
	}
	return s.list(ctx, key)
}

// tellsErrors tells whether a failed read is certainly distinct from a read that finds
// nothing.
func (s *Store) tellsErrors() bool {
	_, files := s.storage.(*certmagic.FileStorage)
	return files
}

// signed is the result of a reading by which something counts as known that a place of
// the storage that is down would hide: there has to be a sign before and after it that
// none is.
func signed[T any](ctx context.Context, s *Store, read func() (T, error)) (result T, err error) {
	var none T
	if s.tellsErrors() {
		return read()
	}
	if _, err := s.awaitSign(ctx); err != nil {
		return none, err
	}
	if result, err = read(); err != nil {
		return none, err
	}
	return result, s.awaitNewSign(ctx)
}

// certain is an error unless the storage answers wherever it keeps something, so that
// what it does not have can be believed.
func (s *Store) certain(ctx context.Context, doing string) error {
	if err := s.askWitness(ctx); err != nil { // before anything is put where another storage is
		return err
	}
	if err := storagecheck.Answers(ctx, s.storage, s.probeKey("")); err != nil {
		return unavailable(doing, err)
	}
	return nil
}

const listTries = 20
