package caddyargs

var wordsOfTokenEndpoint = []Neighbour{
	// who exists
	{`htpasswd htpasswd_file htpasswd_path auth_basic_user_file users_file user_file passwd
	password_file basic_auth accounts credentials authentication_backend backend backends
	local identity_store user_store file json`,
		`users are in the config, "user <username> <hash>", or in a file: "users htpasswd <path>" or "users json <path>"`},
	{`ldap active_directory sql postgres postgresql mysql sqlite pam saml radius`,
		`other sources of users are plugins: write users with the plugin's name and settings, see docs/plugins.md`},
	{`password hash password_hash username`,
		`a user is one line with the hash of the password: "user <username> <hash>"`},
	{`client_id client_secret oauth_client oauth_clients oauth2_client app apps application applications
	audience_clients`,
		`a client is a block: "client <id> { secret <secret> }"`},
	{`public`, `a client without a secret is "client <id> { public }"`},
	{`default_scope default_scopes`,
		`the scopes of a request that names none are set in each client: "default_scopes <scopes...>"`},
	{`realm realms tenant tenants`,
		`there are no realms; a second token_endpoint with another "name <name>" has its own users, clients and keys`},
	{`role roles group groups permission permissions acl policy transform`,
		`there are no roles; to limit what a token may do, write "scopes <scopes...>", and a role for the app is a claim of the user: "user <username> <hash> { claim role admin }"`},
	{`claim claims token_claims custom_claims extra_claims user_claims attributes mapper mappers`,
		`a claim is set for each user: "user <username> <hash> { claim email alice@example.com }"`},
	{`password_policy min_length min_password_length`,
		`there are no rules for passwords: Caddy only compares them`},
	{`hasher hash_algorithm password_algorithm bcrypt argon2 argon2id cost hash_cache max_concurrent`,
		`each hash contains its algorithm and cost; to set how many are computed at the same time, write "password_checks { concurrency 2 }"`},

	// what it offers
	{`grant_type grant_types allowed_grants enabled_grants enable_grant enable_grants enable_grant_type
	grant_types_supported flows password_grant direct_access_grants*`,
		`write "grants password refresh_token"; without this line all grants are offered`},
	{`allowed_scopes supported_scopes scopes_supported scope_delimiter scope_separator`,
		`to set the scopes for clients without their own, write "scopes <scopes...>"`},
	{`path token_path token_url token_uri uri url endpoint prefix route`,
		`the path is on the first line, after the directive: token_endpoint /auth/token`},
	{`revoke revocation revocation_endpoint logout logout_url logout_path sign_out
	introspection introspection_endpoint userinfo userinfo_endpoint`,
		`logout and introspection are always available, at /token/revoke and /token/introspect, see docs/sessions.md#log-out`},
	{`enable enabled disable disabled`, `it is on wherever you write it; remove it from the site to turn it off`},

	// tokens
	{`iss issuer_url issuer_uri base_url external_url public_url root_url hostname`,
		`to set the claim iss, write "issuer https://api.example.com"`},
	{`aud audiences allowed_audiences audience_whitelist resource resources resource_server`,
		`to set the claim aud, write "audience https://api.example.com"`},
	{`ttl lifetime lifespan lifespans token_lifetime token_ttl token_lifespan token_expiry token_expiration
	access_token_lifetime access_token_lifespan access_token_expiration access_token_expires_in
	access_token_validity access_ttl expires expires_in expire expiry expiration exp max_age validity`,
		`to set how long an access token is valid, write "access_token_ttl 15m"`},
	{`refresh_ttl refresh_lifetime refresh_expires_in refresh_token_lifetime refresh_token_lifespan
	refresh_token_expiration refresh_token_expires_in refresh_token_validity session_idle* sso_session_idle*
	inactivity idle_ttl idle_timeout`,
		`to set how long an unused refresh token is valid, write "refresh_token_ttl 14d"; for the session of a browser, write "login_page { idle_ttl 12h }"`},
	{`session_lifetime session_max* session_timeout session_duration session_expiration sso_session_max*
	absolute_lifetime`,
		`to set how long after its login a session ends, write "session_ttl 30d"`},
	{`session session_store* session_storage session_backend session_engine engine store storage redis* valkey*
	postgres* database db also`,
		`sessions are in Caddy's storage, which the global option storage sets, unless the line sessions names an engine such as redis, see docs/engines.md; to set how long they last, write "session_ttl 30d"`},
	{`grace grace_period reuse_interval reuse_leeway refresh_token_reuse* refresh_token_rotation
	rotate_refresh_token* refresh_rotation use_opaque_refresh_tokens`,
		`a refresh token is good for one use; to let clients send it again for a while, write "refresh_grace 10s"`},
	{`clock_skew skew clock_tolerance not_before_leeway acceptable_skew`,
		`to set how far clocks may differ, write "leeway 30s"`},
	{`token_type token_format jwt_type`, `to set the header typ of access tokens, write "typ JWT"`},

	// keys
	{`secret`,
		`the secret of a client is in its block, "client <id> { secret <secret> }"; to sign tokens with a secret, write "signing_key HS256 <secret>"`},
	{`jwt_secret jwt_key token_secret hmac_secret signing_secret shared_secret sign_secret`,
		`to sign tokens with a secret, write "signing_key HS256 <secret>"`},
	{`key keys key_file private_key private_key_file jwt_private_key sign_key signing_keys crypto jwk
	issuer_private_key* certificate`,
		`to set the key that signs tokens, write "signing_key ES256 file <path>"; without this line Caddy generates one`},
	{`sign_alg sign_method alg algorithm algorithms signing_alg signing_algorithm signing_method
	jwt_algorithm allowed_algorithms`,
		`the algorithm comes before the key: "signing_key ES256"`},
	{`rotate rotation rotation_period key_rotation rotate_keys key_lifetime`,
		`to set how often generated keys are replaced, write "rotate_every 30d"`},
	{`public_key public_keys verify_key jwks jwks_url jwks_uri jwks_path jwk_url certs`,
		`the public keys are always available at /token/jwks, see docs/nodes-and-keys.md#keys`},
	{`metadata discovery well_known openid_configuration`,
		`to publish metadata, write "issuer https://api.example.com", see docs/nodes-and-keys.md#metadata`},
	{`encryption_key encrypt encryption jwe`,
		`tokens are signed and not encrypted, see docs/nodes-and-keys.md#keys`},

	// attacks and transport
	{`rate_limit limit_req limit`,
		`failed logins are limited by default; to change the limits, write "throttle { failures 5 }"; for all requests see docs/sites.md#a-rate-limit-before-it`},
	{`lockout lockout_* account_lockout brute_force* regulation max_attempts max_failures
	max_retries login_attempts failure_factor fail2ban`,
		`failed logins are limited by default; to change the limits, write "throttle { failures 5 }"`},
	{`ban ban_time find_time permanent_lockout max_failure_wait* wait_increment*`,
		`to set the waits after failures, write "throttle { delay 30s 1h }"; no account is locked for good`},
	{`insecure http allow_insecure require_https require_tls ssl_required force_https https tls ssl`,
		`plain HTTP from other machines is refused unless you write "allow_http"`},

	// what belongs to bearer_auth
	{`require require_* allow deny restrict access_control rules validate`,
		`what a token needs is set in bearer_auth: "scopes <scopes...>"`},
	{`from_cookie from_cookies from_query from_header token_source token_sources`,
		`bearer_auth reads the token, and only from the header Authorization, see docs/checking-tokens.md#what-is-checked`},
	{`copy_headers inject inject_headers header_up headers meta_claims set_xauthrequest`,
		`what an app learns about the user is set in bearer_auth: "copy_claims sub>X-User"`},
	{`skip_paths bypass whitelist open_paths exclude except skip_auth_* public_paths`,
		`paths that need no token are set in bearer_auth: "open /healthz"`},
}

var wordsOfBearerAuth = []Neighbour{
	{`redirect* auth_redirect login login_url unauthorized_url forbidden_url sign_in`,
		`a browser is sent to a page to log in if the token_endpoint has one, "login_page"; other requests without a valid token get 401, see docs/login-page.md`},
	{`logout logout_url sign_out revoke revocation blacklist denylist is_revoked`,
		`a client logs out at /token/revoke, a browser at /token/login/logout, and bearer_auth then refuses them, see docs/sessions.md#log-out`},

	// where the token is
	{`from_cookie from_cookies from_query from_header from token_source token_sources token_name
	token_header header header_name header_first query query_param param access_token cookie cookies cookie_*`,
		`bearer_auth reads tokens only from the header Authorization, never from a cookie or the query, see docs/checking-tokens.md#what-is-checked; the cookie of a browser's session is that of a token_endpoint with "login_page"`},
	{`realm`, `the realm of a refusal is the name of the token_endpoint, "name <name>"`},

	// whose token
	{`issuers iss issuer_whitelist trusted_issuers allowed_issuers extra_jwt_issuers oidc_issuer_url
	authority jwks jwk jwks_url jwks_uri jwk_url jwks_file sign_key verify_key public_key
	public_keys trusted_tokens`,
		`to take tokens that another server issued, write "issuer https://id.example.com { audience <audience> }", see docs/outside-issuers.md`},
	{`secret jwt_secret token_secret hmac_secret shared_secret signing_key signing_secret`,
		`the key is set in token_endpoint: "signing_key HS256 <secret>" there`},
	{`sign_alg sign_method alg algorithm algorithms allowed_algorithms signing_algorithm`,
		`the algorithm is set with the key in token_endpoint: "signing_key ES256" there`},
	{`server servers token_endpoint name endpoint auth_server provider portal authenticate with`,
		`the name of the token_endpoint is on the first line, after a matcher: in the site "bearer_auth /api/* <name>"`},
	{`audience_whitelist aud audiences allowed_audience allowed_audiences resource`,
		`to set what the token's aud must contain, write "audience https://api.example.com"`},
	{`introspect introspection introspection_url introspection_endpoint token_introspection userinfo`,
		`bearer_auth checks sessions and users without a request, see docs/checking-tokens.md#what-is-checked`},
	{`leeway clock_skew skew auth_jwt_leeway clock_tolerance`,
		`how far clocks may differ is set in token_endpoint: "leeway 30s"`},
	{`skip_verification verify verification verify_* validate validation insecure ignore_expiration`,
		`every token is checked in full, see docs/checking-tokens.md#what-is-checked; to refuse nothing, write "shadow"`},

	// who may pass
	{`users user htpasswd htpasswd_file auth_basic auth_basic_user_file basic_auth password credentials
	accounts identity_store`,
		`users are set in token_endpoint: "users htpasswd <path>" or "user <username> <hash>" there`},
	{`client client_id client_secret`,
		`clients are set in token_endpoint: "client <id> { secret <secret> }" there; to let those pass that act for themselves, write "clients"`},
	{`role roles group groups allow deny acl rule rules policy policies required_* restrict
	authorize authorization authorization_policy permission permissions access access_control
	allowed_roles allowed_groups allowed_users allowed_emails email_domain email_domains subject
	auth_jwt_require satisfy claim scope_required`,
		`to set what a token needs, write "scopes <scopes...>", or a claim and its values, "require groups staff"`},
	{`grants grant_types client_credentials`,
		`grants are set in token_endpoint: "grants password refresh_token"`},

	// what needs no token
	{`skip skip_paths skip_auth skip_auth_route skip_auth_routes skip_auth_regex bypass whitelist allowlist
	open_paths open_path public public_paths public_routes exclude excluded excluded_paths except exempt ignore
	ignore_paths unprotected unauthenticated allow_paths anonymous_paths disable_auth`,
		`to list the paths that need no token, write "open /healthz /assets/*"`},
	{`skip_auth_preflight preflight options allow_options`,
		`to leave out pre-flight requests, use a matcher, see docs/sites.md#cors`},
	{`path paths uri location locations protect protected match matcher only include route routes method
	methods not`,
		`to select the requests to check, write a matcher on the first line: in the site "bearer_auth /api/*", see docs/sites.md#matchers-and-paths`},
	{`anonymous allow_anonymous allow_guests guest guests passthrough permissive
	allow_unauthenticated credentials_optional required`,
		`to let requests without a token through, write "optional"`},
	{`dry_run report_only log_only test monitor audit`, `to log refusals without refusing, write "shadow"`},
	{`enabled enable on disabled disable`, `it is on wherever you write it; to check nothing, write "off"`},

	// what the app learns
	{`user_claims claims id_claim subject_claim user_claim username_claim user_id_claim user_identity set`,
		`the user is the claim sub; to tell the app, write "copy_claims sub>X-User"`},
	{`meta_claims inject inject_headers copy_headers headers header_up request_header claim_headers
	claims_headers forward_headers identity_headers pass_user_headers pass_claims pass_basic_auth set_header
	set_headers set_xauthrequest proxy_set_header auth_request_set auth_jwt_claim_set header_mapping
	response_headers auth_response_headers remote_user`,
		`to send claims to the app in headers, write "copy_claims sub>X-User email>X-Email"`},
	{`pass_access_token pass_token pass_authorization pass_authorization_header set_authorization_header
	forward_authorization forward_access_token keep_token strip_token strip_header strip_authorization`,
		`the app does not get the token unless you write "forward_token"`},
	{`websocket websockets`, `WebSockets need no setting; for other upgrades write "upgrade tcp"`},

	// what else belongs to token_endpoint
	{`ttl token_lifetime token_ttl lifetime expires_in expiry access_token_ttl max_age`,
		`lifetimes are set in token_endpoint: "access_token_ttl 15m"`},
	{`session sessions session_store*`, `sessions belong to token_endpoint, see docs/sessions.md`},
	{`rate_limit limit_req lockout max_attempts ban_time throttle brute_force*`,
		`failed logins are limited in token_endpoint, "throttle { failures 5 }"; for all requests see docs/sites.md#a-rate-limit-before-it`},
	{`allow_http require_https https tls`,
		`bearer_auth does not look at how a request arrived, see docs/sites.md#behind-a-load-balancer-that-ends-tls`},
}
