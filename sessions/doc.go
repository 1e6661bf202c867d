// Package sessions says what an engine keeps of sessions, and what it promises.
//
// An engine is where the sessions of an authorization server live, such as Redis or
// PostgreSQL: how often the refresh token of a session was exchanged, and which
// sessions were revoked. It is chosen by `sessions <engine> …` of a token_endpoint.
// Without that line sessions live in Caddy's storage.
//
// An engine is a Caddy module in the namespace grant.sessions that implements [Opener],
// and can be written in a module of its own. It judges nothing: what a reused token
// means, how long a grace is and which answers were never delivered is its caller's, as
// is what is logged. The package sessionstest is the suite that an engine has to pass, and
// the package batch is for engines that can send several calls together.
//
// # What an engine must not get wrong
//
// The first exchange of a session finds no record, since a login writes nothing. So an
// engine that has lost its data looks like one in which nothing has happened yet, and
// every refresh token that was used once would work again. Hence the epoch: random
// bits that an empty engine gets when it is first used, that are part of the ID of
// every session, and without which nothing is answered. Wherever an engine can lose a
// part of its data and keep the rest, such as a shard of a cluster, each part has the
// epoch.
//
// A call that failed says nothing. A client library may repeat a call by itself after
// the connection broke, and what was repeated may have succeeded the first time: so
// every call is safe to repeat, and a swap is known by its answer.
package sessions
