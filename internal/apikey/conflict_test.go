package apikey

import (
	"strings"
	"testing"
)

// files are those of a server, each of lines as in a file.
func files(t *testing.T, texts ...string) (sets []*Set) {
	t.Helper()
	for _, text := range texts {
		set, err := ParseLines([]byte(fill(text)))
		if err != nil {
			t.Fatal(err)
		}
		sets = append(sets, set)
	}
	return sets
}

func TestAKeyThatAnotherFileContradictsIsNotFound(t *testing.T) {
	digest, other := DigestOf(testKey), DigestOf("another")
	line := "other " + other.Hash() + " user=alice\n"
	for name, test := range map[string]struct {
		files []*Set
		want  error
	}{
		"in the only file":                   {files(t, "deploy HASH user=alice"), nil},
		"in one of two":                      {files(t, line, "deploy HASH user=alice"), nil},
		"in no file":                         {files(t, line, "# none"), ErrUnknown},
		"without a file":                     {nil, ErrUnknown},
		"the same line in two":               {files(t, "deploy HASH user=alice", "deploy HASH user=alice"), ErrSameHash},
		"of another owner in another":        {files(t, "deploy HASH user=alice", line, "nightly HASH user=bob"), ErrSameHash},
		"another key has its name":           {files(t, "deploy HASH user=alice", "deploy "+other.Hash()+" user=alice"), ErrSameName},
		"another key before it has its name": {files(t, "deploy "+other.Hash()+" user=alice", "deploy HASH user=alice"), ErrSameName},
	} {
		key, err := Find(test.files, digest)
		if err != test.want {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
		if (key == nil) != (test.want == ErrUnknown) {
			t.Errorf("%s: found %v", name, key)
		}
	}
}

func TestFilesThatContradictEachOtherAreNamedWithTheirKeys(t *testing.T) {
	another := DigestOf("another").Hash()
	for name, test := range map[string]struct {
		files []*Set
		want  string
	}{
		"apart":     {files(t, "deploy HASH user=alice", "other "+another+" user=alice"), ""},
		"same line": {files(t, "deploy HASH user=alice", "deploy HASH user=bob"), `2.txt: line 1: the API key "deploy" is in 1.txt, too: delete one of the two lines`},
		"same hash": {files(t, "deploy HASH user=alice", "other HASH user=bob"), `2.txt: line 1: the API key "other" has the hash of a key in 1.txt`},
		"same name": {files(t, "deploy HASH user=alice", "deploy "+another+" user=alice"), `2.txt: line 1: there is an API key "deploy" in 1.txt, too`},
		"several":   {files(t, "deploy HASH user=alice\nother "+another+" user=bob", "# none", "other "+another+" user=bob\ndeploy HASH user=alice"), `3.txt: line 1: the API key "other" is in 1.txt, too: delete one of the two lines (and 1 more key)`},
	} {
		found := Conflicts(test.files)
		if len(found) == 0 || test.want == "" {
			if len(found) > 0 || test.want != "" {
				t.Errorf("%s: found %v", name, found)
			}
			continue
		}
		names := []string{"1.txt", "2.txt", "3.txt"}
		err := found[0].Error(names[found[0].File], names[found[0].Other])
		if len(found) != 1 || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
		checkLeak(t, err)
		if !found[0].Equal(Conflicts(test.files)[0]) {
			t.Errorf("%s: it is not the same conflict when found again", name)
		}
	}
}
