package wire

import (
	"net/http"
	"strconv"
	"time"
)

// AnnounceDeprecation says in an answer since when, or from when on, what was asked for
// is deprecated (RFC 9745), on which page this is explained, and when it ends (RFC
// 8594). What is zero or empty is left out.
func AnnounceDeprecation(header http.Header, since, sunset time.Time, link string) {
	if !since.IsZero() {
		header.Set("Deprecation", "@"+strconv.FormatInt(since.Unix(), 10))
	}
	if !sunset.IsZero() {
		header.Set("Sunset", sunset.UTC().Format(http.TimeFormat))
	}
	if link != "" {
		header.Add("Link", "<"+link+`>; rel="deprecation"; type="text/html"`)
	}
}
