// Package browser knows what a browser says about the requests it sends, and what it has
// to be told: which requests a tab shows, where it may be sent back to, which requests
// come from another origin, cookies in headers, and answers that are one person's alone.
package browser
