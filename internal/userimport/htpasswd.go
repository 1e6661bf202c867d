package userimport

import (
	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/userfile"
)

// htpasswd reads the file of Apache, nginx, lighttpd and Traefik.
func (r *reader) htpasswd(data []byte) error {
	var full error
	err := userfile.HtpasswdLines(data, func(line int, name, hash string, err error) {
		switch {
		case full != nil:
		case err != nil:
			full = r.skip(line, name, err)
		default:
			full = r.take(candidate{line: line, user: directory.User{Username: name}, secret: hash})
		}
	})
	if err != nil {
		return err
	}
	return full
}
