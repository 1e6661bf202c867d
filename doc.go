// Package caddygrant turns Caddy into an authorization server and an auth edge in front
// of existing apps, for users and clients from files, the config, a database or a
// source of your own.
//
// The Caddyfile directive token_endpoint ([Handler]) answers the OAuth 2.0 password
// grant (RFC 6749 §4.3), the refresh grant (§6) and the client credentials grant (§4.4),
// revokes tokens (RFC 7009), introspects them (RFC 7662), and publishes its keys (RFC
// 7517) and metadata (RFC 8414). The directive bearer_auth ([BearerAuth]) lets requests
// with a valid access token pass (RFC 6750), and hands the claims to the app. The two
// find each other by the name of a server in the app "grant" ([App]).
//
// With login_page ([LoginPage]) people log in with a browser, which keeps a sealed
// session cookie. bearer_auth takes it in place of a token, and sends a browser without
// one to the page.
//
// Where its settings say so, bearer_auth also takes the access tokens of other servers
// ([OutsideIssuer]), API keys ([AcceptedKeys]), and clients that act for themselves
// ([AcceptedClients]).
//
// Users and clients come from modules in the namespaces grant.users and grant.clients:
// from the config ([InlineUsers], [InlineClients]), from followed files
// ([HtpasswdUsers], [JSONUsers], [HtpasswdClients], [JSONClients]), from PostgreSQL or
// SQLite (package sources/sql, which is built in apart), or from a module of your own,
// which implements the interfaces of package directory.
package caddygrant
