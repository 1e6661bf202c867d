package event

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/internal/seldomlog"
)

func init() {
	caddy.RegisterModule(new(Sender))
}

// Sender hands events to the subscribers of a config. Caddy calls these one after
// another, and they may take as long as they like: so they are called in the
// background, and no request waits for them. Every event has a queue of its own, or a
// slow handler of one that comes often would hold up one that matters.
//
// It is a module so that its context says where the events come from: that of the app
// names whichever module was loaded from it last.
type Sender struct {
	ctx     caddy.Context      // of the config
	end     context.CancelFunc // of ctx
	handle  caddy.Context      // of the handlers, which goes on for a while
	app     *caddyevents.App
	queues  map[string]*queue
	dropped func(name string)

	// complete says that all subscriptions of the config are known. Until then, events
	// wait: apps start in any order.
	complete atomic.Bool
}

// queue has the events of one name.
type queue struct {
	sender  *Sender
	name    string
	wanted  bool // whether there is a subscriber; to be read once complete
	waiting chan map[string]any
}

// NewSender prepares to send the events of a config. dropped is called for each event
// that no handler gets since too many were waiting.
func NewSender(ctx caddy.Context, dropped func(name string)) (*Sender, error) {
	app, err := ctx.App("events")
	if err != nil {
		return nil, fmt.Errorf("getting the events app: %w", err)
	}
	own, end := caddy.NewContext(ctx)
	module, err := own.LoadModuleByID(string((*Sender).CaddyModule(nil).ID), nil)
	if err != nil {
		end()
		return nil, err
	}
	s := module.(*Sender)
	s.end, s.app, s.dropped, s.queues = end, app.(*caddyevents.App), dropped, make(map[string]*queue)
	for _, kind := range Kinds {
		s.queues[kind.Name] = &queue{sender: s, name: kind.Name, waiting: make(chan map[string]any, maxWaiting)}
	}
	s.outlive()
	return s, s.app.On("started", s)
}

// outlive lets handlers that are called as the config ends finish, within bounds: Caddy
// drops an event whose context has ended. What waits then goes to the next config.
func (s *Sender) outlive() {
	s.handle = s.ctx
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.ctx))
	s.handle.Context = ctx
	context.AfterFunc(s.ctx, func() {
		for _, q := range s.queues {
			q.pass()
		}
		time.AfterFunc(handlersFinish, cancel)
	})
}

// CaddyModule returns the Caddy module information.
func (*Sender) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "grant.events",
		New: func() caddy.Module { return new(Sender) },
	}
}

// Provision keeps the context.
func (s *Sender) Provision(ctx caddy.Context) error {
	s.ctx = ctx
	return nil
}

// Handle is called when all apps of the config have started.
func (s *Sender) Handle(context.Context, caddy.Event) error {
	for _, q := range s.queues {
		if q.wanted = s.app.ShouldEmit(q.name); q.wanted {
			go s.serve(q)
		}
	}
	s.complete.Store(true)
	return nil
}

// wants tells whether an event may have a subscriber.
func (s *Sender) wants(q *queue) bool { return !s.complete.Load() || q.wanted }

// serve sends the events of a queue as long as the config lives.
func (s *Sender) serve(q *queue) {
	for {
		select {
		case data := <-q.waiting:
			s.deliver(q.name, data)
		case <-s.ctx.Done():
			return
		}
	}
}

// deliver calls the subscribers. Caddy logs their errors; a panic must not take the
// whole server down.
func (s *Sender) deliver(name string, data map[string]any) {
	defer func() {
		if p := recover(); p != nil {
			logger().Error("[PANIC] handling an event", zap.String("event", name),
				zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))
		}
	}()
	s.app.Emit(s.handle, name, data)
}

// add puts an event in the queue, or drops it if too many are waiting.
func (q *queue) add(data map[string]any) {
	select {
	case q.waiting <- data:
		if q.sender.ctx.Err() != nil { // the config has ended meanwhile
			q.pass()
		}
	default:
		q.sender.dropped(q.name)
		droppedLog.Write(q.name, func() func(...zap.Field) {
			return func(fields ...zap.Field) {
				logger().Warn("event dropped: too many wait for its handlers", append(fields, zap.String("event", q.name),
					zap.String("advice", "have the handlers do slow work in the background; the metric caddy_grant_events_dropped_total counts what is lost"))...)
			}
		})
	}
}

// pass gives what waits to the config that is active now, if it is another.
func (q *queue) pass() {
	for senders.newest.Load() != q.sender {
		select {
		case data := <-q.waiting:
			emit(q.name, func() map[string]any { return data })
		default:
			return
		}
	}
}

// senders are those of the configs that have started and not stopped, oldest first.
// Events go to the newest: what is emitted may outlive a config.
var senders struct {
	sync.Mutex
	all    []*Sender
	newest atomic.Pointer[Sender]
}

// Start makes the config the one that gets the events.
func (s *Sender) Start() {
	changeSenders(func(all []*Sender) []*Sender { return append(all, s) })
}

// Stop leaves the events to another config.
func (s *Sender) Stop() {
	changeSenders(func(all []*Sender) []*Sender {
		return slices.DeleteFunc(all, func(other *Sender) bool { return other == s })
	})
}

// End is for a config that is unloaded, whether it has started or not.
func (s *Sender) End() { s.end() }

func changeSenders(change func([]*Sender) []*Sender) {
	senders.Lock()
	defer senders.Unlock()
	senders.all = change(senders.all)
	var newest *Sender
	if n := len(senders.all); n > 0 {
		newest = senders.all[n-1]
	}
	senders.newest.Store(newest)
}

// emit sends an event to its subscribers, in the background. data is called only if
// there may be any.
func emit(name string, data func() map[string]any) {
	s := senders.newest.Load()
	if s == nil {
		return
	}
	if q := s.queues[name]; s.wants(q) {
		q.add(data())
	}
}

// droppedLog keeps a flood of dropped events from filling the log.
var droppedLog seldomlog.Log

// logger is Caddy's own, since events outlive configs.
func logger() *zap.Logger { return caddy.Log().Named("grant.events") }

const (
	// maxWaiting is how many events of a name may wait.
	maxWaiting = 256

	// handlersFinish is how long handlers may take after the end of their config.
	handlersFinish = 5 * time.Second
)

// Interface guards
var (
	_ caddy.Provisioner   = (*Sender)(nil)
	_ caddyevents.Handler = (*Sender)(nil)
)
