package statusview

import (
	"fmt"
	"strings"
	"time"

	"github.com/caddygrant/caddy-grant/internal/adminapi"
)

// hashing says how busy the hashing of passwords is.
func (h *history) hashing(checks adminapi.Checks) Fact {
	fact := Fact{Label: "Passwords", Text: fmt.Sprintf("%d of %d running, %d of %d waiting", checks.Running, checks.Concurrency, checks.Waiting, checks.Queue)}
	if checks.Waiting > 0 {
		fact.Level = Notice
	}
	spent := h.sum(func(s series) bool { return s.metric == metricHashTime })
	count := h.sum(func(s series) bool { return s.metric == metricHashed })
	if count.minute >= 1 {
		fact.Text += fmt.Sprintf("; %.0f ms each", 1000*spent.minute/count.minute)
	}
	if shed := h.passwords()["shed"]; shed.minute >= 1 {
		fact.Text += fmt.Sprintf("; %.0f turned away in the last minute, because the queue is full", shed.minute)
		fact.Level = Bad
	}
	return fact
}

// facts are those of a server.
func facts(status *adminapi.Status, now time.Time) []Fact {
	all := []Fact{throttle(status.Throttle)}
	for _, key := range status.Keys {
		all = append(all, keyFact(key, now))
	}
	if len(status.Keys) == 0 {
		all = append(all, Fact{"Key", "none: no token can be signed or verified", Bad})
	}
	for _, file := range status.Files {
		all = append(all, fileFact(file, now))
	}
	all = append(all,
		Fact{Label: "Users", Text: plural(status.Users.Count, "user") + partial(status.Users) + ", " + clients(status)},
		revoked(status.Sessions, now))
	all = append(all, engines(status.Sessions, now)...)
	for i, ended := range status.Ended {
		if i == mostEnded {
			all = append(all, Fact{Label: "Ended", Text: fmt.Sprintf("%d more before that: see caddy grant status", len(status.Ended)-i)})
			break
		}
		all = append(all, Fact{Label: "Ended", Text: endedText(ended, now)})
	}
	if !status.StartedAt.IsZero() {
		all = append(all, Fact{Label: "Config", Text: "active since " + clock(status.StartedAt, now)})
	}
	return all
}

// mostEnded is how many of the latest marks are shown.
const mostEnded = 3

func throttle(t adminapi.Throttle) Fact {
	switch {
	case t.Off:
		return Fact{Label: "Throttled", Text: "no one: throttling is off", Level: Notice}
	case t.Accounts+t.Pairs+t.Addresses == 0:
		return Fact{Label: "Throttled", Text: "no one"}
	}
	return Fact{Label: "Throttled", Level: Notice, Text: fmt.Sprintf("%s, %s from one source, %s",
		plural(t.Accounts, "account"), plural(t.Pairs, "account"), plurals(t.Addresses, "address", "addresses"))}
}

func keyFact(key adminapi.Key, now time.Time) Fact {
	text := key.Stage
	if key.Since != nil {
		text += " since " + clock(*key.Since, now)
	}
	if key.Until != nil {
		text += " until " + clock(*key.Until, now)
	}
	text += fmt.Sprintf(", %s, kid %s", key.Algorithm, key.ID)
	return Fact{Label: "Key", Text: text}
}

func fileFact(file adminapi.File, now time.Time) Fact {
	entries := plural(file.Entries, strings.ReplaceAll(strings.TrimSuffix(file.Reads, "s"), "api_key", "API key"))
	switch reason := strings.TrimSuffix(file.Reason(), "."); {
	case file.Error == "" && file.Conflict != "":
		return Fact{"File", fmt.Sprintf("%s: %s, and keys are REFUSED: %s", file.Path, entries, file.Conflict), Bad}
	case file.Error == "":
		return Fact{Label: "File", Text: fmt.Sprintf("%s: %s, loaded %s", file.Path, entries, clock(file.LoadedAt, now))}
	case file.LoadedAt.IsZero():
		return Fact{"File", fmt.Sprintf("%s is BROKEN: %s. No version of it is active", file.Path, reason), Bad}
	default:
		return Fact{"File", fmt.Sprintf("%s is BROKEN: %s. The version of %s is active: %s", file.Path, reason, clock(file.LoadedAt, now), entries), Bad}
	}
}

// issuerFact is about the keys of an outside issuer.
func issuerFact(name string, issuer adminapi.Issuer, now time.Time) Fact {
	fact := Fact{Label: "Issuer", Text: name + ": "}
	switch {
	case issuer.FetchedAt == nil:
		fact.Text += "no keys yet, so its tokens are answered 503"
		fact.Level = Notice
	case issuer.Keys == 0:
		fact.Text += "it has withdrawn its keys, so its tokens are answered 401, fetched " + clock(*issuer.FetchedAt, now)
		fact.Level = Bad
	default:
		fact.Text += plural(issuer.Keys, "key") + ", fetched " + clock(*issuer.FetchedAt, now)
	}
	if issuer.Error != "" {
		fact.Text += ". FETCHING FAILS: " + issuer.Error
		fact.Level = Bad
	}
	return fact
}

func revoked(k adminapi.Knowledge, now time.Time) Fact {
	fact := Fact{Label: "Revoked", Text: plural(k.Revoked, "session")}
	from, what := " from storage", ", storage"
	if len(k.Engines) > 0 {
		from, what = "", ","
	}
	switch {
	case k.ReadAt != nil:
		fact.Text += ", read" + from + " " + clock(*k.ReadAt, now)
	case k.Error == "":
		fact.Text += what + " not read yet"
	}
	if fails := k.OtherError(); fails != "" {
		fact.Text += ". STORAGE FAILS: " + fails
		fact.Level = Bad
	}
	return fact
}

// engines are where sessions live, if that is not the storage alone.
func engines(k adminapi.Knowledge, now time.Time) (facts []Fact) {
	for i, engine := range k.Engines {
		fact := Fact{Label: "Engine", Text: engine.Name}
		if i == 0 {
			fact.Text += ", where sessions begin"
		}
		switch {
		case engine.Error == "":
			fact.Text += ", answers"
		case engine.FailingSince != nil:
			fact.Text += " FAILS since " + clock(*engine.FailingSince, now) + ": " + engine.Error
		default:
			fact.Text += " FAILS: " + engine.Error
		}
		if engine.Error != "" {
			fact.Level = Bad
		}
		facts = append(facts, fact)
	}
	return facts
}

func endedText(ended adminapi.EndedAll, now time.Time) string {
	of := "of the server"
	if ended.Of != "" {
		of = "of " + ended.Scope + " " + ended.Of
	}
	return fmt.Sprintf("all sessions %s that began before %s", of, clock(ended.At, now))
}

// clients counts the login page apart, which is in no file.
func clients(status *adminapi.Status) string {
	listed, page := status.ListedClients()
	text := plural(listed.Count, "client") + partial(listed)
	if page {
		text += ", and the login page"
	}
	return text
}

func partial(c adminapi.Count) string {
	if c.Partial {
		return " (without sources that cannot list them)"
	}
	return ""
}

func plural(n int, word string) string { return plurals(n, word, word+"s") }

func plurals(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

// clock is the time of day, with the date if that is not today.
func clock(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return t.Format(time.TimeOnly)
	}
	return t.Format("2006-01-02 15:04")
}
