package issuer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddygrant/caddy-grant/internal/oneline"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// fetcher gets JSON documents of an issuer. Each is bounded in size, time, redirects
// and type, since another server decides about them.
type fetcher struct {
	client http.Client
	limit  time.Duration // of each document, with its redirects
}

// NewTransport is for one issuer. Without TLS settings the system's authorities are
// trusted.
func NewTransport(settings *tls.Config) *http.Transport {
	if settings == nil {
		settings = new(tls.Config)
	}
	settings = settings.Clone()
	settings.MinVersion = max(settings.MinVersion, tls.VersionTLS12)
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		TLSClientConfig:        settings,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    fetchLimit,
		MaxIdleConnsPerHost:    1,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

func newFetcher(transport http.RoundTripper, limit time.Duration) *fetcher {
	return &fetcher{http.Client{Transport: transport, CheckRedirect: checkRedirect}, limit}
}

// checkRedirect follows a few redirects, and never to plain HTTP.
func checkRedirect(next *http.Request, via []*http.Request) error {
	from := via[len(via)-1].URL
	if len(via) > maxRedirects {
		return fmt.Errorf("more than %d redirects, the last one to %s", maxRedirects, clipped(shown(next.URL)))
	}
	if _, err := parseNext(from, next.URL.String()); err != nil {
		return fmt.Errorf("redirected to %s: %w", clipped(shown(next.URL)), err)
	}
	return nil
}

// document is an answer.
type document struct {
	body  []byte
	fresh time.Duration // for how long it may be used; negative if it does not say
}

// get fetches one document. The error names the URL.
func (f *fetcher) get(ctx context.Context, from *url.URL) (*document, error) {
	ctx, cancel := context.WithTimeout(ctx, f.limit)
	defer cancel()
	d, err := f.fetch(ctx, from)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", shown(from), err)
	}
	return d, nil
}

func (f *fetcher) fetch(ctx context.Context, from *url.URL) (*document, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, from.String(), nil)
	if err != nil {
		return nil, errors.New("cannot make a request of it")
	}
	request.Header.Set("Accept", "application/json, application/jwk-set+json")
	request.Header.Set("User-Agent", "caddy-grant")
	response, err := f.client.Do(request)
	if response != nil {
		defer response.Body.Close()
	}
	if err != nil {
		if inURL, ok := errors.AsType[*url.Error](err); ok { // it repeats the query
			err = inURL.Err
		}
		if strings.HasPrefix(err.Error(), "failed to parse Location header") { // and repeats it
			return nil, errors.New("redirected to what is not a URL")
		}
		if errors.Is(err, context.DeadlineExceeded) {
			return nil, silence{fmt.Errorf("no answer within %v", f.limit)}
		}
		if _, refused := errors.AsType[*tls.CertificateVerificationError](err); refused {
			return nil, silence{fmt.Errorf("%w: %w", errCertificate, err)}
		}
		if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" {
			return nil, silence{err}
		}
		return nil, err
	}
	switch {
	case response.StatusCode == http.StatusNotFound, response.StatusCode == http.StatusGone:
		return nil, fmt.Errorf("status %d: it is not there", response.StatusCode)
	case response.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("status %d instead of 200", response.StatusCode)
	}
	if coding := strings.Join(response.Header.Values("Content-Encoding"), ", "); coding != "" && !strings.EqualFold(coding, "identity") {
		return nil, errors.New("the answer has a content coding that was not asked for")
	}
	if types := response.Header.Values("Content-Type"); len(types) != 1 || !isJSON(types[0]) {
		return nil, fmt.Errorf("content type %q instead of application/json: is it the right URL?", clipped(strings.Join(types, ", ")))
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1)) // as it is once decompressed
	if err == nil {
		err = ctx.Err() // a server that sees us leave may end its answer in time
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("the answer did not end within %v", f.limit)
	case err != nil:
		return nil, fmt.Errorf("reading the answer: %w", err)
	case len(body) > maxBody:
		return nil, fmt.Errorf("the answer is larger than %d KiB", maxBody>>10)
	}
	return &document{body: body, fresh: freshness(response.Header)}, nil
}

// silence is the error of a server that does not answer at all, or not as itself.
type silence struct{ error }

func (s silence) Unwrap() error { return s.error }

// errCertificate is the error of a server that answers, but may be another one.
var errCertificate = errors.New("its certificate is not accepted")

// isJSON tells whether a Content-Type is one of JSON (RFC 8259 §11, RFC 6839 §3.1).
func isJSON(contentType string) bool {
	mediaType, _, err := mime.ParseMediaType(contentType)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return false
	}
	return mediaType == "application/json" || strings.HasPrefix(mediaType, "application/") && strings.HasSuffix(mediaType, "+json")
}

// findKeys returns where an issuer's keys are by its metadata: of OpenID Connect
// Discovery 1.0, or else of RFC 8414. The metadata must be that of this very issuer: it
// could send us to another's keys otherwise (RFC 8414 §3.3, RFC 9207 §1).
func (f *fetcher) findKeys(ctx context.Context, issuer string) (*url.URL, error) {
	at, err := parseURL(issuer)
	if err != nil {
		return nil, fmt.Errorf("issuer: %w", err)
	}
	var failures []error
	for _, from := range metadataURLs(at) {
		read, err := f.getMetadata(ctx, from)
		if err != nil { // many servers have a page, a login, an error or nothing at any path
			failures = append(failures, err)
			continue
		}
		keys, err := read.keys(issuer, from)
		if err != nil {
			err = oneline.Join(append(failures, err)...)
		}
		return keys, err
	}
	if !slices.ContainsFunc(failures, func(err error) bool { return !errors.As(err, new(silence)) }) {
		if errors.Is(failures[0], errCertificate) {
			return nil, fmt.Errorf("the issuer's metadata cannot be fetched: %w", failures[0])
		}
		return nil, fmt.Errorf("the issuer cannot be reached, or does not answer: %w", failures[0])
	}
	return nil, fmt.Errorf("there is no metadata: check the issuer's URL, or set jwks_url: %w", oneline.Join(failures...))
}

// metadata is what is read of an issuer's metadata.
type metadata struct {
	Issuer *string `json:"issuer"` // not nil
	JWKS   string  `json:"jwks_uri"`
}

// getMetadata fetches metadata. JSON without an issuer is not metadata, but what some
// servers answer at any path.
func (f *fetcher) getMetadata(ctx context.Context, from *url.URL) (*metadata, error) {
	found, err := f.get(ctx, from)
	if err != nil {
		return nil, err
	}
	var read *metadata
	switch {
	case token.DecodeStrictly(found.body, &read) != nil || read == nil:
		return nil, fmt.Errorf("the metadata at %s is not a JSON object, or has a duplicate or malformed member", shown(from))
	case read.Issuer == nil:
		return nil, fmt.Errorf("the metadata at %s has no issuer", shown(from))
	}
	return read, nil
}

// keys is where the metadata, which was found at a URL, says that the keys are.
func (m *metadata) keys(issuer string, from *url.URL) (*url.URL, error) {
	switch {
	case *m.Issuer != issuer:
		return nil, fmt.Errorf("the metadata at %s is of the issuer %q, and the configured issuer is %q: they must be the same, byte for byte", shown(from), clipped(*m.Issuer), issuer)
	case m.JWKS == "":
		return nil, fmt.Errorf("the metadata at %s has no jwks_uri: set jwks_url", shown(from))
	}
	keys, err := parseNext(from, m.JWKS)
	if err != nil {
		return nil, fmt.Errorf("the metadata at %s has the jwks_uri %q: %w", shown(from), clipped(ShownURL(m.JWKS)), err)
	}
	return keys, nil
}

// clipped is what another server sent, as long as a log line may repeat it.
func clipped(text string) string {
	if len(text) <= maxShown {
		return text
	}
	return strings.ToValidUTF8(text[:maxShown], "") + "…"
}

const (
	fetchLimit   = 10 * time.Second // of each document: both places of metadata, and the keys
	maxBody      = 512 << 10
	maxRedirects = 3
	maxShown     = 200
)
