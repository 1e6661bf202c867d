package redis

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/sessions"
)

// without are the rules of the user without one.
func without(rule any, rules []any) []any {
	return slices.DeleteFunc(slices.Clone(rules), func(other any) bool { return other == rule })
}

func asUser(name string) func(*Sessions) {
	return func(s *Sessions) { s.Username, s.Password = name, suitePassword }
}

// lacksRight wants the first call of an engine to say which right is missing.
func lacksRight(t *testing.T, e sessions.Engine, what string, words ...string) {
	t.Helper()
	_, err := e.Epoch(t.Context())
	if !errors.Is(err, sessions.ErrUnsuitable) {
		t.Errorf("without %s: %v, want %v", what, err, sessions.ErrUnsuitable)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("without %s: %q does not say %q", what, err, word)
		}
	}
	if strings.Contains(err.Error(), suitePassword) {
		t.Errorf("%q has a password", err)
	}
}

func TestRedisEachCommandThatTheUserLacksIsNamed(t *testing.T) {
	r := newServer(t)
	for _, empty := range []bool{true, false} {
		for i, rule := range aclRules {
			name, is := strings.CutPrefix(rule.(string), "+")
			if !is {
				continue
			}
			user := "lacks" + name + string(rune('a'+i))
			r.allow(user, suitePassword, without(rule, aclRules)...)
			lacksRight(t, open(t, r.url(), asUser(user)), rule.(string), "may not run "+strings.ToUpper(name)+":", "add "+rule.(string)+" to")
		}
		if size := r.do("DBSIZE"); empty && size != int64(0) {
			t.Errorf("%v keys are left", size)
		}
		epochOf(t, open(t, r.url()))
	}
	r.allow("lacks", suitePassword, without("+xadd", without("+hset", aclRules))...)
	lacksRight(t, open(t, r.url(), asUser("lacks")), "two", "may not run HSET, XADD: add +hset +xadd to")
	r.allow("select", suitePassword, aclRules...)
	lacksRight(t, open(t, strings.TrimSuffix(r.url(), "0")+"1", asUser("select")), "+select", "SELECT", "+select")
	renamed := newServer(t, "--rename-command", "XTRIM", "NONE")
	lacksRight(t, open(t, renamed.url()), "XTRIM", "may not run XTRIM")
}

func TestRedisKeysThatTheUserLacksAreNamed(t *testing.T) {
	r := newServer(t)
	rest := aclRules[1:]
	for pattern, says := range map[string]string{
		"~{caddy-grant:default}*":     "of its 1025 keys, such as {caddy-grant:default/000}",
		"~{caddy-grant:default}":      "of its 1025 keys, such as {caddy-grant:default",
		"~{caddy-grant:default/*":     "1 of its 1025 keys, such as {caddy-grant:default}",
		"~{caddy-grant:default[}/]??": "of its 1025 keys, such as {caddy-grant:default",
		"%R~{caddy-grant:*":           "of its 1025 keys",
		"~other:*":                    "1025 of its 1025 keys",
	} {
		r.allow("keys", suitePassword, append([]any{pattern}, rest...)...)
		lacksRight(t, open(t, r.url(), asUser("keys")), pattern, says, "add ~{caddy-grant:* to")
	}
	r.allow("keys", suitePassword, append([]any{"~{caddy-grant:default}*", "~{caddy-grant:default/*"}, rest...)...)
	epochOf(t, open(t, r.url(), asUser("keys")))
}

// A right that is taken away while a node runs is named by the next look, and one that
// is given needs no reload.
func TestRedisARightThatIsTakenAwayIsNamed(t *testing.T) {
	r := newServer(t)
	r.allow("caddy", suitePassword, aclRules...)
	e := open(t, r.url(), asUser("caddy")).(*engine)
	id := newID(epochOf(t, e))
	swap(t, e, id, 1)
	r.do("ACL", "SETUSER", "caddy", "-xadd", "-xtrim")
	if err := e.Revoke(t.Context(), id); err == nil || !strings.Contains(err.Error(), "the rules of") {
		t.Errorf("%v", err)
	}
	old := sessions.NewID(time.Now().Add(-40*24*time.Hour), id.Epoch)
	if _, err := scriptFeedAdd.Run(t.Context(), r.client(), []string{e.keys.root, e.keys.feed}, old.String()).Result(); err != nil {
		t.Fatal(err)
	}
	for range buckets / sweepLength {
		if _, err := e.Sweep(t.Context()); err == nil || !strings.Contains(err.Error(), "the rules of") {
			t.Errorf("%v", err)
		}
	}
	lacksRight(t, e, "two", "may not run XADD, XTRIM:")
	r.do("ACL", "SETUSER", "caddy", "+xadd", "+xtrim")
	if now := epochOf(t, e); now != id.Epoch {
		t.Errorf("the epoch is %s, want %s", now, id.Epoch)
	}
	revoke(t, e, id)
	if feed, _ := read(t, e, ""); len(feed) != 2 || feed[id] != 1 || feed[old] != 1 {
		t.Errorf("the feed: %v", feed)
	}
	if _, err := e.Sweep(t.Context()); err != nil {
		t.Error(err)
	}
	if feed, _ := read(t, e, ""); len(feed) != 1 || feed[id] != 1 {
		t.Errorf("the feed after a sweep: %v", feed)
	}
}

// What a user may not do has other words in each version, in a script and without one.
func TestRefusalsOfAllVersionsAreKnown(t *testing.T) {
	for text, command := range map[string]string{
		"NOPERM this user has no permissions to run the 'evalsha' command or its subcommand":                                                       "evalsha",       // Redis 6.2
		"NOPERM this user has no permissions to run the 'cluster|slots' command":                                                                   "cluster|slots", // 7.0
		"NOPERM User caddy has no permissions to run the 'eval' command":                                                                           "eval",          // 7.2
		"NOPERM this user has no permissions to access one of the keys used as arguments":                                                          "",
		"NOPERM No permissions to access a key":                                                                                                    "",
		"ERR Error running script (call to f_0): @user_script:5: The user executing the script can't run this command or subcommand":               "",
		"ERR The user executing the script can't access at least one of the keys mentioned in the command arguments script: 0, on @user_script:1.": "",
		"ERR ACL failure in script: User caddy has no permissions to run the 'xadd' command script: 0, on @user_script:5.":                         "xadd",
	} {
		if err := errors.New(text); !forbidden(err) || commandIn(err) != command {
			t.Errorf("%s: %v, %q", text, forbidden(err), commandIn(err))
		}
	}
	for _, text := range []string{"ERR unknown command", "OOM command not allowed when used memory > 'maxmemory'.", "NOAUTH Authentication required."} {
		if forbidden(errors.New(text)) {
			t.Errorf("%s: it is taken for a missing right", text)
		}
	}
}

// Each node of a cluster has users of its own.
func TestRedisClusterEachNodeNeedsTheRights(t *testing.T) {
	shards := newCluster(t)
	rules := append([]any{"+cluster|slots"}, aclRules...)
	allow := func(at int, rules []any) {
		for i, shard := range shards {
			if i == at {
				shard.allow("caddy", suitePassword, rules...)
			} else {
				shard.allow("caddy", suitePassword, append([]any{"+cluster|slots"}, aclRules...)...)
			}
		}
	}
	for at := range shards {
		for _, rule := range []any{"+hset", "+unlink", "+evalsha", "+eval", "+info"} {
			allow(at, without(rule, rules))
			lacksRight(t, open(t, clusterURL(shards), asUser("caddy")), rule.(string), "add "+rule.(string)+" to")
		}
	}
	for _, shard := range shards {
		shard.allow("caddy", suitePassword, aclRules...)
	}
	lacksRight(t, open(t, clusterURL(shards), asUser("caddy")), "+cluster|slots", "CLUSTER SLOTS", "+cluster|slots")
	allow(-1, nil)
	epochOf(t, open(t, clusterURL(shards), asUser("caddy")))
}

// What is tried at the start changes nothing of what there is.
func TestRedisTheTrialChangesNothing(t *testing.T) {
	r := newServer(t)
	e := open(t, r.url()).(*engine)
	epoch := epochOf(t, e)
	for range 20 {
		id := newID(epoch)
		swap(t, e, id, 1)
		revoke(t, e, id)
	}
	digest := r.do("DEBUG", "DIGEST")
	written := parseWritten(r.do("INFO", "replication").(string))
	if err := e.tryScripts(t.Context()); err != nil {
		t.Fatal(err)
	}
	if now := r.do("DEBUG", "DIGEST"); now != digest {
		t.Errorf("the digest was %v, and is %v", digest, now)
	}
	if now := parseWritten(r.do("INFO", "replication").(string)); now != written {
		t.Errorf("%s was replicated before, now %s", written, now)
	}
}

// parseWritten is how much was written for replicas.
func parseWritten(info string) string {
	_, text, _ := strings.Cut(info, "master_repl_offset:")
	text, _, _ = strings.Cut(text, "\r\n")
	return text
}
