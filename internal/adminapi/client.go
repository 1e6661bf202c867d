package adminapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"time"
)

// Client asks the admin API of a running Caddy. It follows no redirects, and no answer
// takes longer than 30 seconds.
type Client struct {
	address string // as it was given
	base    string // URL
	origin  string // the header; empty for none
	http    *http.Client
}

// Servers are the states of all servers.
func (c *Client) Servers(ctx context.Context) ([]Status, error) {
	return get[[]Status](ctx, c, "servers")
}

// Server is the server of that name. Whether there is one, its methods find out.
func (c *Client) Server(name string) Server {
	return remote{c, "servers/" + url.PathEscape(name)}
}

// remote is a server of another process.
type remote struct {
	client *Client
	path   string
}

func (s remote) Status(ctx context.Context) (Status, error) {
	return get[Status](ctx, s.client, s.path)
}

func (s remote) Sessions(ctx context.Context, query SessionsQuery) (Sessions, error) {
	values := make(url.Values)
	if query.User != "" {
		values.Set("user", query.User)
	}
	if query.Subject != "" {
		values.Set("subject", query.Subject)
	}
	return get[Sessions](ctx, s.client, s.path+"/"+actionSessions+"?"+values.Encode())
}

func (s remote) Revoke(ctx context.Context, request RevokeRequest) (Revoked, error) {
	return post[Revoked](ctx, s, actionRevoke, request)
}

func (s remote) Unlock(ctx context.Context, request UnlockRequest) (Unlocked, error) {
	return post[Unlocked](ctx, s, actionUnlock, request)
}

func (s remote) RotateKey(ctx context.Context) ([]Key, error) {
	return post[[]Key](ctx, s, actionRotateKey, struct{}{})
}

func (s remote) Reload(ctx context.Context) ([]File, error) {
	return post[[]File](ctx, s, actionReload, struct{}{})
}

func (s remote) Explain(ctx context.Context, request ExplainRequest) (Explanation, error) {
	return post[Explanation](ctx, s, actionExplain, request)
}

func get[T any](ctx context.Context, c *Client, path string) (value T, err error) {
	return value, c.do(ctx, http.MethodGet, path, nil, &value)
}

func post[T any](ctx context.Context, s remote, action string, body any) (value T, err error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return value, err
	}
	return value, s.client.do(ctx, http.MethodPost, s.path+"/"+action, bytes.NewReader(encoded), &value)
}

// do sends a request and reads the answer into value.
func (c *Client) do(ctx context.Context, method, path string, body io.Reader, value any) error {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, c.base+Root+path, body)
	if err != nil {
		return fmt.Errorf("asking Caddy at %s: %w", c.address, err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.origin != "" {
		r.Header.Set("Origin", c.origin) // which enforce_origin asks for
	}
	response, err := c.http.Do(r)
	if err != nil {
		return c.unreachable(ctx, err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, longestAnswer+1))
	switch {
	case err != nil:
		return c.unreachable(ctx, err)
	case len(content) > longestAnswer:
		return fmt.Errorf("the answer of Caddy at %s is longer than %d bytes", c.address, longestAnswer)
	case response.StatusCode != http.StatusOK:
		return c.answered(response, content)
	}
	if err := json.Unmarshal(content, value); err != nil || !isJSON(response) {
		return fmt.Errorf("what answers at %s is not the admin API of caddy-grant", c.address)
	}
	return nil
}

// answered is an answer other than 200 as an error. Those of Caddy and of the API are
// JSON, but Caddy does not write JSON where no module has the path.
func (c *Client) answered(response *http.Response, content []byte) error {
	var answer struct {
		Error string `json:"error"`
	}
	if isJSON(response) && json.Unmarshal(content, &answer) == nil && answer.Error != "" {
		return &Error{Status: response.StatusCode, Message: answer.Error}
	}
	if response.StatusCode == http.StatusNotFound {
		return &Error{
			Status:  response.StatusCode,
			Message: fmt.Sprintf("the Caddy at %s has no admin API of caddy-grant: it was built without caddy-grant, or with an earlier version", c.address),
		}
	}
	return &Error{
		Status:  response.StatusCode,
		Message: fmt.Sprintf("what answers at %s is not the admin API of caddy-grant: its status is %s", c.address, response.Status),
	}
}

// unreachable says why there was no answer.
func (c *Client) unreachable(ctx context.Context, err error) error {
	var inner *url.Error
	if errors.As(err, &inner) {
		err = inner.Err // without method and URL
	}
	if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		err = errors.New("it took too long; a change may or may not have been made, and to repeat it is safe")
	}
	return &Unreachable{Address: c.address, Err: err}
}

// Unreachable is that there was no answer, or that the socket may not be used.
type Unreachable struct {
	Address string
	Err     error
}

func (e *Unreachable) Error() string {
	if errors.Is(e.Err, fs.ErrPermission) {
		return fmt.Sprintf("you have no permission to connect to Caddy at %s: %v", e.Address, e.Err)
	}
	return fmt.Sprintf("Caddy does not answer at %s: %v", e.Address, e.Err)
}

func (e *Unreachable) Unwrap() error { return e.Err }

func isJSON(response *http.Response) bool {
	mediaType, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	return err == nil && mediaType == "application/json"
}

const (
	answerWithin  = patience + 10*time.Second
	longestAnswer = 16 << 20
)

// Interface guards
var _ Server = remote{}
