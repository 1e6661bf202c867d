package monitoring

import (
	"fmt"
	"maps"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// What was counted outlives reloads, also those that fail, and is counted on.
func TestMetricsSurviveReloads(t *testing.T) {
	s := startCounted(t, "throttle off")
	count := func(when string) {
		t.Helper()
		before := s.Metrics()
		s.Relogin("alice", "wrong").Want(t, 400, "invalid_grant")
		if moved := counted(before, s.Metrics()); moved[ofLogin("invalid_grant")] != 1 || moved[ofHash] != 1 {
			t.Errorf("%s: moved: %v", when, moved)
		}
	}
	same := func(when string, before map[string]float64) {
		t.Helper()
		after := s.Metrics()
		if moved := counted(before, after); len(moved) > 0 {
			t.Errorf("%s: moved: %v", when, moved)
		}
		for series := range before {
			if _, there := after[series]; !there {
				t.Errorf("%s: %s is gone", when, series)
			}
		}
	}
	count("at first")
	before := s.Metrics()
	s.Reload("", strings.Replace(harness.WithCheapHashes(t, countedSite), "%SETTINGS%", "throttle off\n\t\taccess_token_ttl 2m", 1))
	same("after a reload", before)
	count("after a reload")

	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for name, more := range map[string]string{
		"does not start":     "http://" + busy.Addr().String() + " {\n\trespond x\n}\n",
		"is no good":         "http://127.0.0.1:%PORT% {\n\ttoken_endpoint /other {\n\t\tname other\n\t\tclient c {\n\t\t\tpublic\n\t\t}\n\t\tusers json /nowhere/users.json\n\t}\n}\n",
		"lacks an endpoint":  "http://localhost:%PORT% {\n\tbearer_auth nowhere\n\trespond x\n}\n",
		"has a wrong source": "http://localhost:%PORT% {\n\ttoken_endpoint {\n\t\tname other\n\t\tclient c {\n\t\t\tpublic\n\t\t}\n\t\tusers htpasswd %DIR%\n\t}\n}\n",
	} {
		before := s.Metrics()
		if err := s.TryReload("", strings.Replace(harness.WithCheapHashes(t, countedSite), "%SETTINGS%", "throttle off", 1)+more); err == nil {
			t.Fatalf("a config that %s loads", name)
		}
		same("after a config that "+name, before)
		count("after a config that " + name)
	}

	before = s.Metrics()
	s.Reload("", "http://127.0.0.1:%PORT% {\n\thandle /metrics {\n\t\tmetrics\n\t}\n\trespond x\n}\n")
	if left := s.Exposition(); left != "" {
		t.Errorf("without the module there is %s", left)
	}
	s.Reload("", strings.Replace(harness.WithCheapHashes(t, countedSite), "%SETTINGS%", "throttle off", 1))
	same("after a config without the module", before)
	count("after a config without the module")
}

func ofFile(metric, path, reads string) string {
	return fmt.Sprintf("file_%s{path=%q,reads=%q}", metric, path, reads)
}

const (
	entries      = "entries"
	successful   = "last_reload_successful"
	successfulAt = "last_reload_success_timestamp_seconds"
)

// What a file has, whether it is active, and since when.
func TestMetricsOfFiles(t *testing.T) {
	s := harness.NewSite(t)
	line := func(name string) string { return name + ":" + harness.CheapHash(t, "correct horse") + "\n" }
	users := s.WriteOld("users.htpasswd", line("alice")+line("bob"))
	clients := s.WriteOld("clients.htpasswd", line("machine"))
	other := s.WriteOld("other.htpasswd", line("carol"))
	config := func(name, file string) string {
		return fmt.Sprintf(`
	token_endpoint /%[1]s {
		name %[1]s
		client web {
			secret web-secret
		}
		clients htpasswd %%DIR%%/clients.htpasswd
		users htpasswd %%DIR%%/%[2]s
	}`, name, file)
	}
	load := func(endpoints ...string) error {
		return s.TryReload("", "http://127.0.0.1:%PORT% {"+strings.Join(endpoints, "")+"\n\thandle /metrics {\n\t\tmetrics\n\t}\n\trespond x\n}\n")
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	// the series of files, without the times
	want := func(when string, want map[string]float64) {
		t.Helper()
		got := s.Metrics()
		maps.DeleteFunc(got, func(series string, _ float64) bool {
			return !strings.HasPrefix(series, "file_") || strings.Contains(series, successfulAt)
		})
		if !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", when, got, want)
		}
	}
	began := float64(time.Now().Unix())
	must(load(config("one", "users.htpasswd")))
	all := map[string]float64{
		ofFile(entries, users, "users"): 2, ofFile(successful, users, "users"): 1,
		ofFile(entries, clients, "clients"): 1, ofFile(successful, clients, "clients"): 1,
	}
	want("at first", all)
	at := s.Metrics()[ofFile(successfulAt, users, "users")]
	if at < began || at > float64(time.Now().Unix()+1) {
		t.Errorf("read at %f, the test began at %f", at, began)
	}

	s.WriteOld("users.htpasswd", line("alice")+"broken\n")
	broken := ofFile(successful, users, "users")
	harness.Eventually(t, "the file is seen to be broken", func() bool { return s.Metrics()[broken] == 0 })
	all[broken] = 0
	want("broken", all)
	must(load(config("one", "users.htpasswd"), config("two", "users.htpasswd")))
	want("broken, after a reload", all)
	if now := s.Metrics()[ofFile(successfulAt, users, "users")]; now != at {
		t.Errorf("the active version was read at %f and not at %f", at, now)
	}
	s.WriteOld("users.htpasswd", line("alice")+line("bob")+line("dora"))
	harness.Eventually(t, "the file is good again", func() bool { return s.Metrics()[broken] == 1 })
	all[broken], all[ofFile(entries, users, "users")] = 1, 3
	want("mended", all)
	if now := s.Metrics()[ofFile(successfulAt, users, "users")]; now <= at {
		t.Errorf("the new version was read at %f, the one before at %f", now, at)
	}

	must(load(config("one", "users.htpasswd"), config("two", "other.htpasswd")))
	all[ofFile(entries, other, "users")], all[ofFile(successful, other, "users")] = 1, 1
	want("another file as well", all)
	s.Write("late.htpasswd", line("eve"))
	if load(config("one", "users.htpasswd"), config("two", "late.htpasswd"), config("three", "nowhere.htpasswd")) == nil {
		t.Fatal("a config with a missing file loads")
	}
	want("after a config that does not load", all)
	must(load(config("two", "other.htpasswd")))
	delete(all, ofFile(entries, users, "users"))
	delete(all, ofFile(successful, users, "users"))
	want("a file that is no longer followed", all)
	if _, there := s.Metrics()[ofFile(successfulAt, users, "users")]; there {
		t.Error("its time is left")
	}
	must(load(config("two", "other.htpasswd"), strings.Replace(config("three", "other.htpasswd"), "name three", "name three\n\t\tallow_weak_hashes", 1)))
	must(load(config("two", "other.htpasswd")))
	want("a file that was followed in two ways", all)
	must(load())
	want("without the module", map[string]float64{})
}

// How old the view of revocations is can be seen wherever tokens are checked, and
// nowhere else: a view that no config follows does not age.
func TestMetricsOfTheRevocationView(t *testing.T) {
	const view = `revocations_last_read_timestamp_seconds{server="counted"}`
	s := harness.NewSite(t)
	config := func(settings string, checked bool) string {
		text := strings.Replace(harness.WithCheapHashes(t, countedSite), "%SETTINGS%", "revocation_poll 100ms"+settings, 1)
		if !checked {
			text = regexp.MustCompile(`(?s)\tbearer_auth.*\thandle`).ReplaceAllString(text, "\thandle")
		}
		return text
	}
	read := func() float64 {
		value, there := s.Metrics()[view]
		if !there {
			return -1
		}
		return value
	}
	fresh := func(when string) {
		t.Helper()
		// 0 as long as the first reading goes on
		harness.Eventually(t, when+" it is read", func() bool { return read() != 0 })
		at := read()
		if age := float64(time.Now().UnixNano())/1e9 - at; age < -1 || age > 60 {
			t.Errorf("%s it is %f s old", when, age)
		}
		harness.Eventually(t, when+" it is read again", func() bool { return read() > at })
	}
	s.Reload("", config("", true))
	fresh("at first")
	s.Reload("", config("\n\t\taccess_token_ttl 2m", true))
	fresh("after a reload")
	s.Reload("", strings.Replace(config("", true), "issuer http://127.0.0.1", "issuer http://localhost", 1))
	fresh("with another issuer")
	if err := s.TryReload("", config("", true)+"http://localhost:%PORT% {\n\tbearer_auth nowhere\n\trespond x\n}\n"); err == nil {
		t.Fatal("a config that lacks an endpoint loads")
	}
	fresh("after a config that does not start")
	s.Reload("", config("", false))
	if at := read(); at != -1 {
		t.Errorf("no config follows it, and it was read at %f", at)
	}
	s.Reload("", config("", true))
	fresh("when tokens are checked again")
}
