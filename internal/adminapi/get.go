package adminapi

import (
	"context"
	"fmt"
	"io"
	"net/http"
)

// Get asks for a path of the admin endpoint that is not of the API, such as /metrics.
func (c *Client) Get(ctx context.Context, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return nil, fmt.Errorf("asking Caddy at %s: %w", c.address, err)
	}
	if c.origin != "" {
		r.Header.Set("Origin", c.origin) // which enforce_origin asks for
	}
	response, err := c.http.Do(r)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, longestAnswer+1))
	switch {
	case err != nil:
		return nil, c.unreachable(ctx, err)
	case response.StatusCode != http.StatusOK:
		return nil, &Error{
			Status:  response.StatusCode,
			Message: fmt.Sprintf("the Caddy at %s answers %s to %s", c.address, response.Status, path),
		}
	case len(content) > longestAnswer:
		return nil, fmt.Errorf("the answer of Caddy at %s to %s is longer than %d bytes", c.address, path, longestAnswer)
	}
	return content, nil
}
