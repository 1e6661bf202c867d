package storagecheck

import (
	"context"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
)

// odd is a file storage that does some things its own way.
type odd struct {
	*certmagic.FileStorage
	load   func(ctx context.Context, key string) ([]byte, error)
	stat   func(ctx context.Context, key string) (certmagic.KeyInfo, error)
	list   func(ctx context.Context, key string) ([]string, error)
	store  func(ctx context.Context, key string, value []byte) error
	remove func(ctx context.Context, key string) error
	lock   func(ctx context.Context, name string) error
	try    func(ctx context.Context, name string) (bool, error)
}

func (o *odd) Load(ctx context.Context, key string) ([]byte, error) {
	if o.load != nil {
		return o.load(ctx, key)
	}
	return o.FileStorage.Load(ctx, key)
}

func (o *odd) Stat(ctx context.Context, key string) (certmagic.KeyInfo, error) {
	if o.stat != nil {
		return o.stat(ctx, key)
	}
	return o.FileStorage.Stat(ctx, key)
}

func (o *odd) List(ctx context.Context, key string, recursive bool) ([]string, error) {
	if o.list != nil {
		return o.list(ctx, key)
	}
	return o.FileStorage.List(ctx, key, recursive)
}

func (o *odd) Store(ctx context.Context, key string, value []byte) error {
	if o.store != nil {
		return o.store(ctx, key, value)
	}
	return o.FileStorage.Store(ctx, key, value)
}

func (o *odd) Delete(ctx context.Context, key string) error {
	if o.remove != nil {
		return o.remove(ctx, key)
	}
	return o.FileStorage.Delete(ctx, key)
}

func (o *odd) Lock(ctx context.Context, name string) error {
	if o.lock != nil {
		return o.lock(ctx, name)
	}
	return o.FileStorage.Lock(ctx, name)
}

func (o *odd) TryLock(ctx context.Context, name string) (bool, error) {
	if o.try != nil {
		return o.try(ctx, name)
	}
	return o.FileStorage.TryLock(ctx, name)
}

func newOdd(t *testing.T) *odd {
	t.Helper()
	return &odd{FileStorage: &certmagic.FileStorage{Path: t.TempDir()}}
}

// wantNothingLeft looks for what a check has put into a storage.
func wantNothingLeft(t *testing.T, o *odd) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(o.Path, "grant"), func(name string, entry fs.DirEntry, err error) error {
		if err == nil && name != filepath.Join(o.Path, "grant") {
			t.Errorf("left behind: %s", name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if locks, _ := os.ReadDir(filepath.Join(o.Path, "locks")); len(locks) > 0 {
		t.Errorf("left behind: lock %s", locks[0].Name())
	}
}

// TestMain lets all tests run side by side: they mostly wait for locks.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "32"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func TestAFileStorageLacksNothing(t *testing.T) {
	t.Parallel()
	o := newOdd(t)
	lacks, err := lacksOf(t.Context(), o, "grant/check")
	if err != nil || len(lacks) > 0 {
		t.Errorf("%+v, error %v", lacks, err)
	}
	wantNothingLeft(t, o)
}

func TestWhatAStorageLacksIsFoundOnceAndNothingIsLeft(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		is   func(*odd)
		want string
	}{
		"a failed read is a missing object": {func(o *odd) {
			o.load = func(ctx context.Context, key string) ([]byte, error) {
				if ctx.Err() != nil {
					return nil, fs.ErrNotExist
				}
				return o.FileStorage.Load(ctx, key)
			}
		}, "a read that fails looks"},
		"a failed Stat is one": {func(o *odd) {
			o.stat = func(ctx context.Context, key string) (certmagic.KeyInfo, error) {
				if ctx.Err() != nil {
					return certmagic.KeyInfo{}, fs.ErrNotExist
				}
				return o.FileStorage.Stat(ctx, key)
			}
		}, "a read that fails looks"},
		"a missing object is another error": {func(o *odd) {
			o.load = func(ctx context.Context, key string) ([]byte, error) {
				content, err := o.FileStorage.Load(ctx, key)
				if err != nil {
					err = errors.New("no such key")
				}
				return content, err
			}
		}, "an object that was deleted"},
		"no time of modification": {func(o *odd) {
			o.stat = func(ctx context.Context, key string) (certmagic.KeyInfo, error) {
				info, err := o.FileStorage.Stat(ctx, key)
				info.Modified = time.Time{}
				return info, err
			}
		}, "no time of modification"},
		"another clock": {func(o *odd) {
			o.stat = func(ctx context.Context, key string) (certmagic.KeyInfo, error) {
				info, err := o.FileStorage.Stat(ctx, key)
				info.Modified = info.Modified.Add(-time.Hour)
				return info, err
			}
		}, "the clock of the storage"},
		"all depths": {func(o *odd) {
			o.list = func(ctx context.Context, key string) ([]string, error) {
				return []string{key + "/object", key + "/folder/object", key + "/folder/another"}, nil
			}
		}, "List of a folder gives"},
		"no folders": {func(o *odd) {
			o.list = func(ctx context.Context, key string) ([]string, error) { return []string{key + "/object"}, nil }
		}, "List of a folder gives"},
		"everything there is": {func(o *odd) {
			o.list = func(ctx context.Context, key string) ([]string, error) {
				return []string{"other", key + "/object", key + "/folder"}, nil
			}
		}, "List of a folder gives"},
		"no List": {func(o *odd) {
			o.list = func(context.Context, string) ([]string, error) { return nil, errors.New("not implemented") }
		}, "List fails"},
		"locks that lock nothing": {func(o *odd) {
			o.lock = func(context.Context, string) error { return nil }
		}, "a lock that is held can be acquired"},
		"a TryLock that locks nothing": {func(o *odd) {
			o.try = func(context.Context, string) (bool, error) { return true, nil }
		}, "TryLock acquires"},
		"no locks": {func(o *odd) {
			o.lock = func(context.Context, string) error { return errors.New("not allowed") }
		}, "Lock of a new name fails"},
		"nothing is overwritten": {func(o *odd) {
			o.store = func(ctx context.Context, key string, value []byte) error {
				if o.FileStorage.Exists(ctx, key) {
					return nil
				}
				return o.FileStorage.Store(ctx, key, value)
			}
		}, "an object is not read as it was stored"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOdd(t)
			test.is(o)
			lacks, err := lacksOf(t.Context(), o, "grant/check")
			if err != nil {
				t.Fatal(err)
			}
			if len(lacks) != 1 || !strings.Contains(lacks[0].what, test.want) || lacks[0].remedy == "" {
				t.Errorf("%+v, want one with %q", lacks, test.want)
			}
			wantNothingLeft(t, o)
		})
	}
}

func TestNothingIsReportedOfAStorageThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	down := errors.New("connection refused")
	for name, is := range map[string]func(*odd){
		"writes fail":               func(o *odd) { o.store = func(context.Context, string, []byte) error { return down } },
		"reads fail":                func(o *odd) { o.load = func(context.Context, string) ([]byte, error) { return nil, down } },
		"reads find nothing":        func(o *odd) { o.load = func(context.Context, string) ([]byte, error) { return nil, fs.ErrNotExist } },
		"reads find something else": func(o *odd) { o.load = func(context.Context, string) ([]byte, error) { return []byte("x"), nil } },
		"deletes fail":              func(o *odd) { o.remove = func(context.Context, string) error { return down } },
		"it panics":                 func(o *odd) { o.store = func(context.Context, string, []byte) error { panic("secret") } },
		"the context is obeyed once": func(o *odd) {
			o.load = func(ctx context.Context, _ string) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOdd(t)
			is(o)
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			lacks, err := lacksOf(ctx, o, "grant/check")
			if err == nil || len(lacks) > 0 || strings.Contains(err.Error(), "secret") {
				t.Errorf("%+v, error %v", lacks, err)
			}
		})
	}
}
