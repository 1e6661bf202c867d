// Package sessionstest is the suite that a session engine has to pass, whatever it
// is made of, and an engine in memory, for tests of what uses engines. A module that has
// an engine calls [TestEngine] in a test of its own, best with the race detector:
//
//	func TestTheEngine(t *testing.T) {
//		db := newDatabase(t) // a real one, with nothing else in it
//		sessionstest.TestEngine(t, sessionstest.Engines{
//			Open: func(t *testing.T, server string) sessions.Engine {
//				module := &Engine{URL: db.URL}
//				provision(t, module)
//				engine, err := module.OpenSessions(server, zaptest.NewLogger(t))
//				if err != nil {
//					t.Fatal(err)
//				}
//				return engine
//			},
//			Empty:     func(t *testing.T) { db.Flush(t) },
//			Interrupt: func(t *testing.T) func() { return db.Pause(t) },
//			Restart:   func(t *testing.T) { db.Kill(t); db.Start(t) },
//			Secrets:   []string{db.Password},
//		})
//	}
//
// Each hook that is left out leaves promises untested: see [Engines]. What a suite
// cannot see remains to be tested by each engine: what a fail-over loses, that an
// engine which is set up wrongly is unsuitable, and that what expires by itself does so
// at the right time.
//
// Sessions in Caddy's storage pass the part of it that is [TestStorage].
package sessionstest
