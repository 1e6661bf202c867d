package adminapi

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

func TestEveryChangeIsAnAuditLine(t *testing.T) {
	for _, test := range []struct{ path, body, message, fields string }{
		{"revoke", `{"user":"alice"}`, "sessions revoked by operator", `"scope":"user","of":"alice"`},
		{"revoke", `{"subject":"u-1"}`, "sessions revoked by operator", `"scope":"subject","of":"u-1"`},
		{"revoke", `{"client":"web"}`, "sessions revoked by operator", `"scope":"client","of":"web"`},
		{"revoke", `{"session":"20270131-00ff"}`, "sessions revoked by operator", `"scope":"session","of":"20270131-00ff"`},
		{"revoke", `{"session":"20270131-00ff-redis_2-0bd005560f93b63c"}`, "sessions revoked by operator", `"scope":"session","of":"20270131-00ff-redis_2-0bd005560f93b63c"`},
		{"revoke", `{"all":true}`, "sessions revoked by operator", `"scope":"server"`},
		{"unlock", `{"user":"alice","address":"192.0.2.1"}`, "failures forgotten by operator", `"user":"alice","address":"192.0.2.1"`},
		{"unlock", `{"client":"web"}`, "failures forgotten by operator", `"client":"web"`},
		{"rotate-key", "", "signing key rotated by operator", `"keys":{"new":"published","old":"signing"}`},
		{"reload", "", "files reloaded by operator", `"loaded":["/a"],"failed":["/b"]`},
		{"revoke", `{"user":""}`, "change refused", `"status":400,"error":"user is empty: leave it out, or set it"`},
		{"revoke", `{"user":"alice","client":"web"}`, "change refused", `"scope":"user","of":"alice","status":400`},
		{"unlock", `{"address":"nowhere"}`, "change refused", `"address":"nowhere","status":400`},
	} {
		e := newEndpoint(t)
		e.send("POST", "/grant/servers/default/"+test.path, test.body, "Origin: http://localhost:2019")
		e.wantLine(test.message, fmt.Sprintf(`{"change":%q,"server":"default","remote_ip":"192.0.2.1","remote_port":"1234","origin_claim":"http://localhost:2019",%s`, test.path, test.fields))
	}
	e := newEndpoint(t)
	e.send("POST", "/grant/servers/other/revoke", `{"all":true}`)
	e.wantLine("change refused", `{"change":"revoke","server":"other","remote_ip":"192.0.2.1","remote_port":"1234","status":404`)
}

// wantLine fails the test unless the only line begins so, as JSON.
func (e *endpoint) wantLine(message, fields string) {
	e.t.Helper()
	lines := e.logged.TakeAll()
	if len(lines) != 1 {
		e.t.Fatalf("%d audit lines, want 1: %v", len(lines), lines)
	}
	encoder := zapcore.NewJSONEncoder(zapcore.EncoderConfig{})
	encoded, err := encoder.EncodeEntry(zapcore.Entry{}, lines[0].Context)
	if err != nil {
		e.t.Fatal(err)
	}
	if got := strings.TrimSpace(encoded.String()); lines[0].Message != message || !strings.HasPrefix(got, fields) {
		e.t.Errorf("%s\n%s\nwant %s\n%s", lines[0].Message, got, message, fields)
	}
}

// A token that an operator puts where a name belongs is in no line and in no error,
// and neither is one that is looked into.
func TestTokensAreNotLogged(t *testing.T) {
	jwt := "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"
	cookie := strings.Repeat("Ab0-_", 40)
	for _, secret := range []string{jwt, "Bearer " + jwt, jwt[:30], cookie} {
		for _, field := range []string{"user", "subject", "client", "session", "address", "token", "tokne"} {
			for _, path := range []string{"revoke", "unlock", "explain", "reload"} {
				for _, err := range []error{nil, &Error{Status: 404, Message: fmt.Sprintf("there is no user %q", secret)}, fmt.Errorf("storing %s: %w", secret, ErrUnavailable)} {
					e := newEndpoint(t)
					e.fake.err = err
					w := e.send("POST", "/grant/servers/default/"+path, fmt.Sprintf(`{%q:%q}`, field, secret))
					seen := fmt.Sprint(w.Header())
					if w.Code != http.StatusOK {
						seen += w.Body.String()
					}
					for _, line := range e.logged.TakeAll() {
						encoded, _ := json.Marshal(line.ContextMap())
						seen += line.Message + string(encoded)
					}
					if part := secret[len(secret)-20:]; strings.Contains(seen, part) {
						t.Errorf("%s with %s: %s", path, field, seen)
					}
				}
			}
		}
		e := newEndpoint(t)
		e.send("POST", "/grant/servers/"+strings.ReplaceAll(secret, " ", "%20")+"/reload", "")
		if _, _, fields := e.line(); strings.TrimPrefix(fmt.Sprint(fields["server"]), "Bearer ") != "(a token)" {
			t.Errorf("server %v", fields["server"])
		}
	}
}

func TestLongNamesAreCutOffInTheLog(t *testing.T) {
	e := newEndpoint(t)
	e.send("POST", "/grant/servers/default/revoke", `{"user":"`+strings.Repeat("a b ", 1000)+`"}`)
	if _, _, fields := e.line(); len(fields["of"].(string)) != longestShown+3 {
		t.Errorf("%d bytes are logged", len(fields["of"].(string)))
	}
}

func TestTheLineSaysWhoAsks(t *testing.T) {
	certificate := &x509.Certificate{SerialNumber: big.NewInt(0xfeed), Subject: pkix.Name{CommonName: "ops", Organization: []string{"Example"}}}
	for _, test := range []struct {
		name   string
		change func(*http.Request) *http.Request
		want   string
	}{
		{"over TCP", func(r *http.Request) *http.Request { return r }, `{"remote_ip":"192.0.2.1","remote_port":"1234"}`},
		{"over a Unix socket", func(r *http.Request) *http.Request {
			r.RemoteAddr = "@"
			return r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(&net.UnixAddr{Net: "unix", Name: "/run/admin.sock"})))
		}, `{"socket":"/run/admin.sock"}`},
		{"with a certificate that was verified", func(r *http.Request) *http.Request {
			r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate}, VerifiedChains: [][]*x509.Certificate{{certificate}}}
			return r
		}, `{"remote_ip":"192.0.2.1","remote_port":"1234","client_certificate":{"subject":"CN=ops,O=Example","serial":"feed"}}`},
		{"with a certificate that was not", func(r *http.Request) *http.Request {
			r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate}}
			return r
		}, `{"remote_ip":"192.0.2.1","remote_port":"1234"}`},
		{"an Origin", func(r *http.Request) *http.Request {
			r.Header.Set("Origin", "https://"+strings.Repeat("a.", 200))
			return r
		}, `"origin_claim":"https://` + strings.Repeat("a.", 124) + `..."}`},
	} {
		r := test.change(httptest.NewRequest("POST", "/grant/servers/default/reload", nil))
		core, logged := observer.New(zapcore.DebugLevel)
		zap.New(core).Info("", whoAsks(r)...)
		encoded, err := zapcore.NewJSONEncoder(zapcore.EncoderConfig{}).EncodeEntry(zapcore.Entry{}, logged.All()[0].Context)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(encoded.String()); !strings.HasSuffix(got, test.want) {
			t.Errorf("%s: %s", test.name, got)
		}
	}
}

// What was read is done, whether or not the operator waits for the answer, so that the
// audit line is true.
func TestAChangeIsMadeThoughTheOperatorIsGone(t *testing.T) {
	e := newEndpoint(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(ctx, "POST", "/grant/servers/default/revoke", strings.NewReader(`{"user":"alice"}`))
	r.Header.Set("Content-Type", "application/json")
	e.server.Config.Handler.ServeHTTP(httptest.NewRecorder(), r)
	e.wantLine("sessions revoked by operator", `{"change":"revoke"`)
}
