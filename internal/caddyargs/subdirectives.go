package caddyargs

// subdirectives are what can be in each block, in the order of the reference. The
// parsers of the root package read them.
var subdirectives = []block{
	{"token_endpoint", []string{
		"name", "issuer", "audience", "scopes", "grants", "access_token_ttl",
		"refresh_token_ttl", "session_ttl", "refresh_grace", "revocation_poll", "sessions",
		"source_max_age", "typ", "leeway", "signing_key", "rotate_every", "user", "users",
		"client", "clients", "default_client", "api_keys", "login_page", "password_checks", "throttle",
		"allow_weak_hashes", "allow_http", "log_usernames",
	}},
	{"issuer", []string{
		"jwks_url", "audience", "algorithms", "claims", "username_prefix", "max_lifetime",
		"id_tokens", "tls_trust_pool",
	}},
	{"user", []string{"id", "scopes", "claim", "disabled"}},
	{"client", []string{
		"secret", "secret_hash", "public", "scopes", "default_scopes", "grants", "audience",
		"access_token_ttl", "refresh_token_ttl", "introspect", "end_user_ip",
		"deprecation", "deprecation_link", "sunset",
	}},
	{"login_page", []string{
		"title", "template", "scopes", "session_ttl", "idle_ttl", "remember", "cookie_domain",
		"cookie_name", "after_logout", "trusted_origins",
	}},
	{"password_checks", []string{"concurrency", "queue", "wait", "cache"}},
	{"throttle", []string{
		"failures", "delay", "account_ceiling", "ipv4_prefix", "ipv6_prefix",
	}},
	{"bearer_auth", []string{
		"issuer", "issuers_only", "scopes", "audience", "require", "clients", "keys", "open",
		"copy_claims", "upgrade", "forward_token", "optional", "shadow", "off",
	}},
}

// directives are of a site, ours and what of Caddy's often follows them. In a block of
// ours they are where a brace is missing.
var directives = []string{
	"token_endpoint", "bearer_auth", "abort", "basic_auth", "encode", "error", "forward_auth",
	"handle", "handle_errors", "handle_path", "log", "php_fastcgi", "redir", "request_body",
	"rewrite", "root", "route", "templates", "try_files", "uri",
}

// block is a directive or subdirective that has a block.
type block struct {
	of   string
	have []string
}
