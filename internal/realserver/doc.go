// Package realserver starts servers of other programs for tests: Redis alone, as a
// cluster and with a Sentinel, and PostgreSQL with a standby. They listen on loopback,
// keep their files in a directory of their own, and can be killed, paused and started
// again at the same address. What runs them must be installed; no test is skipped here.
//
// It needs only the standard library, so that modules with any client can use it.
package realserver
