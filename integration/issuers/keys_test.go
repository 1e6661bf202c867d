package issuers

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/outside"
	"github.com/caddygrant/caddy-grant/internal/issuer"
)

// A start does not fail when the issuer is down: 503 until the first keys.
func TestAStartWhileTheIssuerIsDown(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	issuer.Down()
	e := start(t, trusting(issuer))
	for range 3 {
		e.want(t, issuer.Token(), 503)
	}
	// what is not a token needs no keys to be refused
	e.want(t, "garbage", 401)
	if a := e.Do(e.Request("GET", "/contacts", "")); a.Status != 401 {
		t.Errorf("without a token: %d", a.Status)
	}
	harness.Eventually(t, "the log tells it", func() bool { return len(e.failuresOf(issuer)) > 0 })
	issuer.Up()
	e.eventually(issuer.Token(), 200)
}

// Once there were keys they stay, whatever the issuer does after that.
func TestAnOutageAfterTheFirstKeysIsNotSeen(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	e := start(t, trusting(issuer))
	e.knows(issuer)
	issuer.Down()
	e.want(t, issuer.Token(), 200)
	e.want(t, issuer.Token(outside.By(outside.NewKey(t, "ES256"))), 401) // and a fetch is asked for
	e.want(t, issuer.Token(), 200)
}

// ill is an issuer that is not well in one way.
type ill struct {
	*outside.Issuer
	name     string
	document outside.Document
	answer   outside.Fault
}

// illnesses are issuers that are well as yet, one for each fault of each document. One
// bearer_auth takes them all, since a fetch takes its time.
func illnesses(t *testing.T, withdrawals ...outside.Fault) (issuers []ill, blocks []string) {
	t.Helper()
	add := func(document outside.Document, faults []outside.Fault) {
		for _, fault := range faults {
			issuer := outside.New(t, outside.Options{})
			issuers = append(issuers, ill{issuer, fault.Name + " for " + string(document), document, fault})
			blocks = append(blocks, trusting(issuer))
		}
	}
	add(outside.KeySet, append(outside.Faults(), withdrawals...))
	add(outside.OpenIDMetadata, outside.Faults())
	return issuers, blocks
}

// The last good set stays while what comes is not one.
func TestTheLastGoodKeysStayWhileTheIssuerIsNotWell(t *testing.T) {
	issuers, blocks := illnesses(t)
	e := start(t, blocks...)
	before := make(map[string]int)
	for _, issuer := range issuers {
		e.knows(issuer.Issuer)
		before[issuer.name] = issuer.Fetches(issuer.document)
		issuer.Answer(issuer.document, issuer.answer.Answer)
	}
	harness.Eventually(t, "all are asked for their keys again, and fail", func() bool {
		all := true
		for _, issuer := range issuers {
			if issuer.Fetches(issuer.document) == before[issuer.name] || len(e.failuresOf(issuer.Issuer)) == 0 {
				e.get("/contacts", issuer.Token(outside.By(outside.NewKey(t, "ES256")))) // a fetch is asked for
				all = false
			}
		}
		return all
	})
	for _, issuer := range issuers {
		t.Run(issuer.name, func(t *testing.T) { e.want(t, issuer.Token(), 200) })
	}
}

// Until the first keys there is no set to keep: 503, and 200 once the issuer is well.
func TestAStartWhileTheIssuerIsNotWell(t *testing.T) {
	issuers, blocks := illnesses(t, outside.Withdrawals()...)
	for _, issuer := range issuers {
		issuer.Answer(issuer.document, issuer.answer.Answer)
	}
	e := start(t, blocks...)
	for _, issuer := range issuers {
		t.Run(issuer.name, func(t *testing.T) {
			harness.Eventually(t, "the log tells it", func() bool { return len(e.failuresOf(issuer.Issuer)) > 0 })
			e.want(t, issuer.Token(), 503)
		})
		issuer.Answer(issuer.document, nil)
	}
	for _, issuer := range issuers {
		t.Run(issuer.name+", and well after that", func(t *testing.T) { e.eventually(issuer.Token(), 200) })
	}
}

// A key set is at most 512 KiB and 1,000 keys.
func TestTheSizeOfAKeySetIsBounded(t *testing.T) {
	many := func(n int) []*outside.Key {
		keys := make([]*outside.Key, n)
		for i := range keys {
			keys[i] = outside.NewKey(t, "EdDSA")
		}
		return keys
	}
	for _, test := range []struct {
		name    string
		change  func(*outside.Issuer)
		refused bool
	}{
		{"1,000 keys", func(i *outside.Issuer) { i.Publish(many(999)...) }, false},
		{"1,001 keys", func(i *outside.Issuer) { i.Publish(many(1000)...) }, true},
		{"400 KiB", func(i *outside.Issuer) { i.Pad(400 << 10) }, false},
		{"1 MB", func(i *outside.Issuer) { i.Pad(1 << 20) }, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			issuer := outside.New(t, outside.Options{})
			test.change(issuer)
			e := start(t, trusting(issuer))
			if !test.refused {
				e.knows(issuer)
				return
			}
			harness.Eventually(t, "the log tells it", func() bool { return len(e.failuresOf(issuer)) > 0 })
			e.want(t, issuer.Token(), 503)
		})
	}
}

// The last of 1,000 keys is found by its kid.
func TestEachOfAThousandKeysVerifies(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	var last *outside.Key
	for range 999 {
		last = outside.NewKey(t, "ES256")
		issuer.Publish(last)
	}
	e := start(t, trusting(issuer))
	e.knows(issuer)
	e.want(t, issuer.Token(outside.By(last)), 200)
	// without a kid at most 4 are tried, and a token must not cost a thousand checks
	e.refuses(t, []attack{
		{"a token without a kid", issuer.Token(outside.By(last), outside.Header("kid", nil)), "with the first 4 keys that fit, and no more are tried"},
	})
}

// A new key is seen soon, and an old one that is no longer published does not verify.
func TestARotation(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	e := start(t, trusting(issuer))
	e.knows(issuer)
	old := issuer.Key()
	before := issuer.Token()
	issuer.Rotate()
	e.want(t, before, 200) // both are published
	e.eventually(issuer.Token(), 200)
	e.want(t, issuer.Token(outside.By(old)), 200)

	issuer.PublishOnly(issuer.Key())
	e.want(t, before, 200) // not known here yet
	third := issuer.Rotate()
	issuer.PublishOnly(third)
	e.eventually(issuer.Token(), 200)
	e.refuses(t, []attack{
		{"a token of the old key that was remembered", before, ""},
		{"a new token of the old key", issuer.Token(outside.By(old)), ""},
	})
}

// An issuer that publishes no usable key has withdrawn the last one, and can have
// another later.
func TestTheLastKeyIsWithdrawn(t *testing.T) {
	for _, withdrawal := range outside.Withdrawals() {
		t.Run(withdrawal.Name, func(t *testing.T) {
			issuer := outside.New(t, outside.Options{})
			e := start(t, trusting(issuer))
			e.knows(issuer)
			before := issuer.Token()
			e.want(t, before, 200) // and is remembered
			issuer.Answer(outside.KeySet, withdrawal.Answer)
			e.get("/contacts", issuer.Token(outside.By(outside.NewKey(t, "ES256")))) // a fetch is asked for
			e.eventually(before, 401)
			const reason = "the issuer publishes no key that can verify tokens"
			e.refuses(t, []attack{
				{"a token that was remembered", before, reason},
				{"a new token of the old key", issuer.Token(), reason},
				{"a token without a kid", issuer.Token(outside.Header("kid", nil)), reason},
			})
			warned := e.Logged(func(line map[string]any) bool {
				message, _ := line["msg"].(string)
				return line["issuer"] == issuer.URL && line["level"] == "warn" && strings.Contains(message, "has withdrawn its keys")
			})
			if len(warned) != 1 {
				t.Errorf("%d warnings: %v", len(warned), warned)
			}
			issuer.PublishOnly(outside.NewKey(t, "ES256"))
			issuer.Answer(outside.KeySet, nil)
			e.eventually(issuer.Token(), 200)
			e.want(t, before, 401)
		})
	}
}

// Made-up kids neither hide a rotation nor fetch by themselves.
func TestARotationDuringAFloodOfMadeUpKids(t *testing.T) {
	flooded := outside.New(t, outside.Options{})
	e := start(t, trusting(flooded))
	e.knows(flooded)
	fetched, began := flooded.Fetches(outside.KeySet), time.Now()
	foreign := outside.NewKey(t, "ES256")
	const floods, each = 4, 150
	var flood sync.WaitGroup
	for f := range floods {
		tokens := make([]string, each)
		for n := range tokens {
			tokens[n] = flooded.Token(outside.By(foreign.As(fmt.Sprintf("made-up-%d-%d", f, n), "")))
		}
		flood.Go(func() {
			for _, token := range tokens {
				request, err := e.requestOf(token)
				if err != nil {
					t.Error(err)
					return
				}
				response, err := e.Client.Do(request)
				if err != nil {
					t.Error(err)
					return
				}
				response.Body.Close()
				if response.StatusCode != 401 {
					t.Errorf("a made-up kid is answered %d", response.StatusCode)
				}
			}
		})
	}
	flooded.Rotate()
	e.eventually(flooded.Token(), 200)
	flood.Wait()
	e.want(t, flooded.Token(), 200)
	n := flooded.Fetches(outside.KeySet) - fetched
	if most := int(time.Since(began)/issuer.AskInterval) + 2; n > most {
		t.Errorf("%d made-up kids caused %d fetches, want at most %d in that time", floods*each, n, most)
	}
}

// The keys outlive a reload, also one while the issuer is down, and the settings are
// those of the new config.
func TestAReloadKeepsTheKeysWhileTheIssuerIsDown(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	e := start(t, trusting(issuer))
	e.knows(issuer)
	token := issuer.Token()
	issuer.Down()
	for _, lines := range []string{"optional", "forward_token", "scopes contacts.read"} {
		e.serve(bearer("", trusting(issuer), lines))
		e.want(t, token, 200)
		e.want(t, issuer.Token(), 200)
	}
	// the settings are the new config's
	e.serve(bearer("", trusting(issuer, "algorithms RS256")))
	e.want(t, token, 401)
	e.serve(bearer("", "issuer "+issuer.URL+" {\n\taudience https://other.example.com\n}"))
	e.want(t, token, 401)
	e.serve(bearer("", trusting(issuer)))
	e.want(t, token, 200)
}

// Keys from another place, or of another authority, have not been fetched yet.
func TestAReloadThatChangesWhereTheKeysAreBeginsWithoutKeys(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	e := start(t, trusting(issuer))
	e.knows(issuer)
	issuer.Down()
	e.serve(bearer("", trusting(issuer, "jwks_url "+issuer.URL+"/keys")))
	e.want(t, issuer.Token(), 503)
	issuer.Up()
	e.eventually(issuer.Token(), 200)
}

// A restart begins without keys, and so does a config that has the issuer again after one
// that had not.
func TestARestartBeginsWithoutKeys(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	config := bearer("", trusting(issuer))
	e := start(t, trusting(issuer))
	e.knows(issuer)
	issuer.Down()
	e.Restart("", e.app.In(site(config)))
	e.want(t, issuer.Token(), 503)
	issuer.Up()
	e.knows(issuer)
	issuer.Down()
	e.serve(`respond /open "open"`)
	e.serve(config)
	e.want(t, issuer.Token(), 503)
}

// Without a kid only the first 4 keys are tried. An issuer that puts the key that it signs
// with in front has said which.
func TestTheOrderOfKeysWithoutAKidIsThatOfTheIssuer(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	var keys []*outside.Key
	for range 5 {
		keys = append(keys, outside.NewKey(t, "ES256").With(map[string]any{"kid": nil}))
	}
	signedBy := func(key *outside.Key) string {
		return issuer.Token(outside.By(key), outside.Header("kid", nil))
	}
	issuer.PublishOnly(keys...)
	e := start(t, trusting(issuer))
	e.eventually(signedBy(keys[0]), 200)
	e.want(t, signedBy(keys[4]), 401)
	issuer.PublishOnly(keys[4], keys[0], keys[1], keys[2], keys[3])
	e.eventually(signedBy(keys[4]), 200)
}

// Tokens of a key that is published for encryption, or with its private part, are refused,
// and the log says why.
func TestAKeyThatIsAddedAndNotUsableIsLogged(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	e := start(t, trusting(issuer))
	e.knows(issuer)
	for name, test := range map[string]struct {
		member, value, level, says string
	}{
		"for encryption":        {"use", "enc", "info", "it is not for signatures (use enc)"},
		"with its private part": {"d", "aHVudGVyMg", "warn", "an outside issuer publishes private keys"},
	} {
		t.Run(name, func(t *testing.T) {
			key := outside.NewKey(t, "ES256")
			issuer.Publish(key.With(map[string]any{test.member: test.value}))
			e.want(t, issuer.Token(outside.By(key)), 401) // and a fetch is asked for
			harness.Eventually(t, "the log tells it", func() bool {
				return len(e.Logged(func(line map[string]any) bool {
					return line["level"] == test.level && strings.Contains(fmt.Sprint(line), test.says)
				})) == 1
			})
			if strings.Contains(e.RawLog(), "aHVu") {
				t.Error("the private part is in the log")
			}
			e.want(t, issuer.Token(), 200)
		})
	}
}
