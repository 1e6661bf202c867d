package adminapi

import (
	"fmt"
	"net"
	"net/http"
	"regexp"

	"go.uber.org/zap"
)

// whoAsks is what is known of an operator: with a client certificate of remote admin,
// who they are; else where they are, and what they say about themselves.
func whoAsks(r *http.Request) (fields []zap.Field) {
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && local.Network() == "unix" {
		fields = append(fields, zap.String("socket", local.String()))
	} else if ip, port, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		fields = append(fields, zap.String("remote_ip", ip), zap.String("remote_port", port))
	}
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		certificate := r.TLS.VerifiedChains[0][0]
		fields = append(fields, zap.Dict("client_certificate",
			zap.String("subject", certificate.Subject.String()),
			zap.String("serial", fmt.Sprintf("%x", certificate.SerialNumber))))
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		fields = append(fields, zap.String("origin_claim", shown(origin)))
	}
	return fields
}

// logRefusal writes the audit line of a change that was not made.
func logRefusal(logger *zap.Logger, err error) {
	fields := []zap.Field{zap.Int("status", statusOf(err)), zap.String("error", withoutTokens(err.Error()))}
	if statusOf(err) < http.StatusInternalServerError {
		logger.Info("change refused", fields...)
	} else {
		logger.Error("change failed", fields...)
	}
}

// shown is a name as it is logged: cut off, and without tokens.
func shown(name string) string {
	name = withoutTokens(name)
	if len(name) > longestShown {
		return name[:longestShown] + "..."
	}
	return name
}

// withoutTokens leaves out what an operator has put in the wrong place, such as a token
// where a username belongs.
func withoutTokens(text string) string { return token.ReplaceAllString(text, "(a token)") }

// token matches a JWT or what begins as one, and the value of a session cookie: that
// many characters without a break are not a name.
var token = regexp.MustCompile(`eyJ[0-9A-Za-z_-]{10}[0-9A-Za-z_.-]*|[0-9A-Za-z_-]{100,}`)

const longestShown = 256
