package caddyargs

import (
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// unrecognized is the error for a line of a block, without the place.
func unrecognized(of, line string) string {
	d := caddyfile.NewTestDispenser(line)
	d.Next()
	text := NewBlock(of).Unrecognized(d).Error()
	return text[:strings.LastIndex(text, ", at ")]
}

func TestEachWordOfANeighbourGetsItsSentence(t *testing.T) {
	for _, block := range subdirectives {
		seen := make(map[string]bool)
		for _, row := range slices.Concat(Neighbours[block.of], Everywhere) {
			for _, word := range strings.Fields(row.Words) {
				if slices.Contains(block.have, word) {
					t.Errorf("%s is a subdirective of %s, which needs no advice", word, block.of)
				}
				word = strings.ReplaceAll(word, "*", "_of_theirs")
				if seen[fold(word)] {
					continue // a word of the block goes before one of all blocks
				}
				seen[fold(word)] = true
				want := "unrecognized subdirective " + word + " of " + block.of + ": " + row.Says
				if got := unrecognized(block.of, word+" x"); got != want {
					t.Errorf("%q, want %q", got, want)
				}
			}
		}
	}
	if len(Neighbours) != len(subdirectives) {
		t.Errorf("there are words of %d blocks, want them of %d", len(Neighbours), len(subdirectives))
	}
}

func TestNoTableHasAWordTwice(t *testing.T) {
	tables := [][]Neighbour{Everywhere, GrantTypes}
	for _, block := range subdirectives {
		tables = append(tables, Neighbours[block.of])
	}
	for _, rows := range tables {
		seen := make(map[string]bool)
		for _, row := range rows {
			for _, word := range strings.Fields(row.Words) {
				if seen[fold(word)] {
					t.Errorf("duplicate word %s, again in %q", word, row.Says)
				}
				seen[fold(word)] = true
			}
		}
	}
}

func TestWhatWasMeantByAWordThatIsNotThere(t *testing.T) {
	const bcrypt = "$2a$10$4dnozm./4QlRyuncOi.D7e7FhymHy7mtbYUdV80rCn73EfrOSqrb2"
	for _, test := range []struct{ name, of, line, want string }{
		{"camel case", "token_endpoint", "grantTypes password", `: write "grants password refresh_token"`},
		{"dashes", "token_endpoint", "grant-types password", `: write "grants password refresh_token"`},
		{"capitals", "token_endpoint", "GRANT_TYPES password", `: write "grants password refresh_token"`},
		{"a word of the block goes before one of all blocks", "bearer_auth", "login_url /login", ": a browser is sent to a page to log in"},
		{"a word goes before one that it begins like", "throttle", "lockout 10m", `"delay 30s 1h"`},
		{"a beginning", "client", "cookie_secure true", ": only the sessions of browsers have a cookie"},
		{"a login page in the check", "bearer_auth", "login_page", ": it belongs to token_endpoint"},
		{"a user of basic_auth", "token_endpoint", "alice " + bcrypt, `write a user of basic_auth as "user <username> <hash>"`},
		{"a user of basic_auth whose name is nearly a subdirective", "token_endpoint", "clint " + bcrypt, `write a user of basic_auth as "user <username> <hash>"`},
		{"a user of basic_auth with its hash in base64", "token_endpoint", "alice JDJhJDEwJDRkbm96bS4", `write a user of basic_auth as "user <username> <hash>"`},
		{"a user in the check", "bearer_auth", "alice " + bcrypt, `it belongs to token_endpoint: "user <username> <hash>"`},
		{"a hash of a client", "client", "secret_hsh " + bcrypt, `is "secret_hash <hash>"`},
		{"a hash and more", "token_endpoint", "alice " + bcrypt + " x", ""},
		{"a subdirective of another block", "user", "queue 5", ": it belongs to password_checks"},
		{"one of two other blocks", "throttle", "audience x", ": it belongs to token_endpoint, or to issuer, or to client, or to bearer_auth"},
		{"a typo", "user", "scope read", ": did you mean scopes?"},
		{"nothing", "user", "frobnicate", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := unrecognized(test.of, test.line)
			word, _, _ := strings.Cut(test.line, " ")
			begin := "unrecognized subdirective " + word + " of " + test.of
			if !strings.HasPrefix(got, begin) || !strings.Contains(got, test.want) || test.want == "" && got != begin {
				t.Errorf("%q, want %q", got, test.want)
			}
			if strings.Contains(got, "4dnozm") {
				t.Errorf("it repeats the hash: %s", got)
			}
		})
	}
}

func TestGrantTypesOfOthersGetWhatThereIsHere(t *testing.T) {
	for _, row := range GrantTypes {
		for _, word := range strings.Fields(row.Words) {
			d := caddyfile.NewTestDispenser("grants password " + word)
			d.Next()
			_, err := Grants(d, "all")
			if want := "grants " + word + ": " + row.Says; err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%v, want %q", err, want)
			}
		}
	}
	for _, line := range []string{"grants password refresh_token", "grants password", "grants refresh_token"} {
		d := caddyfile.NewTestDispenser(line)
		d.Next()
		if _, err := Grants(d, "all"); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}
