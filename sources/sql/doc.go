// Package sql has the users and clients of caddy-grant come from a database: the Caddy
// modules grant.users.sql and grant.clients.sql, for PostgreSQL and SQLite. They are in
// a Go module of their own, so that a Caddy without them has no drivers in it.
//
// The queries are the operator's, and so is the layout of the tables. What a query
// returns is taken by the names of its columns, which are those of the members of users
// and clients in JSON: [Users] and [Clients] list them.
//
// A database that is down does not make a config fail. It is asked again at the next
// request, which is answered with 503 until it is there. What it costs to ask a
// database, and how long a changed user may still pass, is up to the directory: see its
// Users.
package sql
