package session

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
)

// otherwise is a FileStorage that is not recognized as one.
type otherwise struct{ certmagic.Storage }

func TestNamesInFoldersAreThoseThatTheFileStorageLists(t *testing.T) {
	files := &certmagic.FileStorage{Path: t.TempDir()}
	put(t, files, "revocations/2000010100/a", "")
	put(t, files, "revocations/2000010101/b/c", "")
	put(t, files, "revocations/x", "")
	for i := range namesAtOnce + 10 {
		must(t, os.WriteFile(filepath.Join(files.Filename(testPrefix+"/revocations/2000010100"), strconv.Itoa(i)), nil, 0o600))
	}
	own, listed := NewStore(files, testPrefix, NewMemory(), time.Now), NewStore(otherwise{files}, testPrefix, NewMemory(), time.Now)
	for _, key := range []string{"", "/revocations", "/revocations/2000010100", "/revocations/2000010101", "/revocations/2000010102", "/sessions"} {
		got, err := own.list(t.Context(), testPrefix+key)
		must(t, err)
		want, err := listed.list(t.Context(), testPrefix+key)
		must(t, err)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%q: %d names, want %d", key, len(got), len(want))
		}
	}
}

func TestAFolderThatCannotBeReadIsNotEmpty(t *testing.T) {
	files := &certmagic.FileStorage{Path: t.TempDir()}
	s := NewStore(files, testPrefix, NewMemory(), time.Now)
	put(t, files, "revocations", "a file where a folder should be")
	if names, err := s.list(t.Context(), testPrefix+"/revocations"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("names %v, error %v", names, err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	put(t, files, "sessions/20000101/x", "")
	if _, err := namesInFolder(ended, files.Filename(testPrefix+"/sessions")); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if _, err := namesInFolder(t.Context(), files.Filename(testPrefix+"/no")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

// The same for real: revocations at a file storage reach other nodes while hours and
// folders come and go.
func TestRevocationsInFilesReachOtherNodes(t *testing.T) {
	files := &certmagic.FileStorage{Path: t.TempDir()}
	a, b := NewStore(files, testPrefix, NewMemory(), time.Now), NewStore(files, testPrefix, NewMemory(), time.Now)
	must(t, b.Poll(t.Context()))
	for range 20 {
		id := monthAhead()
		must(t, a.Revoke(t.Context(), id))
		must(t, b.Poll(t.Context()))
		if revoked, known := b.memory.InView(id); !revoked || !known {
			t.Fatalf("revoked %v, known %v", revoked, known)
		}
	}
}
