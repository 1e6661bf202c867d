package apikey

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	strictjson "github.com/go-jose/go-jose/v4/json"

	"github.com/caddygrant/caddy-grant/directory"
)

func validated(t *testing.T, k Key) *Key {
	t.Helper()
	if err := k.Validate(); err != nil {
		t.Fatal(err)
	}
	return &k
}

func TestTheScopesOfAKeyAreCutToWhatItsOwnerHasToday(t *testing.T) {
	server := []string{"a", "b", "c"}
	for _, test := range []struct {
		key, user, allowed []string
		want               string
	}{
		{[]string{"a", "b"}, nil, server, "a b"},
		{[]string{"b", "d", "a"}, nil, server, "b a"},
		{[]string{"a", "b"}, []string{"b", "d"}, server, "b"},
		{[]string{"d"}, []string{"d"}, server, ""},
		{[]string{"a", "b"}, []string{}, server, ""},
		{nil, nil, server, ""},
		{[]string{"a"}, nil, nil, ""},
	} {
		k := valid()
		k.Scopes = test.key
		i := NewIdentity(validated(t, k), &directory.User{Username: "alice", Scopes: test.user}, nil, test.allowed, nil, "")
		if got := i.Claim("scope"); got != test.want {
			t.Errorf("%v: got %q", test, got)
		}
		for _, scope := range []string{"a", "b", "c", "d", ""} {
			if i.HasScope(scope) != (scope != "" && strings.Contains(" "+test.want+" ", " "+scope+" ")) {
				t.Errorf("%v: HasScope(%q) is %v", test, scope, i.HasScope(scope))
			}
		}
		owned := Key{Name: "k", Hash: k.Hash, Client: "batch", Scopes: test.key}
		i = NewIdentity(validated(t, owned), nil, &directory.Client{ID: "batch"}, test.allowed, nil, "")
		if got := len(i.Scopes()); test.user == nil && got != len(strings.Fields(test.want)) {
			t.Errorf("%v: a client has %v", test, i.Scopes())
		}
	}
}

func TestAClientsKeyIsForNoOtherAudienceThanTheClient(t *testing.T) {
	alice, batch := &directory.User{Username: "alice"}, &directory.Client{ID: "batch"}
	for _, test := range []struct {
		key, owners  []string
		users, batch []string
	}{
		{nil, []string{"api"}, []string{"api"}, []string{"api"}},
		{nil, nil, nil, nil},
		{[]string{}, []string{"api"}, []string{}, []string{}},
		{[]string{"x", "api"}, []string{"api"}, []string{"x", "api"}, []string{"api"}},
		{[]string{"x"}, []string{"api"}, []string{"x"}, []string{}},
		{[]string{"x"}, nil, []string{"x"}, []string{}},
	} {
		k := valid()
		k.Audience = test.key
		users := NewIdentity(validated(t, k), alice, nil, nil, test.owners, "")
		k.User, k.Client = "", "batch"
		clients := NewIdentity(validated(t, k), nil, batch, nil, test.owners, "")
		for i, want := range map[*Identity][]string{users: test.users, clients: test.batch} {
			got := i.Claim("aud").([]string)
			if len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
				t.Errorf("%v: got %v, want %v", test, got, want)
			}
			for _, audience := range []string{"x", "api", "other"} {
				if got, want := i.IsFor([]string{"unknown", audience}), strings.Contains(strings.Join(want, " "), audience); got != want {
					t.Errorf("%v: IsFor(%s) is %v", test, audience, got)
				}
			}
			if i.IsFor(nil) {
				t.Errorf("%v: it is for no audience", test)
			}
		}
	}
}

func TestTheClaimsOfAUsersKeyAreTheUsersOfToday(t *testing.T) {
	k := valid()
	k.Scopes, k.Expires = []string{"a"}, "2027-01-31"
	user := &directory.User{Username: "alice", ID: "7", Claims: map[string]json.RawMessage{
		"email": json.RawMessage(`"alice@example.com"`), "level": json.RawMessage(`12345678901234567890`),
		"groups": json.RawMessage(`["staff", {"x": 1.50}]`), "twice": json.RawMessage(`{"a": 1, "a": 2}`),
		"sub": json.RawMessage(`"root"`), "client_id": json.RawMessage(`"root"`), "key_name": json.RawMessage(`"root"`),
	}}
	i := NewIdentity(validated(t, k), user, &directory.Client{ID: "web"}, []string{"a"}, []string{"api"}, "https://id.example.com")
	if i.IsClient() || i.User() != user || i.Client() != nil {
		t.Error("it is a client's")
	}
	for name, want := range map[string]any{
		"iss": "https://id.example.com", "sub": "7", "username": "alice", "client_id": "", "scope": "a",
		"aud": []string{"api"}, "exp": int64(1801353600), "key_name": "deploy", "jti": nil, "sid": nil, "hash": nil,
		"email": "alice@example.com", "level": strictjson.Number("12345678901234567890"), "twice": nil, "Email": nil,
		"groups": []any{"staff", map[string]any{"x": strictjson.Number("1.50")}},
	} {
		if got := i.Claim(name); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %#v, want %#v", name, got, want)
		}
	}
	for name, want := range map[string]any{"email": "alice@example.com", "sub": nil, "client_id": nil, "scope": nil, "twice": nil} {
		if got, _ := i.OwnClaim(name); !reflect.DeepEqual(got, want) {
			t.Errorf("own %s: got %#v, want %#v", name, got, want)
		}
	}
}

func TestAUserWithoutAnIDIsTheSubjectByName(t *testing.T) {
	i := NewIdentity(validated(t, valid()), &directory.User{Username: "alice"}, nil, nil, nil, "")
	if i.Claim("sub") != "alice" || i.Claim("exp") != nil || i.Claim("iss") != "" {
		t.Errorf("got %v, %v, %v", i.Claim("sub"), i.Claim("exp"), i.Claim("iss"))
	}
}

func TestAClientIsTheSubjectOfItsOwnKeyAndHasNoUsername(t *testing.T) {
	k := valid()
	k.User, k.Client = "", "batch"
	i := NewIdentity(validated(t, k), nil, &directory.Client{ID: "batch"}, nil, []string{"api"}, "")
	if !i.IsClient() || i.User() != nil || i.Client().ID != "batch" || i.Key().Name != "deploy" {
		t.Error("it is not the client's")
	}
	for name, want := range map[string]any{"sub": "batch", "client_id": "batch", "username": "", "email": nil, "key_name": "deploy"} {
		if got := i.Claim(name); got != want {
			t.Errorf("%s: got %#v, want %#v", name, got, want)
		}
	}
}
