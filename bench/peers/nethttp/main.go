// Command nethttp is a peer of bench that knows nothing of OAuth: Go's net/http answers
// POST /token with the same bytes every time. It reads no form, checks no password and
// signs nothing, and so is the baseline for the rest: no server on net/http can be
// faster.
package main

import (
	"flag"
	"log"
	"net/http"
	"strconv"
	"strings"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "the `address` to listen on")
	flag.Parse()

	answer := tokens()
	length := strconv.Itoa(len(answer))
	http.HandleFunc("POST /token", func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "application/json; charset=UTF-8")
		h.Set("Content-Length", length)
		h.Set("Cache-Control", "no-store")
		h.Set("Pragma", "no-cache")
		_, _ = w.Write(answer)
	})
	http.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("ready"))
	})
	log.Fatal(http.ListenAndServe(*listen, nil))
}

// tokens is an answer as long as one of caddy-grant.
func tokens() []byte {
	const (
		before  = `{"token_type":"Bearer","expires_in":3600,"access_token":"`
		between = `","refresh_token":"`
		after   = `"}`
	)
	letters := length - len(before) - len(between) - len(after)
	access := letters * 3 / 5
	return []byte(before + strings.Repeat("a", access) + between + strings.Repeat("r", letters-access) + after)
}

// length is that of the body.
const length = 635
