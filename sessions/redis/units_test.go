package redis

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/sessions"
)

// All keys of a session, and those of the root, have one slot each; buckets have many.
func TestKeysOfASessionHaveOneSlot(t *testing.T) {
	k := newKeys("caddy-grant", "default")
	tag := regexp.MustCompile(`^\{[^{}]+\}`)
	if tag.FindString(k.root) != tag.FindString(k.feed) || k.root == k.feed {
		t.Errorf("%s and %s", k.root, k.feed)
	}
	seen := map[string]bool{k.root: true}
	for first, want := range map[string]string{"000": "000", "003": "000", "004": "001", "fff": "3ff", "abc": "2af"} {
		id := sessions.ID{Day: "20261231", Random: first + strings.Repeat("0", 37), Epoch: "0123456789abcdef"}
		of := k.of(id)
		if of[0] != "{caddy-grant:default/"+want+"}" || of[1] != of[0]+":202612310123456789abcdef" {
			t.Errorf("%s: %v", first, of)
		}
	}
	for _, bucket := range k.buckets {
		if seen[bucket] || tag.FindString(bucket) != bucket {
			t.Errorf("the bucket %s", bucket)
		}
		seen[bucket] = true
	}
}

// What one server has is never what another one has, with whatever prefix.
func TestKeysOfServersAreApart(t *testing.T) {
	owners := make(map[string]string)
	for _, prefix := range []string{"p", "p:x", "p:x:2af", "p:x/2af", "p/x", "p:x/2af:y", "p:", "p/"} {
		for _, server := range []string{"x", "y", "2af", "0", "2af-1"} {
			k, owner := newKeys(prefix, server), prefix+" "+server
			names := []string{k.root, k.feed}
			for _, bucket := range k.buckets {
				names = append(names, bucket, bucket+":202612310123456789abcdef")
			}
			for _, name := range names {
				if other, taken := owners[name]; taken {
					t.Fatalf("%s is of both %q and %q", name, other, owner)
				}
				owners[name] = owner
			}
		}
	}
}

func TestStatesAreReadStrictly(t *testing.T) {
	answer := newAnswer()
	for text, want := range map[string]sessions.State{
		"0::0:0":                  {},
		"0::0:1":                  {Revoked: true},
		"1:" + answer + ":1500:0": {Generation: 1, Answer: answer, Age: 1500 * time.Millisecond},
		"18446744073709551615:" + answer + ":0:2": {Generation: 1<<64 - 1, Answer: answer, Revoked: true},
	} {
		if got, err := parseState(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", ":::", "1:x:1", "x::0:0", "1:x:-1:0", "1:x:99999999999999999:0", "18446744073709551616:x:0:0", "1:x:0:0:0"} {
		if got, err := parseState(text); !errors.Is(err, sessions.ErrDamaged) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

func TestWhatAProcessSaysOfItself(t *testing.T) {
	const text = "# Server\r\nredis_version:7.2.4\r\nredis_mode:standalone\r\nrun_id:abc\r\n# Memory\r\nmaxmemory_policy:noeviction\r\n" +
		"aof_enabled:1\r\naof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0\r\naof_last_bgrewrite_status:ok\r\nrole:master\r\n"
	good := parseInfo(text)
	if err := good.suitable(false); err != nil || !good.aof || !good.settled || good.loading {
		t.Errorf("%+v: %v", good, err)
	}
	valkey := parseInfo(strings.Replace(text, "redis_mode:standalone", "server_mode:cluster", 1))
	if err := valkey.suitable(true); err != nil {
		t.Errorf("a cluster of Valkey: %v", err)
	}
	if err := valkey.suitable(false); !errors.Is(err, sessions.ErrUnsuitable) {
		t.Errorf("a cluster of Valkey, without cluster=true: %v", err)
	}
	for _, reads := range []string{"loading:1\r\nasync_loading:0\r\n", "loading:0\r\nasync_loading:1\r\n"} {
		if p := parseInfo(reads + strings.Replace(text, "aof_enabled:1", "aof_enabled:0", 1)); !p.loading {
			t.Errorf("%q: %+v", reads, p)
		}
	}
	for from, to := range map[string]string{
		"redis_version:7.2.4":         "redis_version:6.0.16",
		"run_id:abc":                  "",
		"maxmemory_policy:noeviction": "maxmemory_policy:volatile-lru",
		"role:master":                 "role:slave",
		"redis_mode:standalone":       "redis_mode:cluster",
		"\r\nmaxmemory_policy:":       "\r\nx:",
	} {
		p := parseInfo(strings.Replace(text, from, to, 1))
		if err := p.suitable(false); !errors.Is(err, sessions.ErrUnsuitable) {
			t.Errorf("%q: %v", to, err)
		}
	}
	for version, want := range map[string]bool{"6.2.0": true, "7.0.15": true, "8.1": true, "255.255.255": true, "6.1.9": false, "5.0": false, "": false, "x.y": false, "6": false} {
		if got := atLeast(version, 6, 2); got != want {
			t.Errorf("%q: %v", version, got)
		}
	}
	for name, from := range map[string]string{"rewrite": "aof_rewrite_in_progress:0", "schedule": "aof_rewrite_scheduled:0", "failure": "aof_last_bgrewrite_status:ok"} {
		if p := parseInfo(strings.Replace(text, from, "x:1", 1)); p.settled || !p.aof {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

// A process that ended without an append-only file is not trusted, whatever it has now.
func TestTrustIsInProcessesOrInFiles(t *testing.T) {
	for _, c := range []struct {
		runs string
		p    process
		want bool
	}{
		{"", process{run: "a", aof: true}, true},
		{"", process{run: "a"}, false},
		{"a b", process{run: "a"}, true},
		{"a b", process{run: "c", aof: true}, false},
		{noProcess, process{run: "a", aof: true}, false},
	} {
		if got := trusts(runsOf(c.runs), &c.p); got != c.want {
			t.Errorf("%q, %+v: %v", c.runs, c.p, got)
		}
	}
}

func TestTheLastDayThatIsOver(t *testing.T) {
	for _, now := range []time.Time{
		time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC), time.Date(2026, 11, 29, 23, 59, 59, 0, time.UTC), time.Date(2028, 3, 8, 12, 0, 0, 0, time.FixedZone("", -11*3600)),
	} {
		over := lastOver(now)
		next, _ := time.Parse("20060102", over.day)
		after := sessions.ID{Day: next.AddDate(0, 0, 1).Format("20060102")}
		if now.UnixMilli() < over.over || !now.Before(after.Over()) {
			t.Errorf("%v: %+v", now, over)
		}
	}
}

// A script's keys are given to it, but for those that are made of a bucket's name. No
// script calls what is not in README.md.
func TestScriptsCallOnlyWhatTheRulesOfTheUserHave(t *testing.T) {
	calls := regexp.MustCompile(`redis\.p?call\('([A-Z]+)'`)
	allowed := make(map[string]bool)
	for _, rule := range aclRules {
		if name, is := strings.CutPrefix(rule.(string), "+"); is {
			allowed[strings.ToUpper(name)] = true
		}
	}
	found := make(map[string]bool)
	files, err := fs.Glob(sources, "scripts/*.lua")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		text, err := sources.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range calls.FindAllStringSubmatch(string(text), -1) {
			found[call[1]] = true
			if !allowed[call[1]] {
				t.Errorf("%s calls %s, which no rule allows", name, call[1])
			}
		}
	}
	for _, sent := range []string{"HEXISTS", "HGETALL"} { // without a script
		found[sent] = true
	}
	trial, err := sources.ReadFile("scripts/trial.lua")
	if err != nil {
		t.Fatal(err)
	}
	tried := make(map[string]bool)
	for _, call := range regexp.MustCompile(`\{'([A-Z]+)'`).FindAllStringSubmatch(string(trial), -1) {
		if tried[call[1]] = true; !found[call[1]] {
			t.Errorf("the trial calls %s, which no other script does", call[1])
		}
	}
	for name := range found {
		if !tried[name] {
			t.Errorf("the trial does not call %s", name)
		}
	}
	for _, sent := range []string{"INFO", "EVAL", "EVALSHA"} {
		found[sent] = true
	}
	for name := range allowed {
		if !found[name] {
			t.Errorf("the rules allow %s, which is not called", name)
		}
	}
}

// What a server says of an unknown command repeats its arguments.
func TestPasswordsAreNotInWhatAServerSays(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go echo(conn)
		}
	}()
	for _, change := range []func(*Sessions){
		func(s *Sessions) { s.Password = secret },
		func(s *Sessions) { s.Username, s.Password = "caddy", secret },
		func(s *Sessions) { s.URL = strings.Replace(s.URL, "redis://", "redis://caddy:"+secret+"@", 1) },
	} {
		e := open(t, "redis://"+l.Addr().String(), change)
		_, err := e.Epoch(t.Context())
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%v", err)
		}
		if _, err := e.Load(t.Context(), newID(sessions.NewEpoch())); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%v", err)
		}
	}
}

// echo answers each command with an error that repeats it.
func echo(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		line, err := in.ReadString('\n')
		var n int
		if _, bad := fmt.Sscanf(line, "*%d", &n); err != nil || bad != nil {
			return
		}
		var all []string
		for range n {
			var length int
			header, err := in.ReadString('\n')
			if _, bad := fmt.Sscanf(header, "$%d", &length); err != nil || bad != nil {
				return
			}
			text := make([]byte, length+2)
			if _, err := io.ReadFull(in, text); err != nil {
				return
			}
			all = append(all, "'"+string(text[:length])+"'")
		}
		fmt.Fprintf(conn, "-ERR unknown command %s, with args beginning with: %s\r\n", all[0], strings.Join(all[1:], " "))
	}
}

func TestTheREADMEHasTheRulesOfTheUser(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	want := "ACL SETUSER caddy on >PASSWORD"
	for _, rule := range aclRules {
		want += " " + rule.(string)
	}
	if !strings.Contains(string(text), want+"\n") {
		t.Errorf("README.md has not %s", want)
	}
	for _, name := range parameters {
		if name != "cluster" && !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("README.md has not the parameter %s", name)
		}
	}
}
