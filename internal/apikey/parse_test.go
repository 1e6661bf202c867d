package apikey

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// fill puts the test's hash, key, and other hashes where a test has HASH, KEY, H1 and H2.
func fill(text string) string {
	return strings.NewReplacer("HASH", "sha256:"+testHex, "KEY", testKey, "HEX", testHex, "H1", hashOf(1), "H2", hashOf(2)).Replace(text)
}

// parsers are those of both formats.
var parsers = map[string]func([]byte) (*Set, error){"json": ParseJSON, "lines": ParseLines}

// keysOf are the keys of a set as they are written.
func keysOf(set *Set) (keys []Key) {
	for k := range set.All() {
		written := *k
		written.digest, written.fingerprint, written.ends = Digest{}, "", time.Time{}
		keys = append(keys, written)
	}
	return keys
}

func TestBothFormatsSayTheSame(t *testing.T) {
	want := []Key{
		{Name: "deploy", Hash: "sha256:" + testHex, User: "alice", Scopes: []string{"a", "b:c"}, Audience: []string{"api", "https://x/?a=b"}, Expires: "2027-01-31", Note: "from CI, = and # included"},
		{Name: "backup", Hash: hashOf(1), UserID: "auth0|7"},
		{Name: "émile", Hash: hashOf(2), Client: "batch", Expires: "2027-01-31T18:00:00Z"},
	}
	for format, text := range map[string]string{
		"lines": "# keys\n\ndeploy HASH user=alice scopes=a,b:c audience=api,https://x/?a=b expires=2027-01-31 note=from CI, = and # included\n" +
			"  backup\t\tH1   user_id=auth0|7\t \r\n#old H2 user=x\némile H2 expires=2027-01-31T18:00:00Z client=batch",
		"json": `{"users": [{"username": "alice"}], "api_keys": [
			{"name": "deploy", "hash": "HASH", "user": "alice", "scopes": ["a", "b:c"], "audience": ["api", "https://x/?a=b"], "expires": "2027-01-31", "note": "from CI, = and # included"},
			{"name": "backup", "hash": "H1", "user_id": "auth0|7"},
			{"name": "émile", "hash": "H2", "client": "batch", "expires": "2027-01-31T18:00:00Z"}
		], "clients": []}`,
	} {
		for _, mark := range []string{"", "\xEF\xBB\xBF"} {
			set, err := parsers[format]([]byte(mark + fill(text)))
			if err != nil {
				t.Errorf("%s: %v", format, err)
				continue
			}
			if got := keysOf(set); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: got %+v", format, names(set))
			}
		}
	}
}

func names(set *Set) (all []string) {
	for k := range set.All() {
		all = append(all, k.Name)
	}
	return all
}

func TestAFileWithoutAKeyIsValidSoThatTheLastOneCanBeRevoked(t *testing.T) {
	for format, texts := range map[string][]string{
		"lines": {"", "\n", "# none\n"},
		"json":  {`{"api_keys": []}`, `{"users": [{}], "api_keys": []}`},
	} {
		for _, text := range texts {
			if set, err := parsers[format]([]byte(text)); err != nil || set.Len() != 0 {
				t.Errorf("%s %q: %v", format, text, err)
			}
		}
	}
}

func TestMistakesInLinesAreNamedByLineAndNotShown(t *testing.T) {
	for text, want := range map[string]string{
		"deploy":                                                   "line 1: \"deploy\": it has no hash",
		"deploy HASH":                                              "line 1: \"deploy\": it has no owner",
		"deploy KEY user=alice":                                    "has only its hash",
		"KEY user=alice":                                           "begins with the name",
		"KEY deploy user=alice":                                    "begins with the name",
		"HASH deploy user=alice":                                   "begins with the name",
		"deploy user=alice HASH":                                   "the hash comes after the name",
		"deploy HEX user=alice":                                    `write "sha256:" before`,
		"\n# c\ndeploy HASH user=alice user=b":                     "line 3: duplicate field user",
		"deploy HASH user=alice client=b":                          "more than one owner",
		"deploy HASH user=alice scope=a":                           `unknown field "scope"; those of a line are user, user_id`,
		"deploy HASH User=alice":                                   `unknown field "User"`,
		"deploy HASH HEX=alice":                                    "odd form (not shown)",
		"deploy HASH user=alice KEY":                               "has no =",
		"deploy HASH user=alice smith":                             "needs the JSON format",
		"deploy HASH user=alice # mine":                            "a comment has a line of its own",
		"deploy HASH user=":                                        "user= has no value",
		"deploy HASH user=alice note=":                             "note= has no value",
		"deploy HASH user=alice scopes=a,,b":                       "nothing beside a comma",
		"deploy HASH user=alice scopes=a,":                         "nothing beside a comma",
		"deploy HASH user=alice scopes=a,KEY,a,":                   "nothing beside a comma",
		"deploy HASH user=alice expires=KEY":                       "not a date",
		"deploy HASH user=alice note=KEY":                          "revoke that key",
		"deploy HASH user=alice\ndeploy H1 user=bob":               "line 2: \"deploy\" is already on line 1",
		"deploy HASH user=alice\n\nother HASH user=bob":            "line 3: \"other\": it has the hash of the key on line 1",
		"a\nb\nc H1 user=alice":                                    "2 problems: line 1: \"a\": it has no hash",
		"deploy HASH user=alice note=" + strings.Repeat("x", 4096): "longer than 4096 bytes",
		"deploy HASH user=\xff":                                    "not valid UTF-8",
		`{"api_keys": []}`:                                         "it is JSON",
		"api_keys:\n  - name: x":                                   "has no hash",
		"---\nname: x":                                             "it is YAML",
	} {
		set, err := ParseLines([]byte(fill(text)))
		if set != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
		checkLeak(t, err)
	}
}

func TestMistakesInJSONAreNamedByPlaceAndNotShown(t *testing.T) {
	for text, want := range map[string]string{
		``:                   "the file is empty",
		`{"users": []}`:      `no list "api_keys"`,
		`{"keys": []}`:       "the known keys are api_keys, clients, users",
		`[]`:                 "no JSON object",
		`{"api_keys": {}}`:   `key "api_keys" must be a list`,
		`{"api_keys": [{}]}`: "api_keys[0] (line 1): name: there is none",
		`{"api_keys": [{"name": "deploy", "hash": "KEY", "user": "alice"}]}`:                                                            `api_keys[0] (line 1): "deploy": hash: this is a key`,
		`{"api_keys": [{"name": "KEY", "hash": "deploy", "user": "alice"}]}`:                                                            "not shown",
		`{"api_keys": [{"name": "HEX", "hash": "deploy", "user": "alice"}]}`:                                                            "not shown",
		`{"api_keys": [{"name": "deploy", "hash": "HASH", "user": "alice", "scope": "a"}]}`:                                             `unknown key "scope"`,
		`{"api_keys": [{"name": "deploy", "hash": "HASH", "user": "alice", "KEY": "a"}]}`:                                               "not shown",
		`{"api_keys": [{"name": "deploy", "Hash": "HASH", "user": "alice"}]}`:                                                           `it is written "hash"`,
		`{"api_keys": [{"name": "deploy", "hash": "HASH", "user": null}]}`:                                                              `key "user" is null`,
		`{"api_keys": [{"name": "deploy", "hash": "HASH", "user": "alice", "scopes": "a"}]}`:                                            `key "scopes": must be a list`,
		`{"api_keys": [{"name": "deploy", "hash": "HASH", "user": "alice", "expires": ""}]}`:                                            "expires: it is empty",
		`{"api_keys": [{"name": "deploy", "hash": "HASH", "user": "alice", "expires": 1800000000}]}`:                                    `key "expires": must be a string`,
		`{"api_keys": [{"name": "deploy", "hash": "HASH", "hash": "H1", "user": "alice"}]}`:                                             `duplicate key "hash"`,
		"{\"api_keys\": [{\"name\": \"d\", \"hash\": \"H1\", \"user\": \"a\"},\n{\"name\": \"d\", \"hash\": \"H2\", \"user\": \"a\"}]}": `api_keys[1] (line 2): "d" is already on api_keys[0] (line 1)`,
		"{\"api_keys\": [{\"name\": \"d\", \"hash\": \"H1\", \"user\": \"a\"},\n{\"name\": \"e\", \"hash\": \"H1\", \"user\": \"a\"}]}": `api_keys[1] (line 2): "e": it has the hash of the key on line 1`,
		"deploy HASH user=alice": "it has one key a line, and is not JSON",
		"deploy:x":               "it is not JSON",
		"api_keys:":              "not valid JSON",
		"---\na: b":              "it is YAML",
	} {
		set, err := ParseJSON([]byte(fill(text)))
		if set != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
		checkLeak(t, err)
	}
}

func TestAFileOfTheOtherFormatIsKnownAsSuch(t *testing.T) {
	if _, err := ParseJSON([]byte(fill("# c\ndeploy HASH user=alice\n"))); !errors.Is(err, ErrLines) {
		t.Errorf("got %v", err)
	}
	if _, err := ParseLines([]byte("{\n\"api_keys\": []}")); !errors.Is(err, ErrJSON) {
		t.Errorf("got %v", err)
	}
}

func TestAllMistakesOfAFileAreReportedAtOnce(t *testing.T) {
	text := strings.Repeat("x\n", 30)
	_, err := ParseLines([]byte(text))
	if err == nil || !strings.HasPrefix(err.Error(), "30 problems: ") || !strings.Contains(err.Error(), "and 10 more") {
		t.Errorf("got %v", err)
	}
	if !slices.ContainsFunc(strings.Split(err.Error(), "; "), func(s string) bool { return strings.HasPrefix(s, "line 20: ") }) {
		t.Errorf("line 20 is not named: %v", err)
	}
}
