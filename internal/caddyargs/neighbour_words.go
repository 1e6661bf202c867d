package caddyargs

// Neighbours are the words of other programs, by the block in which they are written
// here: caddy-security, caddy-jwt, Caddy's basic_auth and forward_auth, oauth2-proxy,
// Authelia, Keycloak, nginx, ts-oauth2-server and the RFCs.
var Neighbours = map[string][]Neighbour{
	"token_endpoint":  wordsOfTokenEndpoint,
	"user":            wordsOfUser,
	"client":          wordsOfClient,
	"login_page":      wordsOfLoginPage,
	"password_checks": wordsOfPasswordChecks,
	"throttle":        wordsOfThrottle,
	"bearer_auth":     wordsOfBearerAuth,
	"issuer":          wordsOfIssuer,
}

// Everywhere are words that mean the same in all blocks, after those of the block.
var Everywhere = []Neighbour{
	{`login login_url login_form login_path auth_redirect auth_url default_redirection_url
	post_logout* ui theme portal sso sign_in`,
		`a page on which people log in with a browser is set in token_endpoint: "login_page"`},
	{`redirect* authorize* authorization_code authorization_url authorization_endpoint callback* code
	pkce require_pkce requires_pkce requires_s256 code_challenge* response_type* implicit*
	consent* oidc* openid* social provider providers identity_provider*`,
		`there is no authorization code flow; for apps that log people in that way use another server, see README.md#should-you-use-it; for a login page in front of apps without a login, write in token_endpoint "login_page"`},
	{`client_credentials service_account* m2m machine_to_machine`,
		`a service gets tokens without a user by a client that has a secret and, in its block in token_endpoint, the line "grants client_credentials", see docs/machines.md`},
	{`device device_code device_flow device_authorization*`,
		`the device grant is not offered; a device needs a server that has it, see README.md#should-you-use-it`},
	{`cookie cookies cookie_* session_cookie* same_site domain csrf*`,
		`only the sessions of browsers have a cookie, which is set in token_endpoint: "login_page { cookie_domain example.com }"; a client keeps its tokens itself, see docs/sessions.md`},
	{`mfa totp otp 2fa two_factor second_factor one_factor webauthn passkey passkeys captcha`,
		`there is no second factor and no captcha; use an identity provider for these, see README.md#should-you-use-it`},
	{`cors cors_* allow_origin* allowed_origin* web_origins origin origins access_control_allow*`,
		`for CORS use Caddy's own directive header, see docs/sites.md#cors`},
	{`api_key api_token personal_access_token`,
		`keys for scripts are in a file that token_endpoint names, "api_keys json <path>", and a bearer_auth takes them where it has "keys", see docs/api-keys.md`},
	{`reverse_proxy proxy proxy_pass upstream upstreams respond file_server`,
		`the app is not named here, but in the site after this directive and its }: "reverse_proxy localhost:9000"`},
	{`trusted_proxies trust_proxy real_ip* real_client_ip_header set_real_ip_from x_forwarded_for`,
		`the addresses of a load balancer are set in Caddy's global option servers, see docs/sites.md#behind-a-load-balancer-that-ends-tls`},
}

// GrantTypes are values of grants.
var GrantTypes = []Neighbour{
	{`client_credential client service_account service_accounts service_accounts_enabled m2m machine_to_machine`,
		`it is called "grants client_credentials", in the block of a client that has a secret, see docs/machines.md`},
	{`authorization_code code hybrid`,
		`there is no authorization code flow; for people with a browser write "login_page" in token_endpoint, or use a server with that flow, see README.md#should-you-use-it`},
	{`implicit token id_token`,
		`the implicit grant is not offered, and RFC 9700 says not to use it; a page needs a server with the authorization code flow, see README.md#should-you-use-it`},
	{`device_code device urn:ietf:params:oauth:grant_type:device_code`,
		`the device grant is not offered; a device needs a server that has it, see README.md#should-you-use-it`},
	{`token_exchange urn:ietf:params:oauth:grant_type:token_exchange jwt_bearer
	urn:ietf:params:oauth:grant_type:jwt_bearer saml2_bearer ciba`,
		`tokens of other issuers are not exchanged; a login needs a username and a password, "grants password refresh_token"`},
	{`refresh refresh_tokens offline_access rotating_refresh_token`,
		`it is called "grants password refresh_token"`},
	{`resource_owner resource_owner_password ropc ropg password_credentials passwords
	direct_access direct_access_grants`,
		`it is called "grants password"`},
	{`all any *`,
		`for all grants remove the line; client_credentials is never among them unless a client lists it: "grants client_credentials"`},
}

var wordsOfPasswordChecks = []Neighbour{
	{`workers threads max_concurrent max_concurrency concurrent parallel parallelism max limit`,
		`to set how many passwords are hashed at the same time, write "concurrency 2"`},
	{`backlog queue_size queue_length max_queue max_waiting pending`,
		`to set how many requests may wait, write "queue 64"`},
	{`timeout max_wait queue_timeout deadline`,
		`to set how long a request waits before it gets 503, write "wait 5s"`},
	{`cache_ttl cache_time cache_duration cache_size hash_cache memoize remember ttl`,
		`to set how long a correct password is not hashed again, write "cache 5m"`},
	{`algorithm algorithms hash hasher bcrypt argon2 argon2id cost rounds iterations memory salt pepper`,
		`each hash contains its algorithm and cost, see docs/users-and-clients.md#hashes-and-what-they-cost`},
	{`min_length max_length password_policy policy strength zxcvbn`,
		`there are no rules for passwords: Caddy only compares them`},
}

var wordsOfThrottle = []Neighbour{
	{`max_failures failure_factor max_retries max_attempts max_tries attempts retries tries
	login_attempts threshold limit maxretry allowed_failures`,
		`to set how many failures cause no wait, write "failures 5"`},
	{`ban_time ban_duration ban lockout lockout_* lock block block_* cooldown backoff penalty
	wait_increment* max_failure_wait* minimum_quick_login_wait* permanent_lockout`,
		`after too many failures an attempt has to wait, longer after each one: "delay 30s 1h"; no account is locked for good`},
	{`find_time window interval period max_delta_time* reset_time`,
		`failures are not counted in a time window; to set the waits, write "delay 30s 1h", see docs/attacks.md#what-counts-and-for-whom`},
	{`account per_account per_user max_per_account global max_global`,
		`to bound the failures of one account from all addresses together, write "account_ceiling 100"`},
	{`ip per_ip ipv4 subnet netmask prefix address per_address`,
		`to set how many bits of an address make one source, write "ipv4_prefix 32" and "ipv6_prefix 64"`},
	{`ipv6`, `to set how many bits of an address make one source, write "ipv6_prefix 64"`},
	{`whitelist allowlist ignoreip exempt bypass trusted skip allow`,
		`no address is exempt; a back end sends the address of its user with "end_user_ip X-End-User-IP" in its client, see docs/attacks.md#back-ends-and-end_user_ip`},
	{`enabled enable on brute_force_protected`,
		`it is on by default; remove the line`},
	{`off disabled disable none`,
		`to count no failures, write "throttle off" in token_endpoint`},
	{`rate rate_limit requests rps events burst zone limit_req key`,
		`failed logins are counted here, not requests; for those see docs/sites.md#a-rate-limit-before-it`},
	{`store storage redis distributed cluster`,
		`each node counts separately, see docs/attacks.md#where-the-counts-are`},
}

var wordsOfUser = []Neighbour{
	{`password pass passwd secret hash password_hash hashed_password bcrypt argon2 argon2id`,
		`the password's hash, made by caddy hash-password, is on the first line; in token_endpoint "user <username> <hash>"`},
	{`username name login email_verified`,
		`the username is on the first line: in token_endpoint "user <username> <hash>"; another name for apps is a claim, "claim name Alice"`},
	{`uid uuid guid sub subject user_id identifier`,
		`to set the user's id in tokens, write "id 512a"`},
	{`role roles group groups permission permissions authorities realm_access policy memberof`,
		`there are no roles; to limit what a token may do, write "scopes <scopes...>", and a role for the app is a claim: "claim role admin"`},
	{`claims attribute attributes attr meta metadata custom extra email mail display_name
	given_name family_name phone phone_number picture locale tenant`,
		`to tell apps something about the user, write a claim: "claim email alice@example.com"`},
	{`enabled enable active inactive disable locked lock suspended blocked banned`,
		`to keep a user from logging in, write "disabled"; without it the user can log in`},
	{`expires expires_at expire expiry valid_until not_after account_expires`,
		`users do not expire; remove the line, or write "disabled"`},
	{`client clients allowed_clients apps applications audience`,
		`a user may log in with every client; to set the audience of a client's tokens, write "audience https://api.example.com" in its client`},
	{`ttl token_lifetime token_ttl expires_in access_token_lifetime access_token_ttl refresh_token_ttl session_ttl`,
		`lifetimes are set in token_endpoint or client: "access_token_ttl 15m"`},
}

var wordsOfClient = []Neighbour{
	{`client_secret password pass key shared_secret secret_file`,
		`it is called "secret {file./etc/caddy/web.secret}"`},
	{`hash hashed_secret password_hash client_secret_hash secret_bcrypt`,
		`it is called "secret_hash <hash>"`},
	{`id client_id name client_name username description label`,
		`the id is on the first line: in token_endpoint "client <id> { secret <secret> }"`},
	{`type client_type access_type public_client is_public confidential bearer_only
	token_endpoint_auth_method auth_method authenticate none`,
		`a client without a secret has the line "public"; one with a secret has "secret <secret>" and may send it in the header or the body`},
	{`grant_type grant_types allowed_grants allowed_grant_types authorized_grant_types flows
	direct_access_grants* standard_flow*`,
		`write "grants password refresh_token"; without this line the client may use all grants that the server offers, client_credentials aside`},
	{`allowed_scopes scope_ids optional_scopes optional_client_scopes permissions`,
		`to set the scopes that a client may ask for, write "scopes <scopes...>"`},
	{`default_client_scopes`, `to set the scopes of a request that names none, write "default_scopes <scopes...>"`},
	{`aud audiences allowed_audience allowed_audiences resource resources`,
		`to set the claim aud of the client's tokens, write "audience https://api.example.com"`},
	{`ttl lifetime lifespan lifespans token_lifetime token_ttl access_token_lifetime access_token_lifespan
	access_token_expiration access_token_expires_in access_ttl expires expires_in expiry max_age validity`,
		`to set how long the client's access tokens are valid, write "access_token_ttl 15m"`},
	{`refresh_ttl refresh_lifetime refresh_token_lifetime refresh_token_lifespan refresh_token_expiration
	refresh_token_expires_in refresh_expires_in session_idle*`,
		`to set how long an unused refresh token is valid, write "refresh_token_ttl 14d"`},
	{`session_ttl session_lifetime session_max session_max_lifespan session_timeout`,
		`how long a session lasts is set for all clients in token_endpoint: "session_ttl 30d"`},
	{`introspection introspection_audience introspection_endpoint can_introspect authenticate_introspect`,
		`a client may introspect its own tokens; for the tokens of other clients, write "introspect https://files.example.com"`},
	{`client_ip ip_header real_ip_header forwarded_for user_ip end_user_ip_header remote_ip`,
		`to set the header in which a back end sends its user's address, write "end_user_ip X-End-User-IP"`},
	{`allowed_ips ip_whitelist ip_allowlist allowed_hosts hosts`,
		`clients cannot be limited to addresses; a matcher of the site can, see docs/sites.md#abort-error-and-respond`},
	{`enabled enable active disabled disable`,
		`a client cannot be disabled; remove it from token_endpoint, or give it another "secret <secret>"`},
	{`role roles group groups`,
		`there are no roles here; to set the scopes that a client may ask for, write "scopes <scopes...>"`},
	{`jwks jwk jwks_uri jwks_url public_key private_key_jwt certificate cert tls_client_auth mtls`,
		`a client authenticates with "secret <secret>"; keys and certificates are not offered`},
	{`default is_default`,
		`the client for requests that name none is set in token_endpoint: "default_client <id>"`},
	{`users allowed_users`, `every user of token_endpoint may log in with every client`},
	{`rate_limit lockout max_attempts brute_force*`,
		`failed logins are limited for the whole token_endpoint: "throttle { failures 5 }"`},
}
