package bearer

import (
	"bytes"
	"net"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// HTTP/2 keeps the space before a value that HTTP/1 drops on the way to the app: what
// was another scheme here would be a Bearer token there.
func TestASpaceBeforeTheSchemeIsNoWayAround(t *testing.T) {
	app := harness.NewApp(t)
	s := harness.StartWith(t, "servers {\n\t\tprotocols h1 h2c\n\t}", app.In(`http://127.0.0.1:%PORT% {
	token_endpoint {
		client web {
			secret web-secret
		}
		user alice `+harness.HashCheap+`
	}
	bearer_auth {
		optional
	}
	reverse_proxy %APP%
}
`))
	for name, test := range map[string]struct{ value, status string }{
		"I1: a space before Bearer":                 {" Bearer forged.token.here", "401"},
		"I1: a tab before Bearer":                   {"\tBearer forged.token.here", "401"},
		"I5: Bearer behind other credentials":       {"Basic Zm9v, Bearer forged.token.here", "400"},
		"I5: Bearer behind others without a space":  {"Basic Zm9v,bearer forged.token.here", "400"},
		"I1: Bearer and a comma":                    {"Bearer, forged.token.here", "400"},
		"I1: something that is no scheme":           {"(Bearer) forged.token.here", "400"},
		"optional: other credentials are left":      {"Basic Zm9vOmJhcg==", "200"},
		"optional: a list of parameters is left":    {`Digest username="bearer", realm="x"`, "200"},
		"I2: an empty value is none":                {"", "200"},
		"I3: without the space it is a bad token":   {"Bearer forged.token.here", "401"},
		"I1: the scheme has no case behind a space": {" bEARER forged.token.here", "401"},
	} {
		t.Run(name, func(t *testing.T) {
			app.Take()
			status := overHTTP2(s, map[string]string{"authorization": test.value})
			if status != test.status {
				t.Errorf("got %s, want %s", status, test.status)
			}
			if seen := app.Take(); len(seen) > 0 && test.status != "200" {
				t.Errorf("the app received %v", seen)
			}
		})
	}
}

// overHTTP2 sends a GET for / with headers exactly as they are, which no client does,
// and returns the status.
func overHTTP2(s *harness.Site, headers map[string]string) string {
	s.T.Helper()
	conn, err := net.Dial("tcp", s.Address())
	if err != nil {
		s.T.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		s.T.Fatal(err)
	}
	framer := http2.NewFramer(conn, conn)
	if err := framer.WriteSettings(); err != nil {
		s.T.Fatal(err)
	}
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, field := range [][2]string{{":method", "GET"}, {":scheme", "http"}, {":authority", s.Address()}, {":path", "/"}} {
		_ = encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	for name, value := range headers {
		_ = encoder.WriteField(hpack.HeaderField{Name: name, Value: value})
	}
	if err := framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true}); err != nil {
		s.T.Fatal(err)
	}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			s.T.Fatal(err)
		}
		response, ok := frame.(*http2.HeadersFrame)
		if !ok {
			continue
		}
		status := ""
		decoder := hpack.NewDecoder(4096, func(field hpack.HeaderField) {
			if field.Name == ":status" {
				status = field.Value
			}
		})
		if _, err := decoder.Write(response.HeaderBlockFragment()); err != nil {
			s.T.Fatal(err)
		}
		return status
	}
}
