package configreview

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/password"
	"github.com/caddygrant/caddy-grant/internal/userfile"
)

// ofList is about a file of users or clients: who can read it, and what is in it. What
// is wrong with the file as a whole, Caddy says.
func (r *review) ofList(e *endpoint, what, format, path string) {
	path = resolved(path)
	key := what + " " + format + " " + path
	if clients, read := r.lists[key]; read { // a snippet is in many sites
		e.listed = append(e.listed, clients...)
		return
	}
	r.lists[key] = nil
	r.ofPermissions(path, "its "+what+" and their hashes", Warning)
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxList {
		return
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return
	}
	weak := make(weakHashes)
	switch {
	case format == "htpasswd":
		_ = userfile.Htpasswd(data, func(line int, name, hash string) error {
			weak.add(name, hash, position{path, line})
			return nil
		})
	case what == "users":
		_ = userfile.List(data, what, func(u *directory.User) string { return u.Username }, func(line int, u *directory.User) error {
			weak.add(u.Username, u.PasswordHash, position{path, line})
			return nil
		})
	default:
		_ = userfile.List(data, what, func(c *directory.Client) string { return c.ID }, func(line int, c *directory.Client) error {
			weak.add(c.ID, c.SecretHash, position{path, line})
			r.lists[key] = append(r.lists[key], listedClient{*c, position{path, line}})
			return nil
		})
	}
	e.listed = append(e.listed, r.lists[key]...)
	r.ofWeakHashes(weak, func(name string) string { return newHash(what, name, path) })
}

// listedClient is a client, and where it is.
type listedClient struct {
	directory.Client
	position
}

// clients are those of the config and of its files.
func (r *review) clients(e *endpoint) []listedClient {
	if e.all != nil {
		return e.all
	}
	for i, source := range e.ClientSources {
		for _, client := range source.Clients {
			e.all = append(e.all, listedClient{client, r.in(e, "clients", i, "client", client.ID)})
		}
	}
	e.all = append(e.all, e.listed...)
	return e.all
}

// weakHashes are hashes that should be replaced, by the reason.
type weakHashes map[string][]weakHash

type weakHash struct {
	name string
	position
}

func (w weakHashes) add(name, hash string, at position) {
	parsed, err := password.Parse(hash, true)
	if err != nil {
		return
	}
	if advice := parsed.Params().Advice(); advice != "" {
		w[advice] = append(w[advice], weakHash{name, at})
	}
}

// ofWeakHashes takes how to replace the hash of a name, or nil for hashes of the config.
func (r *review) ofWeakHashes(weak weakHashes, remedyFor func(name string) string) {
	for _, advice := range slices.Sorted(maps.Keys(weak)) {
		all := weak[advice]
		var who []string
		for _, one := range all[:min(len(all), mostNamed)] {
			who = append(who, fmt.Sprintf("%s (line %d)", directory.Shown(one.name), one.line))
		}
		if more := len(all) - mostNamed; more > 0 {
			who = append(who, fmt.Sprintf("%d more", more))
		}
		reason, remedy, _ := strings.Cut(advice, "; ")
		if remedyFor != nil {
			name := ""
			if len(all) == 1 {
				name = all[0].name
			}
			remedy = remedyFor(name)
		}
		finding := Finding{Rule: "weak-hash", File: all[0].file, Line: all[0].line, Remedy: remedy,
			Message: fmt.Sprintf("%s: %s: %s", count(len(all), "weak hash"), reason, strings.Join(who, ", "))}
		if strings.Contains(reason, "almost at once") {
			finding.Severity = Error
		}
		r.add(finding)
	}
}

// ofOwnHashes is about the users and clients in the config itself.
func (r *review) ofOwnHashes(e *endpoint) {
	weak, allowed := make(weakHashes), e.AllowWeakHashes
	for i, source := range e.UserSources {
		for _, user := range source.Users {
			weak.add(user.Username, user.PasswordHash, r.in(e, "users", i, "user", user.Username))
		}
	}
	for i, source := range e.ClientSources {
		for _, client := range source.Clients {
			weak.add(client.ID, client.SecretHash, r.in(e, "clients", i, "client", client.ID))
		}
	}
	r.ofWeakHashes(weak, nil)
	if allowed && !r.needsWeakHashes() {
		r.at(r.setting(e, "allow_weak_hashes"), "weak-hashes-allowed", "allow_weak_hashes is set, but no hash here needs it", "")
	}
}

// needsWeakHashes tells whether there is a hash that only allow_weak_hashes permits.
func (r *review) needsWeakHashes() bool {
	return slices.ContainsFunc(r.findings, func(f Finding) bool { return f.Rule == "weak-hash" && f.Severity == Error })
}

// ofLifetimes is about an access token that outlives what should renew it.
func (r *review) ofLifetimes(e *endpoint) {
	access, refresh := orDefault(e.AccessTokenTTL, time.Hour), orDefault(e.RefreshTokenTTL, 14*24*time.Hour)
	session := orDefault(e.SessionTTL, 30*24*time.Hour)
	const refreshGrant = "refresh_token"
	if e.Grants != nil && !slices.Contains(e.Grants, refreshGrant) {
		return
	}
	const message = "an access token is valid for %s, and the refresh token that renews it for %s only: clients have no reason to refresh, and a revoked user's access lasts longer"
	if access > refresh {
		at := r.setting(e, "access_token_ttl")
		if e.AccessTokenTTL == 0 {
			at = r.setting(e, "refresh_token_ttl")
		}
		r.at(at, "lifetime-order", fmt.Sprintf(message, duration(access), duration(refresh)), "")
	}
	for _, c := range r.clients(e) {
		own, renews := orDefault(c.AccessTokenTTL, access), orDefault(c.RefreshTokenTTL, refresh)
		if (c.AccessTokenTTL != 0 || c.RefreshTokenTTL != 0) && own > renews && (c.Grants == nil || slices.Contains(c.Grants, refreshGrant)) {
			r.at(c.position, "lifetime-order", fmt.Sprintf("client %s: "+message, directory.Shown(c.ID), duration(own), duration(renews)), "")
		}
	}
	for _, c := range e.listed { // start-up looks at those of the config only
		for name, ttl := range map[string]caddy.Duration{"access_token_ttl": c.AccessTokenTTL, "refresh_token_ttl": c.RefreshTokenTTL} {
			if time.Duration(ttl) > session {
				r.at(c.position, "lifetime-beyond-session", fmt.Sprintf("client %s: %s is longer than session_ttl, which ends the token earlier", directory.Shown(c.ID), name), "")
			}
		}
	}
	if page := e.LoginPage; page != nil && page.Remember != 0 {
		if ttl := orDefault(page.SessionTTL, 7*24*time.Hour); time.Duration(page.Remember) < ttl {
			r.at(r.setting(e, "login_page", "remember"), "lifetime-order",
				fmt.Sprintf("remember is %s, and session_ttl of the login page %s: a user who asks to stay logged in is logged out earlier", duration(time.Duration(page.Remember)), duration(ttl)),
				"raise remember, or lower session_ttl of the login page")
		}
	}
}

func orDefault(ttl caddy.Duration, otherwise time.Duration) time.Duration {
	if ttl == 0 {
		return otherwise
	}
	return time.Duration(ttl)
}

const (
	mostNamed = 10
	maxList   = 1 << 30 // bytes, as Caddy has it
)
