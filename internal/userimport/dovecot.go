package userimport

import (
	"errors"
	"fmt"
	"strings"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/userfile"
)

// The fields of a line of Dovecot's passwd-file. Only the first two must be there.
const (
	dovecotName = iota
	dovecotPassword
	dovecotUID
	dovecotGID
	dovecotGECOS
	dovecotHome
	dovecotShell
	dovecotExtra
)

// dovecot reads lines of user:{SCHEME}hash:uid:gid:gecos:home:shell:extra fields.
func (r *reader) dovecot(data []byte) error {
	lines, err := userfile.Lines(data)
	if err != nil {
		return err
	}
	empty := true
	for number, line := range lines {
		empty = false
		if err := r.dovecotLine(number, line); err != nil {
			return err
		}
	}
	if empty {
		return errors.New("no users in it")
	}
	return nil
}

func (r *reader) dovecotLine(number int, line string) error {
	fields := strings.SplitN(line, ":", dovecotExtra+1)
	switch {
	case len(line) > maxLine:
		return r.skip(number, "", fmt.Errorf("longer than %d bytes", maxLine))
	case len(fields) == 1:
		return r.skip(number, "", errors.New("no colon in it; a line is user:{SCHEME}hash:…"))
	case fields[dovecotName] == "":
		return r.skip(number, "", errors.New("no name before the colon"))
	case len(fields) > dovecotUID && strings.Contains(fields[dovecotUID], "$"):
		return r.skip(number, "", errors.New("a hash is where the user's number should be; is there a colon too many?"))
	}
	c := candidate{
		line: number, user: directory.User{Username: fields[dovecotName]}, secret: fields[dovecotPassword],
		attributes: make(map[string]any),
	}
	if len(fields) > dovecotGECOS && fields[dovecotGECOS] != "" {
		full, _, _ := strings.Cut(fields[dovecotGECOS], ",") // then come an office and telephones
		c.attributes["name"] = full
	}
	if len(fields) > dovecotExtra {
		for extra := range strings.FieldsSeq(fields[dovecotExtra]) {
			key, value, _ := strings.Cut(extra, "=")
			switch {
			case value == "n" || value == "no":
			case key == "nopassword":
				return r.skip(number, c.user.Username, errors.New("nopassword: Dovecot accepts any password for it"))
			case key == "nologin":
				c.user.Disabled = true
			case key == "allow_nets" || key == "allow_real_nets":
				c.notes = append(c.notes, key+" does not come over: the user can log in from anywhere")
			}
		}
	}
	if c.secret == "" {
		return r.skip(number, c.user.Username, errors.New("it has no password"))
	}
	return r.take(c)
}
