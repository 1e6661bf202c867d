// Package sessionstest is the suite that an engine of sessions has to pass, and an
// engine in memory, for tests of what uses engines.
package sessionstest
