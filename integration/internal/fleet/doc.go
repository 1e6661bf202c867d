// Package fleet is many nodes and very many sessions in one process, and what must be
// true of every answer that a client gets.
//
// A node is an [internal/session.Store] with a memory, a clock and a way to where the
// sessions are kept, a [Site], all of its own. Clients refresh, lose answers, retry,
// replay what was spent, log out and show access tokens, at random nodes, while nodes
// crash, ways are slow, cut or closed in one direction, and clocks go wrong, all drawn
// from a seed. The invariants are those of the models in internal/session:
//
//   - No refresh token works again once it was exchanged, but within the grace, or where
//     a node knows that its answer did not get out.
//   - A session whose revocation was acknowledged gets nothing that was asked for later:
//     no token at any node, and no access at a node that has polled since.
//   - No live session ends without a reason; a lost answer beyond the grace is one.
//   - When all troubles have ended, everything is available again.
//
// What a client knows of a session takes some 70 bytes, so a million of them fit. All
// waiting is by package time: in a bubble of testing/synctest days pass in seconds.
//
// What is drawn follows from the seed. Which of several answers comes first does not.
package fleet
