package caddygrant

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/internal/event"
	"github.com/caddygrant/caddy-grant/internal/seldomlog"
)

func init() {
	caddy.RegisterModule(new(eventSender))
}

// eventSender hands events to the subscribers of a config. Caddy calls these one after
// another, and they may take as long as they like: so they are called in the
// background, and no request waits for them. Every event has a queue of its own, or a
// slow handler of one that comes often would hold up one that matters.
//
// It is a module so that its context says where the events come from: that of the app
// names whichever module was loaded from it last.
type eventSender struct {
	ctx    caddy.Context
	end    context.CancelFunc // of ctx
	app    *caddyevents.App
	queues map[string]*eventQueue

	// complete says that all subscriptions of the config are known. Until then, events
	// wait: apps start in any order.
	complete atomic.Bool
}

// eventQueue has the events of one name.
type eventQueue struct {
	name    string
	wanted  bool // whether there is a subscriber; to be read once complete
	waiting chan map[string]any
}

// newEventSender prepares to send the events of a config.
func newEventSender(ctx caddy.Context) (*eventSender, error) {
	app, err := ctx.App("events")
	if err != nil {
		return nil, fmt.Errorf("getting the events app: %w", err)
	}
	own, end := caddy.NewContext(ctx)
	module, err := own.LoadModuleByID(string((*eventSender).CaddyModule(nil).ID), nil)
	if err != nil {
		end()
		return nil, err
	}
	s := module.(*eventSender)
	s.end, s.app, s.queues = end, app.(*caddyevents.App), make(map[string]*eventQueue)
	for _, kind := range event.Kinds {
		s.queues[kind.Name] = &eventQueue{name: kind.Name, waiting: make(chan map[string]any, maxWaitingEvents)}
	}
	return s, s.app.On("started", s)
}

// CaddyModule returns the Caddy module information.
func (*eventSender) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "grant.events",
		New: func() caddy.Module { return new(eventSender) },
	}
}

// Provision keeps the context.
func (s *eventSender) Provision(ctx caddy.Context) error {
	s.ctx = ctx
	return nil
}

// Handle is called when all apps of the config have started.
func (s *eventSender) Handle(context.Context, caddy.Event) error {
	for _, q := range s.queues {
		if q.wanted = s.app.ShouldEmit(q.name); q.wanted {
			go s.serve(q)
		}
	}
	s.complete.Store(true)
	return nil
}

// wants tells whether an event may have a subscriber.
func (s *eventSender) wants(q *eventQueue) bool { return !s.complete.Load() || q.wanted }

// serve sends the events of a queue as long as the config lives. Those that are left
// then go to the next config.
func (s *eventSender) serve(q *eventQueue) {
	for s.ctx.Err() == nil {
		select {
		case data := <-q.waiting:
			s.deliver(q.name, data)
		case <-s.ctx.Done():
		}
	}
	q.pass()
}

// deliver calls the subscribers. Caddy logs their errors; a panic must not take the
// whole server down.
func (s *eventSender) deliver(name string, data map[string]any) {
	defer func() {
		if p := recover(); p != nil {
			eventLogger().Error("[PANIC] handling an event", zap.String("event", name),
				zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))
		}
	}()
	s.app.Emit(s.ctx, name, data)
}

// add puts an event in the queue, or drops it if too many are waiting.
func (q *eventQueue) add(data map[string]any) {
	select {
	case q.waiting <- data:
	default:
		countDroppedEvent(q.name)
		droppedEventsLog.Write(q.name, func() func(...zap.Field) {
			return func(fields ...zap.Field) {
				eventLogger().Warn("event dropped: too many wait for its handlers", append(fields, zap.String("event", q.name),
					zap.String("advice", "have the handlers do slow work in the background; the metric caddy_grant_events_dropped_total counts what is lost"))...)
			}
		})
	}
}

// pass gives what waits to the config that is active now.
func (q *eventQueue) pass() {
	for {
		select {
		case data := <-q.waiting:
			emit(q.name, func() map[string]any { return data })
		default:
			return
		}
	}
}

// eventSenders are those of the configs that have started and not stopped, oldest
// first. Events go to the newest: what is emitted may outlive a config.
var eventSenders struct {
	sync.Mutex
	all    []*eventSender
	newest atomic.Pointer[eventSender]
}

// start makes the config the one that gets the events.
func (s *eventSender) start() {
	startEvents()
	changeEventSenders(func(all []*eventSender) []*eventSender { return append(all, s) })
}

// stop leaves the events to another config.
func (s *eventSender) stop() {
	changeEventSenders(func(all []*eventSender) []*eventSender {
		return slices.DeleteFunc(all, func(other *eventSender) bool { return other == s })
	})
	if !s.complete.Load() { // and never will be
		for _, q := range s.queues {
			q.pass()
		}
	}
}

func changeEventSenders(change func([]*eventSender) []*eventSender) {
	eventSenders.Lock()
	defer eventSenders.Unlock()
	eventSenders.all = change(eventSenders.all)
	var newest *eventSender
	if n := len(eventSenders.all); n > 0 {
		newest = eventSenders.all[n-1]
	}
	eventSenders.newest.Store(newest)
}

// emit sends an event to its subscribers, in the background. data is called only if
// there may be any.
func emit(name string, data func() map[string]any) {
	s := eventSenders.newest.Load()
	if s == nil {
		return
	}
	if q := s.queues[name]; s.wants(q) {
		q.add(data())
	}
}

// droppedEventsLog keeps a flood of dropped events from filling the log.
var droppedEventsLog seldomlog.Log

// eventLogger is Caddy's own, since events outlive configs.
func eventLogger() *zap.Logger { return caddy.Log().Named("grant.events") }

// maxWaitingEvents is how many events of a name may wait.
const maxWaitingEvents = 256

// Interface guards
var (
	_ caddy.Provisioner   = (*eventSender)(nil)
	_ caddyevents.Handler = (*eventSender)(nil)
)
