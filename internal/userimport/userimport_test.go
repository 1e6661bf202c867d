package userimport

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/internal/password"
)

// madeHash is what stands in for hashing: slow, and not what is tested.
func madeHash(password string) (string, error) { return "hash of " + password, nil }

// read reads a file whose passwords are then hashed.
func read(t *testing.T, format Format, text string, options Options) *Result {
	t.Helper()
	result, err := Read(format, []byte(text), options)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range result.Entries {
		if err := e.Hash(madeHash); err != nil {
			t.Fatal(err)
		}
	}
	return result
}

// told is one line for each entry.
func told(result *Result) (lines []string) {
	for _, e := range result.Entries {
		line := fmt.Sprintf("%d %s", e.Line, e.Name)
		if e.User == nil {
			line += ": skipped: " + e.Reason
		} else {
			line += ": " + strings.Join(append([]string{e.Kind}, e.Notes...), "; ")
		}
		lines = append(lines, line)
	}
	return lines
}

func file(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// wantTold compares what is said with the beginnings of lines.
func wantTold(t *testing.T, result *Result, want ...string) {
	t.Helper()
	got := told(result)
	for i, line := range got {
		if i >= len(want) || !strings.HasPrefix(line, want[i]) {
			t.Errorf("line %d is\n  %s", i, line)
			if i < len(want) {
				t.Errorf("want\n  %s", want[i])
			}
		}
	}
	if len(got) < len(want) {
		t.Errorf("%d entries are missing: %q", len(want)-len(got), want[len(got):])
	}
}

// wantLogin checks that users can log in with the passwords they had.
func wantLogin(t *testing.T, result *Result, passwordOf func(name string) string, names ...string) {
	t.Helper()
	var over []string
	for _, e := range result.Entries {
		if e.User == nil {
			continue
		}
		over = append(over, e.User.Username)
		want := passwordOf(e.User.Username)
		if made, plaintext := strings.CutPrefix(e.User.PasswordHash, "hash of "); plaintext {
			if made != want {
				t.Errorf("%s: a hash of %q was made", e.User.Username, made)
			}
			continue
		}
		hash, err := password.Parse(e.User.PasswordHash, true)
		if err != nil || !hash.Matches(want) {
			t.Errorf("%s cannot log in: %v", e.User.Username, err)
		}
	}
	if !slices.Equal(over, names) {
		t.Errorf("there came over %q, want %q", over, names)
	}
}

// apache.htpasswd was made by Apache's htpasswd, with each of its schemes.
func TestEachKindOfHtpasswdComesOverOrSaysWhyNot(t *testing.T) {
	passwords := func(name string) string { return strings.TrimSuffix(name, "user") + "-password" }
	text := file(t, "apache.htpasswd")
	result := read(t, Htpasswd, text, Options{})
	wantTold(t, result,
		"1 apr1user: apr1; apr1 (MD5), quick to guess",
		"2 bcryptuser: bcrypt cost 10",
		"3 shauser: skipped: {SHA} is one round of SHA-1 without a salt, guessed almost at once, and allow_weak_hashes is not set",
		"4 desuser: skipped: it looks like DES crypt",
		"5 plainuser: skipped: it looks like a plaintext password; --plaintext makes a hash of it",
		"6 sha256user: sha256-crypt rounds=5000",
		"7 sha512user: sha512-crypt rounds=10000",
		"8 cheapuser: bcrypt cost 5; bcrypt with a cost below 10",
	)
	wantLogin(t, result, passwords, "apr1user", "bcryptuser", "sha256user", "sha512user", "cheapuser")

	result = read(t, Htpasswd, text, Options{AllowWeak: true, Plaintext: true})
	wantLogin(t, result, passwords, "apr1user", "bcryptuser", "shauser", "plainuser", "sha256user", "sha512user", "cheapuser")
}

// A hash of DES crypt that was taken for a password would be one.
func TestAHashIsNeverTakenForAPassword(t *testing.T) {
	for _, hash := range []string{
		"vBVINafxaEieQ", "5f4dcc3b5aa765d61d8327deb882cf99", "X03MO1qnZdYdgyfeuILPmQ==",
		"$argon2i$v=19$m=32768,t=4,p=1$qvc7h4NqkAy1+WhlKo5BfA$cU7SR0WBjbRAkh7DyiEMkTxwcWluEams9+9LLvEfsgU",
		"{SHA256}4JskeCLurHlWLQ8Uv/3UOW39lue822EV3VAJsngCU6w=", "$2y$05$short", "!", "*", "x",
	} {
		result := read(t, Htpasswd, "alice:"+hash+"\n", Options{Plaintext: true, AllowWeak: true})
		if e := result.Entries[0]; e.User != nil {
			t.Errorf("%s comes over as %s", hash, e.Kind)
		}
	}
}

// dovecot.passwd was made by doveadm pw, with each of its schemes.
func TestEachSchemeOfDovecotComesOverOrSaysWhyNot(t *testing.T) {
	result := read(t, Dovecot, file(t, "dovecot.passwd"), Options{Claims: []string{"name"}})
	wantLogin(t, result, func(string) string { return "dove-password" },
		"blf-crypt", "plain", "crypt", "md5-crypt", "sha512-crypt", "clear", "cleartext", "argon2id", "md5", "plain-trunc",
		"sha256-crypt", "b64", "hex", "out", "office")
	for _, e := range result.Entries {
		if e.User == nil && e.Reason == "" {
			t.Errorf("%s is skipped without a reason", e.Name)
		}
		if e.User == nil {
			continue
		}
		switch name := e.User.Username; {
		case name == "plain" && string(e.User.Claims["name"]) != `"User PLAIN"`:
			t.Errorf("plain has the claims %s", e.User.Claims)
		case e.User.Disabled != (name == "out"):
			t.Errorf("%s: disabled is %v", name, e.User.Disabled)
		case name == "office" && !slices.Contains(e.Notes, "allow_nets does not come over: the user can log in from anywhere"):
			t.Errorf("office has the notes %q", e.Notes)
		}
	}
	if e := result.Entries[len(result.Entries)-2]; e.Reason != "nopassword: Dovecot accepts any password for it" {
		t.Errorf("any: %q", e.Reason)
	}
}

func TestLinesThatAreNotDovecotsAreNamed(t *testing.T) {
	wantTold(t, read(t, Dovecot, "# users\n\nhunter2\n:{PLAIN}hunter2\nalice\nbob::1000:1000\ncarol:hunter2:$1$x\nerin:{PLAIN.b64}???\ndan:hunter2\n", Options{}),
		"3 : skipped: no colon in it",
		"4 : skipped: no name before the colon",
		"5 : skipped: no colon in it",
		"6 bob: skipped: it has no password",
		"7 : skipped: a hash is where the user's number should be",
		"8 erin: skipped: its scheme says base64, which it is not",
		"9 dan: skipped: it looks like a plaintext password; --plaintext makes a hash of it",
	)
}

// users_database.yml is the example of Authelia's documentation.
func TestAutheliasExampleComesOver(t *testing.T) {
	result := read(t, Authelia, file(t, "users_database.yml"), Options{Claims: []string{"email", "groups"}})
	wantTold(t, result, "10 authelia: sha512-crypt rounds=50000")
	wantLogin(t, result, func(string) string { return "authelia" }, "authelia")
	claims := result.Entries[0].User.Claims
	if len(claims) != 2 || string(claims["email"]) != `"authelia@authelia.com"` || string(claims["groups"]) != `["admins","dev"]` {
		t.Errorf("claims %s", claims)
	}
	if fmt.Sprint(result.Left) != "[name]" {
		t.Errorf("left behind: %q", result.Left)
	}
}

const goodHash = "$2y$10$ZWGMdMPmY8mRRTOPoNuKCuxd8QS8Z0dMu7xfF30wwLO0ihJouCinu"

func TestAutheliasUsersAreTakenAsAutheliaReadsThem(t *testing.T) {
	result := read(t, Authelia, strings.ReplaceAll(`
defaults: &d {password: HASH}
users:
  alice: {password: HASH, disabled: true, groups: [], extra: {floor: 3, here: true}}
  bob: {password: HASH, disabled: maybe}
  carol: *d
  dan: {<<: *d, email: dan@example.com}
  erin: {password: "$pbkdf2-sha512$310000$c2FsdA$aGFzaA"}
  frank: {displayname: Frank}
  grace: grace
  123: {password: 'HASH'}
  "heidi ": {password: 'HASH'}
  "ivan\u200b": {password: 'HASH'}
  ~: {password: 'HASH'}
  alice: {password: 'HASH'}
  judy: {password: 'HASH', password: 'HASH'}
  mallory: {password: 12345678}
  nina: {password: 'HASH', email: *d}
`, "HASH", goodHash), Options{Claims: []string{"floor", "here", "groups"}})
	wantTold(t, result,
		"4 alice: bcrypt cost 10; disabled",
		"5 bob: skipped: disabled must be true or false",
		"6 carol: skipped: it has no password",
		"7 dan: skipped: it has an alias",
		"8 erin: skipped: it looks like PBKDF2",
		"9 frank: skipped: it has no password",
		"10 grace: skipped: it has no password",
		"11 123: bcrypt cost 10",
		`12 "heidi ": bcrypt cost 10`,
		`13 "ivan\u200b": skipped: username "ivan\u200b": an invisible character`,
		"14 : skipped: the name of a user must be text",
		"15 alice: skipped: the name is already on line 4",
		"16 judy: skipped: it has a duplicate key",
		"17 mallory: skipped: its password is not a text",
		"18 nina: skipped: it has an alias",
	)
	claims := result.Entries[0].User.Claims
	if string(claims["floor"]) != `"3"` || string(claims["here"]) != `true` || string(claims["groups"]) != `[]` {
		t.Errorf("claims %s", claims)
	}
}

func TestScopesComeFromTheOptionsUnlessTheFileHasThem(t *testing.T) {
	groups := strings.ReplaceAll("users:\n  alice: {password: HASH, groups: [admins, staff]}\n  bob: {password: HASH}\n"+
		"  carol: {password: HASH, groups: [a b]}\n  dan: {password: HASH, groups: staff}\n", "HASH", goodHash)
	table := "username,password,scopes\nalice,x,own\nbob,x,*\ncarol,x,\n"
	for _, test := range []struct {
		format  Format
		text    string
		options Options
		want    string
	}{
		{Authelia, groups, Options{}, "alice[] bob[] carol[] dan[]"},
		{Authelia, groups, Options{ScopesFrom: "groups"}, "alice[admins staff] bob[]none dan[staff]"},
		{Authelia, groups, Options{Scopes: []string{"staff"}, ScopesFrom: "groups"}, "alice[staff admins] bob[staff] dan[staff]"},
		{Htpasswd, "alice:" + goodHash, Options{Scopes: []string{"a", "b"}}, "alice[a b]"},
		{CSV, table, Options{Scopes: []string{"a"}}, "alice[own] bob[] carol[]none"},
	} {
		var got []string
		for _, e := range read(t, test.format, test.text, test.options).Entries {
			if e.User == nil {
				continue
			}
			text := fmt.Sprint(e.User.Username, e.User.Scopes)
			if e.User.Scopes != nil && len(e.User.Scopes) == 0 {
				text += "none"
			}
			got = append(got, text)
		}
		if text := strings.Join(got, " "); text != test.want {
			t.Errorf("%+v: %s, want %s", test.options, text, test.want)
		}
	}
}

// Nine lines that would be a billion users.
func TestABombOfAliasesStaysSmall(t *testing.T) {
	var text strings.Builder
	text.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := range 9 {
		fmt.Fprintf(&text, "a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 10), ", "))
	}
	text.WriteString("users:\n  alice: {password: '" + goodHash + "', groups: *a9}\n  bob: {password: '" + goodHash + "', groups: [*a9]}\n")
	wantTold(t, read(t, Authelia, text.String(), Options{Claims: []string{"groups"}}),
		"12 alice: skipped: it has an alias", "13 bob: bcrypt cost 10")

	for _, deep := range []string{strings.Repeat("[", 1<<20), strings.Repeat("{a: ", 1<<20), "users:\n" + strings.Repeat("- ", 1<<20)} {
		if _, err := Read(Authelia, []byte(deep), Options{}); err == nil {
			t.Errorf("%.20q… is accepted", deep)
		}
	}
}

func TestACSVComesOverWithItsColumns(t *testing.T) {
	result := read(t, CSV, strings.ReplaceAll(strings.ReplaceAll("\ufeff"+`Username;password;Password_Hash;id;scopes;disabled;Email;Team
alice;correct horse;;512a;contacts.read contacts.write;;alice@example.com;ops
bob;;HASH;;*;no;;"a ""b""
c"
carol;;HASH;;;TRUE;carol@example.com;
;;;;;;;
dan;x;HASH;;*;;;
erin;;;;*;;;
;x;;;*;;;
frank;x;;;*;perhaps;;
grace;x;;512a"b";*;;;
heidi;x;;a"b;*;;;
ivan;x
judy;;hunter2;;*;;;
alice;y;;;*;;;
kim;z;;;"a\b";;;
leo;z;;512a;*;;;
512b;z;;;*;;;
max;z;;512b;*;;;
`, "HASH", goodHash), "\n", "\r\n"), Options{Claims: []string{"email", "team"}})
	wantTold(t, result,
		"2 alice: plaintext",
		"3 bob: bcrypt cost 10",
		"5 carol: bcrypt cost 10; no scopes; write * for all that a client may ask for; disabled",
		"7 dan: skipped: it has a password and a password_hash",
		"8 erin: skipped: it has no password_hash and no password",
		"9 : skipped: it has no username",
		"10 frank: skipped: disabled must be true or false",
		`11 : skipped: not valid CSV: bare " in non-quoted-field`,
		`12 : skipped: not valid CSV: bare " in non-quoted-field`,
		"13 : skipped: its number of columns is 2, and that of the first line 8",
		"14 judy: skipped: it looks like a plaintext password",
		"15 alice: skipped: the name is already on line 2",
		"16 kim: skipped: scopes",
		"17 leo: skipped: its id is that of line 2",
		"18 512b: plaintext",
		"19 max: skipped: its id is that of line 18",
	)
	alice, bob, carol := result.Entries[0].User, result.Entries[1].User, result.Entries[2].User
	if alice.PasswordHash != "hash of correct horse" || alice.ID != "512a" || fmt.Sprint(alice.Scopes) != "[contacts.read contacts.write]" ||
		string(alice.Claims["email"]) != `"alice@example.com"` || string(alice.Claims["team"]) != `"ops"` {
		t.Errorf("alice is %+v", alice)
	}
	if bob.Scopes != nil || string(bob.Claims["team"]) != `"a \"b\"\nc"` || bob.Claims["email"] != nil {
		t.Errorf("bob is %+v", bob)
	}
	if carol.Scopes == nil || len(carol.Scopes) != 0 || !carol.Disabled {
		t.Errorf("carol is %+v", carol)
	}
}

func TestFilesOfAnotherFormatAreRefusedAsAWhole(t *testing.T) {
	for _, test := range []struct {
		format  Format
		text    string
		options Options
		want    string
	}{
		{Htpasswd, "", Options{}, "no entries in it"},
		{Htpasswd, "users:\n  alice:\n", Options{}, "it is YAML"},
		{Htpasswd, `{"users":[]}`, Options{}, "it is JSON"},
		{Htpasswd, "\xff\xfea\x00", Options{}, "it is UTF-16"},
		{Dovecot, "# nobody\n", Options{}, "no users in it"},
		{Dovecot, "\xff\xfea\x00", Options{}, "it is UTF-16"},
		{CSV, "alice," + goodHash + "\n", Options{}, "the first line must name the columns"},
		{CSV, "", Options{}, "the first line must name the columns"},
		{CSV, "username,password,USERNAME\n", Options{}, "two columns with the same name, of which column 3 is the second"},
		{Authelia, "alice:" + goodHash, Options{}, `it has no "users:"`},
		{Authelia, "users: {}", Options{}, `it has no "users:"`},
		{Authelia, "users: {a: {}}\nusers: {b: {}}\n", Options{}, `line 2: a second "users:"`},
		{Authelia, "users:\n  alice:\n    password: *hunter2\n", Options{}, "not valid YAML"},
		{Authelia, "users:\n\talice:\n", Options{}, "line 2: not valid YAML"},
		{Authelia, "users:\n  alice: bob: carol\n", Options{}, "yaml: line 2: mapping values are not allowed in this context"},
		{Authelia, strings.Repeat(" ", maxAuthelia+1), Options{}, "it is larger than 16 MiB"},
		{Htpasswd, "alice:" + goodHash, Options{Claims: []string{"sub"}}, `claim "sub": it has a meaning of its own`},
		{Htpasswd, "alice:" + goodHash, Options{Claims: []string{"email"}}, `no user has the attribute "email"; the file has no attributes`},
		{CSV, "username,password,phone\nalice,x,1\n", Options{Claims: []string{"email"}}, `no user has the attribute "email"; there are: "phone"`},
		{"passwd", "", Options{}, "unknown format"},
	} {
		_, err := Read(test.format, []byte(test.text), test.options)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s %.40q: %v, want %s", test.format, test.text, err, test.want)
		}
	}
}

func TestPasswordsThatNoLoginAcceptsAreSkipped(t *testing.T) {
	for secret, want := range map[string]string{
		"":                         "it has no password",
		strings.Repeat("a", 1025):  "longer than 1024 bytes",
		"a\x00b":                   "a NUL",
		"gr\xfcn":                  "not UTF-8",
		strings.Repeat("a b", 300): "",
	} {
		e := read(t, Dovecot, "alice:{PLAIN}"+secret, Options{}).Entries[0]
		if want == "" && e.User == nil || want != "" && !strings.Contains(e.Reason, want) {
			t.Errorf("%.10q: %q, want %q", secret, e.Reason, want)
		}
	}
}
