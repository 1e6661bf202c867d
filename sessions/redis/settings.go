package redis

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/caddyserver/caddy/v2"
)

// settings are those of a module, once placeholders are replaced. One of the three ways
// to connect is set.
type settings struct {
	standalone *goredis.Options
	cluster    *goredis.ClusterOptions
	failover   *goredis.FailoverOptions

	prefix  string
	timeout time.Duration
}

// parameters are those of a URL that may be used. The others would read from replicas,
// skip a check, or change what the scripts need.
var parameters = []string{
	"addr", "cluster", "master_name", "username", "password", "db", "client_name", "max_retries", "min_retry_backoff",
	"max_retry_backoff", "max_redirects", "dial_timeout", "read_timeout", "write_timeout", "pool_fifo", "pool_size",
	"pool_timeout", "min_idle_conns", "max_idle_conns", "max_active_conns", "conn_max_idle_time", "conn_max_lifetime",
	"conn_max_lifetime_jitter",
}

// replicas are the parameters with which a client reads from replicas.
var replicas = []string{"read_only", "route_by_latency", "route_randomly", "replica_only", "use_disconnected_replicas"}

// parseURL reads a URL, whose placeholders are replaced. Its errors hold nothing of the
// URL but the names of parameters.
func parseURL(text string) (*settings, error) {
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || u.Fragment != "" {
		return nil, errors.New("url: it is not a URL such as redis://10.0.0.5:6379/0; a password with special characters is better written as password {env.REDIS_PASSWORD}")
	}
	if u.Scheme != "redis" && u.Scheme != "rediss" && u.Scheme != "unix" {
		return nil, errors.New("url: it begins with redis://, or with rediss:// for TLS, or unix:// for a socket")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errors.New("url: its parameters cannot be read")
	}
	for name, values := range query {
		switch {
		case slices.Contains(replicas, name):
			return nil, fmt.Errorf("url: %s reads from replicas, which lag behind: a token that was just used would seem unused; remove it", name)
		case name == "skip_verify":
			return nil, errors.New("url: skip_verify would let anyone answer in place of Redis: write ca <file> instead")
		case !slices.Contains(parameters, name):
			return nil, fmt.Errorf("url: unknown parameter%s; %s", shown(" "+name, name), "those of the client that can be used are in README.md")
		case len(values) > 1 && name != "addr":
			return nil, fmt.Errorf("url: duplicate parameter %s", name)
		}
	}
	isCluster := query.Has("cluster")
	if given := query.Get("cluster"); isCluster && given != "true" {
		return nil, errors.New("url: cluster takes the value true, or is left out")
	}
	database := strings.Trim(u.Path, "/")
	switch {
	case isCluster && query.Has("master_name"):
		return nil, errors.New("url: cluster is for a cluster, master_name for Sentinel: remove one")
	case u.Scheme == "unix":
	case !wholeNumber.MatchString(database):
		return nil, errors.New("url: after the address there is nothing but the number of a database, such as /0")
	case isCluster && (database != "" && database != "0" || query.Has("db")):
		return nil, errors.New("url: a cluster has no other database than 0")
	}
	query.Del("cluster")
	u.RawQuery = query.Encode()
	s := new(settings)
	switch {
	case isCluster:
		u.Path = ""
		s.cluster, err = goredis.ParseClusterURL(u.String())
	case query.Has("master_name"):
		s.failover, err = goredis.ParseFailoverURL(u.String())
	case query.Has("addr"):
		return nil, errors.New("url: addr is for the other nodes of a cluster, or for other Sentinels: add cluster=true or master_name=<name>")
	default:
		s.standalone, err = goredis.ParseURL(u.String())
	}
	if err != nil {
		return nil, errors.New("url: the client cannot use it: look at the values of its parameters")
	}
	return s, nil
}

var wholeNumber = regexp.MustCompile(`^[0-9]{0,4}$`)

// credentials sets those with which Redis is asked, unless they are in the URL.
func (s *settings) credentials(username, password string) {
	set := func(user, pass *string) {
		if username != "" {
			*user = username
		}
		if password != "" {
			*pass = password
		}
	}
	switch {
	case s.cluster != nil:
		set(&s.cluster.Username, &s.cluster.Password)
	case s.failover != nil:
		set(&s.failover.Username, &s.failover.Password)
	default:
		set(&s.standalone.Username, &s.standalone.Password)
	}
}

// resolveURL replaces placeholders. A value that takes the place of a user or password is
// escaped, so that it may have any characters; a URL that is one placeholder is not.
func resolveURL(text string) (string, error) {
	if text == "" {
		return "", errors.New("url: it is missing: write redis://<host>:6379/0")
	}
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		return resolve("url", text)
	}
	user, host := "", rest
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		user, host = rest[:at], rest[at:]
	}
	var err error
	if user != "" {
		if user, err = replaced("url", user, func(value string) string {
			return strings.ReplaceAll(url.QueryEscape(value), "+", "%20")
		}); err != nil {
			return "", err
		}
	}
	if host, err = replaced("url", host, func(value string) string { return value }); err != nil {
		return "", err
	}
	return scheme + "://" + user + host, nil
}

// resolve replaces the placeholders of a setting. Its errors show nothing else of it.
func resolve(setting, text string) (string, error) {
	return replaced(setting, text, func(value string) string { return value })
}

func replaced(setting, text string, change func(string) string) (string, error) {
	if text == "" {
		return "", nil
	}
	failed := fmt.Errorf("%s: a placeholder in it is unknown or empty (%s): set it, or read it from a file with {file./path/to/file}",
		setting, strings.Join(placeholders.FindAllString(text, -1), ", "))
	replacer := caddy.NewReplacer()
	if _, err := replacer.ReplaceOrErr(text, true, true); err != nil {
		return "", failed
	}
	out, err := replacer.ReplaceFunc(text, func(_ string, value any) (any, error) {
		return change(strings.TrimRight(fmt.Sprint(value), "\r\n")), nil
	})
	if err != nil || out == "" {
		return "", failed
	}
	return out, nil
}

var placeholders = regexp.MustCompile(`\{(env\.[A-Za-z0-9_]+|file\.[^{}]+)\}`)

// shown is the text for a message about something misspelled, unless it may be a URL or
// a password in the wrong place.
func shown(text, misspelled string) string {
	if !plainWord.MatchString(misspelled) {
		return ""
	}
	return text
}

var plainWord = regexp.MustCompile(`^[a-z_]{1,32}$`)
