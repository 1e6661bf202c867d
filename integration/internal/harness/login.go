package harness

import (
	"encoding/json"
	"io"
	"net/url"
)

// FormType is the header of a form.
const FormType = "Content-Type: application/x-www-form-urlencoded"

// Login asks for a token with the password grant, as the client "web" with the secret
// "web-secret" of most configs here. Pairs of names and values are added to the form,
// or replace what is in it; an empty value takes a parameter out.
func (s *Site) Login(username, password string, pairs ...string) Answer {
	s.T.Helper()
	return s.Post("/token", passwordGrant(username, password, pairs).Encode())
}

// LoginForm is the form of a login that gets a token, with changes as those of
// [Site.Login].
func LoginForm(pairs ...string) string {
	return passwordGrant("alice", "correct horse", pairs).Encode()
}

// UserForm is the same without any client in it.
func UserForm(pairs ...string) string {
	return LoginForm(append([]string{"client_id", "", "client_secret", ""}, pairs...)...)
}

func passwordGrant(username, password string, pairs []string) url.Values {
	form := url.Values{
		"grant_type": {"password"}, "username": {username}, "password": {password},
		"client_id": {"web"}, "client_secret": {"web-secret"},
	}
	for i := 0; i < len(pairs); i += 2 {
		if form.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			form.Del(pairs[i])
		}
	}
	return form
}

// Token logs in and returns the access token.
func (s *Site) Token(username string, pairs ...string) string {
	s.T.Helper()
	a := s.Login(username, "correct horse", pairs...)
	a.Want(s.T, 200, "")
	return a.Text(s.T, "access_token")
}

// Attempt is Login for other goroutines than the test's own: it does not end the test.
func (s *Site) Attempt(username, password string, pairs ...string) (Answer, error) {
	response, err := s.Client.PostForm(s.URL("/token"), passwordGrant(username, password, pairs))
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return Answer{}, err
	}
	a := Answer{Status: response.StatusCode, Header: response.Header, Body: body}
	_ = json.Unmarshal(body, &a.JSON)
	return a, nil
}

// Relogin is Login where the config was just changed. Caddy's old server may take a
// connection and close it at once, which is not an answer of ours: then it tries again.
func (s *Site) Relogin(username, password string, pairs ...string) Answer {
	s.T.Helper()
	var failed error
	for range 50 {
		a, err := s.Attempt(username, password, pairs...)
		if err == nil {
			return a
		}
		failed = err
		s.Client.CloseIdleConnections()
	}
	s.T.Fatalf("no login gets an answer: %v", failed)
	return Answer{}
}
