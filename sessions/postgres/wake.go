package postgres

// channel is that of NOTIFY: its payload is the name of the server.
const channel = "caddy_grant_revocations"
