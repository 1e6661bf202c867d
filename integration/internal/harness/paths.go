package harness

// WaysAroundAnOpenPath are requests that Caddy's matchers take for one of /healthz and
// /assets/*, and some app for another path.
var WaysAroundAnOpenPath = []string{
	"DELETE /contacts/7/../../healthz", "DELETE /contacts/..%2fhealthz", "GET /assets/..;/admin/x", "GET /assets/%2e%2e;/admin", "GET /assets/..%5cadmin",
	"GET /assets/../admin", "GET /assets/%2e%2e/admin", "GET /assets/..%2fadmin", `GET /assets/..\admin`, "GET /assets/..%255cadmin", "GET /assets/%252e%252e/admin", "GET /assets/%252e%252e%252fadmin",
	"GET /assets/..%00/admin", "GET /assets/..%20/admin", "GET /assets/.%20./admin", "GET /assets/...//admin", "GET /assets/..%09/admin", "GET /assets/..%c2%a0/admin", "GET /assets/%c0%ae%c0%ae/admin",
	"GET /assets/..%c0%af/admin", "GET /assets/..%3f/admin", "GET /assets/..%23/admin", "GET /assets/..%3b/admin", "GET /assets/..;x=y/admin", "GET /assets/.;/..;/admin", "GET /assets/..%ff/admin",
	"GET //assets/admin/x", "GET ///assets//admin", "GET //healthz/admin", "GET http://other.example/contacts/../healthz", "GET http://other.example//assets/admin", "GET /assets%00/admin", "GET /%61ssets/..;/admin",
	"GET /healthz/..;/healthz", "GET /contacts/../healthz?x=/healthz", "GET /./../healthz/.", "GET /healthz/.", "GET /contacts/%2e%2e/healthz", "OPTIONS /contacts/../healthz", "HEAD /contacts/%2e./healthz",
	"GET /assets/%u002e%u002e/admin", "GET /assets/%25u002e%25u002e/admin", "GET x:healthz", "GET x:assets/admin", "GET *", "GET /assets%2f..%2f..%2fadmin", "PUT /contacts/7/%2E%2E/%2E%2E/assets/x",
}
