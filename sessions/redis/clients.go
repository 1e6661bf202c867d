package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// clients are the two with which an engine talks to Redis. They are made when they are
// first needed, since an engine that is opened connects to nothing.
//
// The client for sessions repeats what failed by itself, as scripts of sessions allow,
// and uses no connection to a process whose data may be older than what it had
// acknowledged. That of examinations sends everything once, and looks at any process.
type clients struct {
	settings *settings
	admit    func(context.Context, *goredis.Conn) error

	mutex       sync.Mutex
	closed      bool
	sessions    goredis.UniversalClient
	examination goredis.UniversalClient
}

func newClients(settings *settings, admit func(context.Context, *goredis.Conn) error) *clients {
	return &clients{settings: settings, admit: admit}
}

func (c *clients) forSessions() (goredis.UniversalClient, error) {
	return c.client(&c.sessions, func() goredis.UniversalClient { return c.settings.connect(c.admit, false) })
}

func (c *clients) forExamination() (goredis.UniversalClient, error) {
	return c.client(&c.examination, func() goredis.UniversalClient { return c.settings.connect(nil, true) })
}

func (c *clients) client(which *goredis.UniversalClient, make func() goredis.UniversalClient) (goredis.UniversalClient, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.closed {
		return nil, errClosed
	}
	if *which == nil {
		*which = make()
	}
	return *which, nil
}

func (c *clients) close() error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.closed = true
	return c.drop()
}

// discard has the next calls make new clients. After a panic a client keeps the connection
// of the call, on which an answer may be left that another call would take for its own.
func (c *clients) discard() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	_ = c.drop()
}

// drop closes the clients. The caller holds the mutex.
func (c *clients) drop() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(p)
		}
	}()
	var failed []error
	for _, client := range []*goredis.UniversalClient{&c.sessions, &c.examination} {
		if open := *client; open != nil {
			*client = nil
			failed = append(failed, failure(open.Close()))
		}
	}
	return errors.Join(failed...)
}

// masters are those of a cluster, or the one Redis that there is.
func (c *clients) masters(ctx context.Context) ([]*goredis.Client, error) {
	client, err := c.forExamination()
	if err != nil {
		return nil, err
	}
	cluster, is := client.(*goredis.ClusterClient)
	if !is {
		return []*goredis.Client{client.(*goredis.Client)}, nil
	}
	var mutex sync.Mutex
	var found []*goredis.Client
	err = cluster.ForEachMaster(ctx, func(_ context.Context, master *goredis.Client) error {
		mutex.Lock()
		defer mutex.Unlock()
		found = append(found, master)
		return nil
	})
	return found, err
}

// byMaster groups keys by where they are.
func (c *clients) byMaster(ctx context.Context, keys []string) (map[*goredis.Client][]string, error) {
	client, err := c.forExamination()
	if err != nil {
		return nil, err
	}
	groups := make(map[*goredis.Client][]string)
	for _, key := range keys {
		master, is := client.(*goredis.Client)
		if !is {
			if master, err = client.(*goredis.ClusterClient).MasterForKey(ctx, key); err != nil {
				return nil, err
			}
		}
		groups[master] = append(groups[master], key)
	}
	return groups, nil
}

// once runs a script at the master that has the key, and sends it once.
func (c *clients) once(ctx context.Context, script *goredis.Script, keys []string, args ...any) (any, error) {
	groups, err := c.byMaster(ctx, keys[:1])
	if err != nil {
		return nil, err
	}
	for master := range groups {
		return script.Eval(ctx, master, keys, args...).Result()
	}
	return nil, fmt.Errorf("redis: no master has the key")
}

// connect makes a client.
func (s *settings) connect(admit func(context.Context, *goredis.Conn) error, once bool) goredis.UniversalClient {
	off := &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	switch {
	case s.cluster != nil:
		o := *s.cluster
		o.OnConnect, o.MaintNotificationsConfig = admit, off
		o.Protocol, o.DisableIdentity, o.ContextTimeoutEnabled, o.DisableRoutingPolicies = 2, true, true, true
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout = s.within(o.DialTimeout), s.within(o.ReadTimeout), s.within(o.WriteTimeout)
		o.DialerRetries, o.ClusterStateReloadInterval = 1, 2*time.Second
		if once {
			o.MaxRetries, o.MinIdleConns = -1, 0
		}
		return goredis.NewClusterClient(&o)
	case s.failover != nil:
		o := *s.failover
		o.OnConnect = admit
		o.Protocol, o.DisableIdentity, o.ContextTimeoutEnabled = 2, true, true
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout = s.within(o.DialTimeout), s.within(o.ReadTimeout), s.within(o.WriteTimeout)
		o.DialerRetries = 1
		if once {
			o.MaxRetries, o.MinIdleConns = -1, 0
		}
		return goredis.NewFailoverClient(&o)
	default:
		o := *s.standalone
		o.OnConnect, o.MaintNotificationsConfig = admit, off
		o.Protocol, o.DisableIdentity, o.ContextTimeoutEnabled = 2, true, true
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout = s.within(o.DialTimeout), s.within(o.ReadTimeout), s.within(o.WriteTimeout)
		o.DialerRetries = 1
		if once {
			o.MaxRetries, o.MinIdleConns = -1, 0
		}
		return goredis.NewClient(&o)
	}
}

// within is a time of the URL, unless it is longer than a whole call may take.
func (s *settings) within(given time.Duration) time.Duration {
	if given <= 0 || given > s.timeout {
		return s.timeout
	}
	return given
}
