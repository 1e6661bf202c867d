package keys

import (
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// twoFiles is [liveSite] with a second file of keys.
var twoFiles = strings.Replace(liveSite, "api_keys lines %DIR%/keys.txt", "api_keys lines %DIR%/keys.txt\n\t\tapi_keys lines %DIR%/more.txt", 1)

// startTwoFiles serves [twoFiles] to alice and bob.
func startTwoFiles(t *testing.T, keys ring, first, second string) live {
	t.Helper()
	l := live{ring: keys, hash: harness.CheapHash(t, "correct horse")}
	l.Site = harness.ApartIn(t, twoFiles, func(s *harness.Site) {
		l.Site = s
		l.write(list(user("alice", ``), user("bob", ``)), list(batch))
		s.WriteOld("keys.txt", first)
		s.WriteOld("more.txt", second)
	})
	return l
}

// grant runs a command on the Caddy of the site.
func (l live) grant(exit int, args ...string) string {
	l.T.Helper()
	cmd := harness.CaddyCommand(l.T.Context(), l.T, l.T.TempDir(), append(append([]string{"grant"}, args...), "--address", l.Admin())...)
	out, _ := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != exit {
		l.T.Errorf("%v: exit %d, want %d: %s", args, got, exit, out)
	}
	return string(out)
}

// conflicts are the lines of the log about keys in two files.
func (l live) conflicts() []map[string]any {
	return l.Logged(func(line map[string]any) bool {
		return line["level"] == "error" && strings.Contains(text(line, "msg"), "two files have them")
	})
}

func TestANameInTwoFilesIsRefusedUntilItIsInOne(t *testing.T) {
	keys := make(ring)
	first := keys.lines("same", "user=alice", "alone", "user=alice")
	l := startTwoFiles(t, keys, first, keys.line("bobs", "user=bob"))
	l.want(200, "same", "alone", "bobs")

	again := make(ring)
	more := keys.line("bobs", "user=bob") + again.line("same", "user=bob") // another key of that name
	l.WriteOld("more.txt", more)
	if out := l.grant(1, "reload"); !strings.Contains(out, `there is an API key "same" in api_keys file `) {
		t.Errorf("reload says %s", out)
	}
	if out := l.grant(0, "status"); !strings.Contains(out, "Keys are refused: ") {
		t.Errorf("status says %s", out)
	}
	l.want(401, "same")
	if got := l.LastReason(); got != "another file of the server has an API key of that name" {
		t.Errorf("the log says %q", got)
	}
	l.ring["again"] = again.key("same")
	l.want(401, "again")
	l.want(200, "alone", "bobs")

	// a config that is changed for another reason is loaded, and not one with a new file
	l.Reload("", strings.Replace(twoFiles, "read write", "read write more", 1))
	l.want(401, "same", "again")
	harness.WantLoadError(t, l.TryReload("", strings.Replace(twoFiles, "api_keys lines %DIR%/more.txt", "api_keys json %DIR%/more.json", 1)), "more.json")
	l.WriteOld("third.txt", keys.line("alone", "user=alice"))
	harness.WantLoadError(t, l.TryReload("", strings.Replace(twoFiles, "more.txt", "third.txt", 1)), "third.txt", "alone", "delete one of the two lines")

	// a start fails, as the log has said
	lines := l.conflicts()
	if len(lines) != 2 || !strings.Contains(text(lines[0], "msg"), "Caddy would not start") || !strings.Contains(text(lines[0], "error"), `"same"`) {
		t.Errorf("once for each config: %v", lines)
	}
	config, err := harness.Adapt(l.Expand(strings.Replace(harness.GlobalOptions, "%OPTIONS%", "", 1) + twoFiles))
	if err != nil {
		t.Fatal(err)
	}
	harness.WantLoadError(t, harness.Validate(t, string(config)), "more.txt", `there is an API key "same" in api_keys file `, "keys.txt")

	// and the other file may be the one that is mended
	l.WriteOld("keys.txt", keys.line("alone", "user=alice"))
	l.grant(0, "reload")
	l.want(200, "again", "alone", "bobs")
	l.want(401, "same")
	for name, key := range keys {
		if strings.Contains(l.RawLog(), key[8:]) {
			t.Errorf("the log has the key %s", name)
		}
	}
}

func TestAKeyInTwoFilesIsRefusedUntilItIsInOne(t *testing.T) {
	keys := make(ring)
	shared := keys.line("shared", "user=alice")
	l := startTwoFiles(t, keys, shared, keys.line("bobs", "user=bob"))
	l.want(200, "shared", "bobs")

	// also if one of its two owners is not there, which ends keys for good otherwise
	l.WriteOld("more.txt", keys.line("bobs", "user=bob")+strings.NewReplacer("shared ", "copy ", "alice", "carol").Replace(shared))
	if out := l.grant(1, "reload"); !strings.Contains(out, `the API key "copy" has the hash of a key in api_keys file `) {
		t.Errorf("reload says %s", out)
	}
	l.want(401, "shared")
	if got := l.LastReason(); got != "another file of the server has this API key, too" {
		t.Errorf("the log says %q", got)
	}
	l.want(200, "bobs")

	l.WriteOld("more.txt", keys.line("bobs", "user=bob"))
	l.grant(0, "reload")
	l.want(200, "shared", "bobs")

	// a start fails
	l.WriteOld("more.txt", strings.Replace(shared, "shared ", "copy ", 1))
	config, err := harness.Adapt(l.Expand(strings.Replace(harness.GlobalOptions, "%OPTIONS%", "", 1) + twoFiles))
	if err != nil {
		t.Fatal(err)
	}
	err = harness.Validate(t, string(config))
	harness.WantLoadError(t, err, "more.txt", `the API key "copy" has the hash of a key in`, "keys.txt", "one name and one owner")
}

func TestServersMayHaveTheSameKeys(t *testing.T) {
	keys := make(ring)
	site := harness.NewSite(t)
	site.Write("keys.txt", keys.line("same", "user=alice"))
	site.Write("other.txt", keys.line("same", "user=alice"))
	endpoint := func(path, name, file string) string {
		return "route " + path + "* {\ntoken_endpoint " + path + "/token {\nname " + name + "\nuser alice " + harness.HashCheap + "\napi_keys lines %DIR%/" + file + "\n}\nbearer_auth " + name + " {\nkeys\n}\nrespond in\n}\n"
	}
	site.Reload("", "http://127.0.0.1:%PORT% {\nbind 127.0.0.1\n"+endpoint("/one", "one", "keys.txt")+endpoint("/two", "two", "other.txt")+"}\n")
	for _, path := range []string{"/one/app", "/two/app"} {
		if a := site.Do(site.Request("GET", path, "", harness.Bearer(keys.key("same")))); a.Status != 200 {
			t.Errorf("%s: got %d", path, a.Status)
		}
	}
}

// What another server follows already is as new to this one as a file that nobody does.
func TestAReloadIsRefusedThatBringsAConflict(t *testing.T) {
	keys := make(ring)
	site := harness.NewSite(t)
	site.Write("keys.txt", keys.line("same", "user=alice"))
	site.Write("other.txt", keys.line("same", "user=alice"))
	endpoint := func(name string, files ...string) string {
		text := "route /" + name + "* {\ntoken_endpoint /" + name + "/token {\nname " + name + "\nuser alice " + harness.HashCheap + "\n"
		for _, file := range files {
			text += "api_keys lines %DIR%/" + file + "\n"
		}
		return text + "}\nbearer_auth " + name + " {\nkeys\n}\nrespond in\n}\n"
	}
	config := func(endpoints ...string) string {
		return "http://127.0.0.1:%PORT% {\nbind 127.0.0.1\n" + strings.Join(endpoints, "") + "}\n"
	}
	site.Reload("", config(endpoint("one", "keys.txt"), endpoint("two", "other.txt")))
	for _, one := range []string{endpoint("one", "keys.txt", "other.txt"), endpoint("one", "other.txt", "keys.txt")} {
		harness.WantLoadError(t, site.TryReload("", config(one, endpoint("two", "other.txt"))), `the API key "same" is in api_keys file `)
	}
	for _, path := range []string{"keys.txt", "../" + site.Dir[strings.LastIndex(site.Dir, "/")+1:] + "/keys.txt"} {
		harness.WantLoadError(t, site.TryReload("", config(endpoint("one", "keys.txt", path))), "api_keys "+site.Path("keys.txt")+": the file is listed twice")
	}
	if a := site.Do(site.Request("GET", "/one", "", harness.Bearer(keys.key("same")))); a.Status != 200 {
		t.Errorf("got %d", a.Status)
	}
}
