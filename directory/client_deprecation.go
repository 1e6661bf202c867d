package directory

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Deprecation says when the client's password grant is or was deprecated (RFC 9745), and
// when it is to end (RFC 8594). A zero time is one that is not set.
type Deprecation struct {
	Since  time.Time
	Sunset time.Time
	Link   string // of a page about it, or empty
}

// PasswordDeprecation is what the client is told about its password grant.
func (c *Client) PasswordDeprecation() *Deprecation { return &c.announced }

// deprecation reads the settings.
func (c *Client) deprecation() (d Deprecation, err error) {
	if d.Since, err = parseDate("deprecation", c.Deprecation); err != nil {
		return d, err
	}
	if d.Sunset, err = parseDate("sunset", c.Sunset); err != nil {
		return d, err
	}
	d.Link = c.DeprecationLink
	switch {
	case !d.Sunset.IsZero() && d.Sunset.Before(d.Since):
		return d, fmt.Errorf("sunset: %s is before the deprecation, %s: deprecate first, and end later", c.Sunset, c.Deprecation)
	case d.Link != "" && d.Since.IsZero():
		return d, errors.New("deprecation_link: it is the page about a deprecation: add deprecation with a date")
	case d.Link != "" && !isLink(d.Link):
		return d, fmt.Errorf("deprecation_link: %q is not an absolute URL with http or https", d.Link)
	}
	return d, nil
}

// parseDate reads a day, which begins at midnight UTC, or a time of RFC 3339.
func parseDate(setting, value string) (time.Time, error) {
	if value == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if date, err := time.Parse(layout, value); err == nil && date.Year() >= 2000 {
			return date.UTC().Truncate(time.Second), nil
		}
	}
	return time.Time{}, fmt.Errorf("%s: %q is not a date: write it as 2027-01-31, which is midnight UTC, or as 2027-01-31T18:00:00Z", setting, value)
}

// isLink tells whether a URL can be in a Link header (RFC 8288 §3).
func isLink(link string) bool {
	u, err := url.Parse(link)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" &&
		!strings.ContainsFunc(link, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`<>"`, r) })
}
