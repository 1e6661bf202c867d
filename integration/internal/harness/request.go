package harness

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
)

// Do sends a request. While two configs overlap at a reload, Caddy resets connections
// that the old one had not accepted yet, and closes those that it had and that are new;
// those, and only those, are tried again.
func (s *Site) Do(r *http.Request) Answer {
	s.T.Helper()
	response, err := s.Client.Do(r)
	for try := 0; (errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF)) && try < 3; try++ {
		if r.GetBody != nil {
			r.Body, _ = r.GetBody()
		}
		response, err = s.Client.Do(r)
	}
	if err != nil {
		s.T.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.T.Fatalf("reading the answer of %s %s: %v", r.Method, r.URL, err)
	}
	a := Answer{Status: response.StatusCode, Header: response.Header, Body: body}
	_ = json.Unmarshal(body, &a.JSON)
	return a
}

// Request makes a request with a body and headers, given as "Name: value". A form is
// assumed where a body has no Content-Type.
func (s *Site) Request(method, path, body string, headers ...string) *http.Request {
	s.T.Helper()
	target := path
	if strings.HasPrefix(path, "/") {
		target = s.URL(path)
	}
	r, err := http.NewRequest(method, target, strings.NewReader(body))
	if err != nil {
		s.T.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		if http.CanonicalHeaderKey(name) == "Content-Type" {
			r.Header.Del("Content-Type")
		}
		r.Header.Add(name, value)
	}
	return r
}

// Post sends a body to a path.
func (s *Site) Post(path, body string, headers ...string) Answer {
	s.T.Helper()
	return s.Do(s.Request(http.MethodPost, path, body, headers...))
}

// Basic is an Authorization header; id and secret are used as they are.
func Basic(id, secret string) string {
	r := http.Request{Header: make(http.Header)}
	r.SetBasicAuth(id, secret)
	return "Authorization: " + r.Header.Get("Authorization")
}

// Authorization is the same of any scheme.
func Authorization(scheme, decoded string) string {
	return "Authorization: " + scheme + " " + base64.StdEncoding.EncodeToString([]byte(decoded))
}

// FetchHeaders are those of a script of another site.
func FetchHeaders(site, mode string) []string {
	return []string{"Sec-Fetch-Site: " + site, "Sec-Fetch-Mode: " + mode, "Sec-Fetch-Dest: empty", "Origin: https://evil.example"}
}

// Bearer is an Authorization header.
func Bearer(token string) string { return "Authorization: Bearer " + token }
