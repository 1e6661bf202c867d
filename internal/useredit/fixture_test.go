package useredit

import (
	"strings"
	"testing"
)

// Hashes that are cheap to make and of no use.
const (
	hash1 = `$2a$04$ed8IqXwtgreEpivswSJnkuEzxjfWqAijxnCI.1FDAQe2PAIBWBD7O`
	hash2 = `$argon2id$v=19$m=47104,t=1,p=1$XpGAlxhBAzCw0tXVRWgB9A$K2/RtPx/qbRuCc8ACsfATUO3bF+Iy9ZbHRCGMRZoPU0`
	weak  = `{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=`
)

// fill puts hashes where a test has H1, H2 and HW.
func fill(text string) string {
	return strings.NewReplacer("H1", hash1, "H2", hash2, "HW", weak).Replace(text)
}

// edited is one edit of a file, and what the file is after it.
type edited struct {
	name       string
	list       List // users if it is empty
	old, wants string
	change     func(*File) error
}

func (e edited) run(t *testing.T, format Format) {
	t.Helper()
	if e.list == "" {
		e.list = Users
	}
	got, err := Edit([]byte(fill(e.old)), format, e.list, e.change)
	if err != nil || string(got) != fill(e.wants) {
		t.Errorf("got %v\n%s\nwant\n%s", err, got, fill(e.wants))
	}
}

func add(name, hash string, members ...Member) func(*File) error {
	return func(f *File) error { return f.Add(name, hash, members...) }
}

func setHash(name, hash string) func(*File) error {
	return func(f *File) error { return f.SetHash(name, hash) }
}

func disable(name string) func(*File) error {
	return func(f *File) error { _, err := f.SetDisabled(name, true); return err }
}

func enable(name string) func(*File) error {
	return func(f *File) error { _, err := f.SetDisabled(name, false); return err }
}

func rename(from, to string, keepID bool) func(*File) error {
	return func(f *File) error { return f.Rename(from, to, keepID) }
}

func remove(name string) func(*File) error {
	return func(f *File) error { return f.Remove(name) }
}

func raw(name, value string) Member { return Member{name, []byte(value)} }
