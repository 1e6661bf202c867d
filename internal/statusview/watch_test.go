package statusview

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/internal/adminapi"
)

// watch watches until the test ends, and returns a function that waits for a view.
func watch(t *testing.T, nodes map[string]*fake) func(ok func(map[string]Node) bool) map[string]Node {
	t.Helper()
	var targets []Target
	for address, source := range nodes {
		targets = append(targets, Target{address, source})
	}
	changed := make(chan struct{}, 1)
	w := NewWatcher(targets, time.Millisecond, func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return func(ok func(map[string]Node) bool) map[string]Node {
		t.Helper()
		for {
			by := make(map[string]Node)
			for _, node := range w.View().Nodes {
				by[node.Address] = node
			}
			if ok(by) {
				return by
			}
			select {
			case <-changed:
			case <-time.After(time.Minute):
				t.Fatalf("the view stays %+v", by)
			}
		}
	}
}

func TestNodeThatDoesNotAnswerHoldsUpNoOther(t *testing.T) {
	view := watch(t, map[string]*fake{
		"good":    {statuses: []adminapi.Status{{Name: "default"}}, metrics: requests(1, 5, 0)},
		"refuses": {err: errors.New("connection refused")},
		"hangs":   {hang: true},
	})
	nodes := view(func(by map[string]Node) bool {
		good := by["good"]
		return by["refuses"].Asked && len(good.Servers) == 1 && good.Servers[0].Done[0].Known
	})
	if got := nodes["refuses"]; got.Error != "connection refused" || got.Servers != nil {
		t.Errorf("the node that refuses: %+v", got)
	}
	if got := nodes["good"]; got.Error != "" || got.Servers[0].Done[0].Total != 5 {
		t.Errorf("the good node: %+v", got)
	}
	if nodes["hangs"].Asked {
		t.Errorf("the node that hangs: %+v", nodes["hangs"])
	}
}

func TestNodeThatHangsIsGivenUp(t *testing.T) {
	w := NewWatcher([]Target{{"hangs", &fake{hang: true}}}, time.Hour, func() {})
	w.patience = time.Millisecond
	w.nodes[0].look(t.Context(), w.patience)
	if got := w.View().Nodes[0]; got.Error != "no answer within 1ms" || got.Why() != "no answer within 1ms. It has not answered yet" {
		t.Errorf("got %+v", got)
	}
}

func TestNodeWithoutMetricsShowsItsState(t *testing.T) {
	view := watch(t, map[string]*fake{"a": {statuses: []adminapi.Status{{
		Name: "default", Files: []adminapi.File{{Path: "/etc/users", Reads: "users", Entries: 3, Error: "line 2: no colon"}},
	}}}})
	node := view(func(by map[string]Node) bool { return by["a"].Asked })["a"]
	if !strings.Contains(node.Warning, "404 Not Found") || node.Servers[0].Done != nil {
		t.Errorf("got %+v", node)
	}
	if !hasFact(node.Servers[0].Facts, "/etc/users is BROKEN: line 2: no colon. No version of it is active", Bad) {
		t.Errorf("facts: %+v", node.Servers[0].Facts)
	}
}

// Outside issuers belong to no server, and a Caddy may have nothing else.
func TestOutsideIssuersAreShownWithTheirErrors(t *testing.T) {
	now := time.Now()
	view := watch(t, map[string]*fake{"a": {issuers: []adminapi.Issuer{
		{URL: "https://a.example", Keys: 2, FetchedAt: &now},
		{URL: "https://d.example", FetchedAt: &now},
		{URL: "https://b.example", Keys: 1, FetchedAt: &now, Error: "\x1b[31mrefused"},
		{URL: "https://c.example"},
	}}})
	facts := view(func(by map[string]Node) bool { return by["a"].Asked })["a"].Facts
	for text, level := range map[string]Level{
		"https://a.example: 2 keys, fetched " + clock(now, now):                                                      Normal,
		"https://b.example: 1 key, fetched " + clock(now, now) + ". FETCHING FAILS: " + Printable("\x1b[31mrefused"): Bad,
		"https://d.example: it has withdrawn its keys, so its tokens are answered 401, fetched " + clock(now, now):   Bad,
		"https://c.example: no keys yet, so its tokens are answered 503":                                             Notice,
	} {
		if !hasFact(facts, text, level) {
			t.Errorf("%q is not among %+v", text, facts)
		}
	}
}

func TestAFileOfAPIKeysIsCalledByWords(t *testing.T) {
	status := &adminapi.Status{Files: []adminapi.File{{Path: "/etc/keys", Reads: "api_keys", Entries: 2, LoadedAt: time.Now()}}}
	if got := facts(status, time.Now()); !strings.Contains(got[2].Text, "/etc/keys: 2 API keys, loaded") {
		t.Errorf("%+v", got)
	}
}

func hasFact(facts []Fact, text string, level Level) bool {
	for _, fact := range facts {
		if fact.Text == text && fact.Level == level {
			return true
		}
	}
	return false
}

// Whatever field a status gets, its text comes out printable.
func TestNoTextOfAStatusReachesTheTerminalAsItIs(t *testing.T) {
	const hostile = "a\x1b]0;title\x07\x1b[2J\x9bb\u202ec\x00\r\n\u2028"
	var status adminapi.Status
	fill(reflect.ValueOf(&status).Elem(), hostile)
	view := watch(t, map[string]*fake{"\x1b[31mnode": {
		statuses: []adminapi.Status{status},
		metrics:  strings.ReplaceAll(requests(1, 1, 1), `"invalid_grant"`, "\"\x1b[31m\u202e\""),
	}})
	node := view(func(by map[string]Node) bool {
		for _, node := range by {
			return node.Asked
		}
		return false
	})
	wantPrintable(t, reflect.ValueOf(node))
}

func fill(value reflect.Value, text string) {
	switch value.Kind() {
	case reflect.String:
		value.SetString(text)
	case reflect.Slice:
		value.Set(reflect.MakeSlice(value.Type(), 1, 1))
		fill(value.Index(0), text)
	case reflect.Struct:
		if value.Type() != reflect.TypeFor[time.Time]() {
			for i := range value.NumField() {
				fill(value.Field(i), text)
			}
		}
	}
}

func wantPrintable(t *testing.T, value reflect.Value) {
	t.Helper()
	switch value.Kind() {
	case reflect.String:
		if text := value.String(); strings.ContainsFunc(text, isHidden) {
			t.Errorf("%q would be printed", text)
		}
	case reflect.Slice:
		for i := range value.Len() {
			wantPrintable(t, value.Index(i))
		}
	case reflect.Map:
		for _, key := range value.MapKeys() {
			wantPrintable(t, key)
			wantPrintable(t, value.MapIndex(key))
		}
	case reflect.Struct:
		if value.Type() != reflect.TypeFor[time.Time]() {
			for i := range value.NumField() {
				wantPrintable(t, value.Field(i))
			}
		}
	}
}

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"/srv/Benutzer für alle 用户": "/srv/Benutzer für alle 用户",
		"a\x1b[31mb":                `a\x1b[31mb`,
		"line 1\nline 2":            `line 1\nline 2`,
		"bad \xff byte":             `bad \xff byte`,
		"\u202etxt.exe":             `\u202etxt.exe`,
		strings.Repeat("ü", 300):    strings.Repeat("ü", 200) + "…",
		strings.Repeat("aü", 300):   strings.Repeat("aü", 133) + "a…",
	} {
		if got := Printable(text); got != want {
			t.Errorf("%q is printed as %q, want %q", text, got, want)
		}
	}
}
