package issuers

import (
	"net/http"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/outside"
)

// requestOf is a request with a token, for other goroutines than the test's own.
func (e edge) requestOf(token string) (*http.Request, error) {
	request, err := http.NewRequest(http.MethodGet, e.URL("/contacts"), nil)
	if err == nil {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	return request, err
}

// The answers come while the issuer still has the request for its keys in its hands.
func TestNoRequestWaitsForAFetch(t *testing.T) {
	for _, document := range []outside.Document{outside.OpenIDMetadata, outside.KeySet} {
		t.Run("the first keys, hanging at "+string(document), func(t *testing.T) {
			issuer := outside.New(t, outside.Options{})
			hand := issuer.Hang(document)
			e := start(t, trusting(issuer))
			hand.WaitsFor(t)
			for range 5 {
				e.want(t, issuer.Token(), 503)
			}
			hand.Release()
			e.eventually(issuer.Token(), 200)
		})
	}
	t.Run("an unknown kid", func(t *testing.T) {
		issuer := outside.New(t, outside.Options{})
		e := start(t, trusting(issuer))
		e.knows(issuer)
		known := issuer.Token()
		issuer.Rotate()
		hand := issuer.Hang(outside.KeySet)
		arrived := make(chan struct{})
		go func() {
			<-hand.Arrived
			close(arrived)
		}()
		harness.Eventually(t, "the keys are asked for", func() bool {
			e.want(t, issuer.Token(), 401)
			select {
			case <-arrived:
				return true
			default:
				return false
			}
		})
		for range 5 {
			e.want(t, issuer.Token(), 401)
			e.want(t, known, 200)
		}
		hand.Release()
		e.eventually(issuer.Token(), 200)
	})
}

// A reload does not wait either, nor does the end of a config.
func TestNoReloadWaitsForAFetch(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	hand := issuer.Hang(outside.OpenIDMetadata)
	e := start(t, trusting(issuer))
	hand.WaitsFor(t)
	e.serve(bearer("", trusting(issuer), "optional"))
	e.want(t, issuer.Token(), 503)
	e.serve(`respond /open "open"`)
	e.get("/open", "x").Want(t, 200, "")
}

// An issuer that hangs does not hold up another one.
func TestAnIssuerThatHangsConcernsItsOwnTokens(t *testing.T) {
	hanging, well := outside.New(t, outside.Options{}), outside.New(t, outside.Options{})
	hand := hanging.Hang(outside.KeySet)
	e := startSite(t, ownServer, bearer("", trusting(hanging), trusting(well)))
	hand.WaitsFor(t)
	e.knows(well)
	e.want(t, hanging.Token(), 503)
	e.want(t, well.Token(), 200)
	e.want(t, e.Token("alice"), 200)
}
