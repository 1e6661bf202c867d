// Package simulation has a fleet of nodes with a real Redis and a real PostgreSQL on
// loopback. Each node gets there through a proxy of its own, in which connections are cut,
// refused, slowed down, or closed in one direction: so what is simulated is the network,
// the clocks and the crashes, and not the protocol.
//
// The fleet and its invariants are in integration/internal/fleet, which has them on
// the engine in memory and on files. How much one node, one Redis and one PostgreSQL
// carry is measured by the command in the folder capacity.
package simulation
