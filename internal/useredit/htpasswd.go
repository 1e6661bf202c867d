package useredit

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/password"
)

const byteOrderMark = "\xEF\xBB\xBF"

// lines is a file of lines, in the htpasswd format unless it is part of records.
type lines struct {
	list List
	mark string   // of the byte order, if there is one
	text []string // each with its line end
}

func parseLines(data []byte, list List) *lines {
	text, marked := strings.CutPrefix(string(data), byteOrderMark)
	l := &lines{list: list, text: strings.SplitAfter(text, "\n")}
	if marked {
		l.mark = byteOrderMark
	}
	if last := len(l.text) - 1; l.text[last] == "" {
		l.text = l.text[:last]
	}
	return l
}

func (l *lines) bytes() []byte { return []byte(l.mark + strings.Join(l.text, "")) }

// disabledMark stands before the line of a disabled user. It makes a comment of it,
// which every program that reads such files leaves out. The hash stays for the day when
// the user is enabled.
const disabledMark = "# disabled: "

// marked is how it may be written by hand.
var marked = regexp.MustCompile(`^#[ \t]*disabled:[ \t]*`)

// spot is where an entry is in its line.
type spot struct {
	start, name, hash, end int // of all, of the name, of the hash, behind the hash
	disabled               bool
}

// find returns where an entry is in a line, if it has one.
func (l *lines) find(line string) (at spot, found bool) {
	text := strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
	body := strings.TrimLeft(text, " \t")
	at.start = len(text) - len(body)
	at.name = at.start
	body = strings.TrimRight(body, " \t")
	if body != "" && body[0] == '#' {
		mark := marked.FindString(body)
		if mark == "" || l.list != Users {
			return at, false
		}
		at.disabled = true
		at.name += len(mark)
		body = body[len(mark):]
	}
	name, rest, ok := strings.Cut(body, ":")
	if !ok {
		return at, false
	}
	hash, _, _ := strings.Cut(rest, ":")
	at.hash = at.name + len(name) + 1
	at.end = at.hash + len(hash)
	if at.disabled { // a remark may begin in the same way
		if _, err := password.Parse(hash, true); err != nil || checkName(name, l.list) != nil {
			return at, false
		}
	}
	return at, true
}

// each goes through the lines that have an entry.
func (l *lines) each(do func(i int, name, hash string, at spot) (more bool)) {
	for i, line := range l.text {
		if at, found := l.find(line); found && !do(i, line[at.name:at.hash-1], line[at.hash:at.end], at) {
			return
		}
	}
}

// entries leaves out a disabled user who also has a line that is not disabled: a tool
// that does not know the mark may have added it.
func (l *lines) entries() (all []Entry) {
	at := make(map[string]int)
	l.each(func(_ int, name, hash string, s spot) bool {
		e := Entry{Name: name, Hash: hash, Disabled: s.disabled}
		if l.list == Users {
			e.User = &directory.User{Username: name, PasswordHash: hash, Disabled: s.disabled}
		} else {
			e.Client = &directory.Client{ID: name, SecretHash: hash}
		}
		switch i, again := at[name]; {
		case !again:
			at[name] = len(all)
			all = append(all, e)
		case !s.disabled && all[i].Disabled:
			all[i] = e
		}
		return true
	})
	return all
}

// place is the line of an entry: that which is not disabled, or else the first.
func (l *lines) place(wanted string) (line int, place spot) {
	line = -1
	l.each(func(i int, name, _ string, at spot) bool {
		if name != wanted || line >= 0 && at.disabled {
			return true
		}
		line, place = i, at
		return at.disabled
	})
	return line, place
}

// splice replaces a part of a line.
func (l *lines) splice(line, from, to int, text string) {
	l.text[line] = l.text[line][:from] + text + l.text[line][to:]
}

func (l *lines) add(name, hash string, members []Member) error {
	if len(members) > 0 {
		return fmt.Errorf("the htpasswd format holds names and hashes and no %s; use a JSON file", members[0].Name)
	}
	if hash == "" {
		return errors.New("the htpasswd format has no entries without a hash; use a JSON file")
	}
	if err := writable(name); err != nil {
		return err
	}
	l.append(name + ":" + hash)
	return nil
}

// append adds a line, with the line end that the file has.
func (l *lines) append(line string) {
	end := "\n"
	if len(l.text) > 0 && strings.HasSuffix(l.text[0], "\r\n") {
		end = "\r\n"
	}
	if last := len(l.text) - 1; last >= 0 && !strings.HasSuffix(l.text[last], "\n") {
		l.text[last] += end
	}
	l.text = append(l.text, line+end)
}

// writable refuses a name that a line would not give back.
func writable(name string) error {
	switch {
	case strings.Contains(name, ":"):
		return errors.New("a name with a colon is not possible in the htpasswd format; use a JSON file")
	case strings.HasPrefix(name, "#"):
		return errors.New("a line that begins with # is a comment in the htpasswd format; use a JSON file, or another name")
	case strings.TrimSpace(name) != name:
		return errors.New("a blank before or after the name is not possible in the htpasswd format")
	}
	return nil
}

func (l *lines) setHash(name, hash string) {
	line, at := l.place(name)
	l.splice(line, at.hash, at.end, hash)
}

func (l *lines) setDisabled(name string, disabled bool) error {
	line, at := l.place(name)
	if disabled {
		l.splice(line, at.name, at.name, disabledMark)
	} else {
		l.splice(line, at.start, at.name, "")
	}
	return nil
}

func (l *lines) rename(from, to string) error {
	if err := writable(to); err != nil {
		return err
	}
	line, at := l.place(from)
	l.splice(line, at.name, at.hash-1, to)
	return nil
}

func (l *lines) setID(string, string) error {
	return errors.New("the htpasswd format has no ids: a user's name is the subject of their tokens")
}

// remove removes the line, and what is left of the name in a line that is disabled.
func (l *lines) remove(name string) {
	for line, _ := l.place(name); line >= 0; line, _ = l.place(name) {
		l.text = append(l.text[:line], l.text[line+1:]...)
	}
}
