package docs

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/outside"
)

// issuerGroups execute docs/outside-issuers.md, and the move to another server in
// docs/leaving-the-password-grant.md.
var issuerGroups = []group{
	{"a first outside issuer", []string{"issuer-first"}, testFirstIssuer},
	{"several issuers and own tokens", []string{"issuer-several"}, testSeveralIssuers},
	{"issuers one by one", []string{
		"issuer-keycloak", "issuer-dex", "issuer-auth0", "issuer-entra", "issuer-okta", "issuer-cognito", "issuer-google", "issuer-github", "issuer-gitlab",
	}, testIssuersOneByOne},
	{"the job of GitLab asks for the audience of the site", []string{"gitlab-job", "issuer-gitlab"}, testGitLabJob},
	{"the move to another server", []string{"issuer-beside", "issuer-alone"}, testMoveToAnotherServer},
}

// posed is an issuer that says that it is one of the docs.
type posed struct {
	*outside.Issuer
	url string
}

// pose starts an issuer for the URL of a block.
func pose(t *testing.T, url, algorithm string) posed {
	t.Helper()
	_, rest, _ := strings.Cut(url, "://")
	path := ""
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		path = rest[i:]
	}
	return posed{outside.New(t, outside.Options{Path: path, Algorithm: algorithm}), url}
}

// in has the issuer in the place of the one of the docs, and of nothing else that begins
// like it.
func (p posed) in(text string) string {
	return strings.NewReplacer("issuer "+p.url+" {", "issuer "+p.URL+" {", "issuer "+p.url+"\n", "issuer "+p.URL+"\n").Replace(text)
}

// token is a token of these claims alone, with iss and times, in the form of most
// issuers.
func (p posed) token(claims map[string]any, changes ...outside.Change) string {
	return p.Token(append([]outside.Change{outside.Header("typ", "JWT"), func(t *outside.Token) {
		for _, name := range []string{"sub", "aud", "client_id", "scope", "jti"} {
			delete(t.Claims, name)
		}
		for name, value := range claims {
			t.Claims[name] = value
		}
	}}, changes...)...)
}

func (r *recipe) get(path, token string) harness.Answer {
	r.T.Helper()
	return r.Do(r.Request("GET", path, "", harness.Bearer(token)))
}

// wantWith waits until a token passes, and expects the header that the app gets.
func (r *recipe) wantWith(token, header, want string) {
	r.T.Helper()
	var a harness.Answer
	harness.Eventually(r.T, "the keys are there", func() bool {
		a = r.get("/contacts", token)
		return a.Status != 503
	})
	if a.Status != 200 {
		r.T.Fatalf("got %d; the log says %q", a.Status, r.LastReason())
	}
	if got := r.lastReceived().Get(header); got != want {
		r.T.Errorf("%s is %q, the docs say %q", header, got, want)
	}
}

func testFirstIssuer(t *testing.T, blocks map[string]block) {
	staff := pose(t, "https://id.example.com/realms/staff", "ES256")
	r := newRecipe(t)
	r.serve(staff.in(blocks["issuer-first"].text))
	claims := map[string]any{"sub": "f81d4fae", "aud": "contacts", "scope": "contacts.read"}
	r.wantWith(staff.token(claims), "X-User", staff.URL+"#f81d4fae")
	for name, change := range map[string]outside.Change{
		"another audience": outside.Claim("aud", "mail"), "an ID token": outside.Claim("nonce", "x"), "a bound token": outside.Claim("cnf", map[string]any{}),
	} {
		if a := r.get("/contacts", staff.token(claims, change)); a.Status != 401 {
			t.Errorf("%s: %d", name, a.Status)
		}
	}
	if a := r.get("/contacts", staff.token(claims, outside.Claim("scope", "mail"))); a.Status != 403 {
		t.Errorf("another scope: %d", a.Status)
	}
}

func testSeveralIssuers(t *testing.T, blocks map[string]block) {
	staff, partner := pose(t, "https://id.example.com/realms/staff", "ES256"), pose(t, "https://login.example.org", "RS256")
	r := newRecipe(t)
	r.serve(partner.in(staff.in(blocks["issuer-several"].text)))
	admin := staff.token(map[string]any{"sub": "alice", "aud": "contacts", "groups": []string{"admins"}})
	other := staff.token(map[string]any{"sub": "bob", "aud": "contacts"})
	partners := partner.token(map[string]any{"sub": "alice", "aud": "https://app.example.com", "groups": []string{"admins"}})
	r.wantWith(admin, "X-User", "staff:alice")
	r.wantWith(partners, "X-User", "partner:alice")
	own := strings.TrimPrefix(r.bearer(), "Authorization: Bearer ")
	r.wantWith(own, "X-User", "alice")
	for token, want := range map[string]int{admin: 200, other: 403, partners: 401, own: 401} {
		if a := r.get("/admin/x", token); a.Status != want {
			t.Errorf("below /admin: %d, want %d: %s", a.Status, want, r.LastReason())
		}
	}
}

// shape is what an issuer's tokens look like, and what the lines of the docs do with
// them.
type shape struct {
	block, url, algorithm string
	claims                map[string]any
	header, want          string
	refused               map[string]outside.Change
}

var shapes = []shape{
	{
		"issuer-keycloak", "https://id.example.com/realms/staff", "RS256",
		map[string]any{
			"sub": "f81d4fae", "aud": []string{"contacts", "account"}, "typ": "Bearer", "azp": "web", "scope": "openid profile",
			"preferred_username": "alice", "realm_access": map[string]any{"roles": []string{"offline_access", "contacts-user"}},
		},
		"X-User", "staff:f81d4fae",
		map[string]outside.Change{
			"for another client": outside.Claim("aud", "account"), "its ID token": outside.Claim("typ", "ID"), "its refresh token": outside.Claim("typ", "Refresh"),
			"without the role":  outside.Claim("realm_access", map[string]any{"roles": []string{"offline_access"}}),
			"a service account": outside.Claim("preferred_username", "service-account-web"),
		},
	},
	{
		"issuer-dex", "https://dex.example.com", "RS256",
		map[string]any{
			"sub": "CgcyMzQyNzQ5EgZnaXRodWI", "aud": "contacts-app", "at_hash": "bi96gOXZShvlWYtal9Eqiw", "nonce": "n",
			"email": "alice@example.com", "email_verified": true, "groups": []string{"example:contacts"},
		},
		"X-Email", "dex:alice@example.com",
		map[string]outside.Change{
			"of another client": outside.Claim("aud", "another-app"), "of another group": outside.Claim("groups", []string{"example:mail"}), "of an address that is not verified": outside.Claim("email_verified", false),
		},
	},
	{
		"issuer-auth0", "https://example.eu.auth0.com/", "RS256",
		map[string]any{
			"sub": "auth0|123456", "aud": []string{"https://contacts.example.com", "https://example.eu.auth0.com/userinfo"}, "azp": "web",
			"scope": "openid profile", "permissions": []string{"read:contacts"},
		},
		"X-User", "auth0:auth0|123456",
		map[string]outside.Change{
			"without the permission": outside.Claim("permissions", []string{}), "for the userinfo alone": outside.Claim("aud", "https://example.eu.auth0.com/userinfo"),
			"a machine": func(t *outside.Token) { t.Claims["sub"], t.Claims["gty"] = "web@clients", "client-credentials" },
		},
	},
	{
		"issuer-entra", "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0", "RS256",
		map[string]any{
			"sub": "AAAA", "oid": "aaaaaaaa-0000-1111-2222-bbbbbbbbbbbb", "aud": "66666666-7777-8888-9999-000000000000", "azp": "77777777-0000-0000-0000-000000000000",
			"scp": "Contacts.Read", "ver": "2.0", "tid": "11111111-2222-3333-4444-555555555555",
		},
		"X-User", "entra:aaaaaaaa-0000-1111-2222-bbbbbbbbbbbb",
		map[string]outside.Change{
			"an application": outside.Claim("idtyp", "app"), "an application without idtyp": outside.Without("scp"), "for another API": outside.Claim("aud", "00000003-0000-0000-c000-000000000000"),
		},
	},
	{
		"issuer-okta", "https://example.okta.com/oauth2/default", "RS256",
		map[string]any{"sub": "alice@example.com", "uid": "00u1", "cid": "0oa1", "aud": "api://default", "scp": []string{"openid", "contacts.read"}},
		"X-User", "okta:00u1",
		map[string]outside.Change{
			"a machine": outside.Claim("sub", "0oa1"), "without the scope": outside.Claim("scp", []string{"openid"}), "without uid": outside.Without("uid"),
		},
	},
	{
		"issuer-cognito", "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Example", "RS256",
		map[string]any{"sub": "f81d4fae", "client_id": "1example23456789", "token_use": "access", "username": "alice", "cognito:groups": []string{"contacts"}},
		"X-User", "cognito:f81d4fae",
		map[string]outside.Change{
			"of another app": outside.Claim("client_id", "another"), "its ID token": outside.Claim("token_use", "id"), "of another group": outside.Claim("cognito:groups", []string{"mail"}),
		},
	},
	{
		"issuer-google", "https://accounts.google.com", "RS256",
		map[string]any{
			"sub": "10769150350006150715113082367", "aud": "1234567890-example.apps.googleusercontent.com", "azp": "1234567890-example.apps.googleusercontent.com",
			"hd": "example.com", "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q", "email": "alice@example.com", "email_verified": true,
		},
		"X-User", "google:10769150350006150715113082367",
		map[string]outside.Change{
			"a person's own account": outside.Without("hd"), "another organization": outside.Claim("hd", "example.net"),
			"a service account": func(t *outside.Token) { t.Claims["azp"] = t.Claims["sub"]; delete(t.Claims, "hd") },
		},
	},
	{
		"issuer-github", "https://token.actions.githubusercontent.com", "RS256",
		map[string]any{
			"sub": "repo:example@1234/contacts@123456789:ref:refs/heads/main", "aud": "https://deploy.example.com",
			"repository": "example/contacts", "repository_id": "123456789", "ref": "refs/heads/main", "event_name": "push",
		},
		"X-User", "github:repo:example@1234/contacts@123456789:ref:refs/heads/main",
		map[string]outside.Change{
			"of another repository": outside.Claim("repository_id", "987654321"), "of a pull request": outside.Claim("ref", "refs/pull/1/merge"), "of a stranger's pull request": outside.Claim("event_name", "pull_request_target"), "for another site": outside.Claim("aud", "https://github.com/example"),
			"that lasts for an hour": outside.Claim("exp", outside.FromNow(3600e9)),
		},
	},
	{
		"issuer-gitlab", "https://gitlab.com", "RS256",
		map[string]any{
			"sub": "project_path:example/contacts:ref_type:branch:ref:main", "aud": "https://deploy.example.com",
			"project_path": "example/contacts", "project_id": "12345678", "ref_protected": "true",
		},
		"X-User", "gitlab:project_path:example/contacts:ref_type:branch:ref:main",
		map[string]outside.Change{"of another project": outside.Claim("project_id", "1"), "of a branch that is not protected": outside.Claim("ref_protected", "false")},
	},
}

func testIssuersOneByOne(t *testing.T, blocks map[string]block) {
	for _, shape := range shapes {
		t.Run(shape.block, func(t *testing.T) {
			issuer := pose(t, shape.url, shape.algorithm)
			r := newRecipe(t)
			text := issuer.in(blocks[shape.block].text)
			if strings.Contains(text, "issuer "+shape.url) {
				t.Fatalf("the block has not the issuer %s", shape.url)
			}
			r.serve(text)
			r.wantWith(issuer.token(shape.claims), shape.header, shape.want)
			for name, change := range shape.refused {
				if a := r.get("/contacts", issuer.token(shape.claims, change)); a.Status != 401 && a.Status != 403 {
					t.Errorf("a token %s: %d", name, a.Status)
				}
			}
		})
	}
}

func testGitLabJob(t *testing.T, blocks map[string]block) {
	var jobs map[string]struct {
		Tokens map[string]struct{ Aud string } `yaml:"id_tokens"`
		Script []string
	}
	if err := yaml.Unmarshal([]byte(blocks["gitlab-job"].text), &jobs); err != nil {
		t.Fatal(err)
	}
	for name, token := range jobs["deploy"].Tokens {
		if !strings.Contains(blocks["issuer-gitlab"].text, "audience "+token.Aud+"\n") {
			t.Errorf("the job's audience %s is not the site's", token.Aud)
		}
		if script := strings.Join(jobs["deploy"].Script, "\n"); !strings.Contains(script, "Bearer $"+name) {
			t.Errorf("the job does not send $%s", name)
		}
	}
	if len(jobs["deploy"].Tokens) != 1 {
		t.Errorf("the job has %d tokens", len(jobs["deploy"].Tokens))
	}
}

func testMoveToAnotherServer(t *testing.T, blocks map[string]block) {
	staff := pose(t, "https://id.example.com/realms/staff", "ES256")
	token := staff.token(map[string]any{"sub": "f81d4fae", "aud": "contacts", "preferred_username": "alice"})
	r := newRecipe(t)
	r.serve(staff.in(blocks["issuer-beside"].text))
	own := strings.TrimPrefix(r.bearer(), "Authorization: Bearer ")
	r.wantWith(token, "X-User", "sso:alice")
	r.wantWith(own, "X-User", "alice")
	r.serve(staff.in(blocks["issuer-alone"].text))
	r.wantWith(token, "X-User", "alice")
	if a := r.get("/contacts", own); a.Status != 401 {
		t.Errorf("an own token: %d", a.Status)
	}
}
