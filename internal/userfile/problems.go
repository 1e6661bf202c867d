package userfile

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxShown is how many problems are kept and printed; the rest are counted.
const maxShown = 20

// ErrDuplicate is what an each function returns for a name that it has seen before in
// the same file. The parser then looks up where that was.
var ErrDuplicate = errors.New("the name is already taken")

// Problems is the error of [Htpasswd] and [List]: everything that is wrong with a file,
// in the order of the file. It prints the first 20 and counts the rest, and what to do
// about several of them only once. errors.Is and
// errors.As reach the errors of each.
type Problems struct {
	shown []*problem
	count int
}

// Error prints "line 3: …" for one problem and "3 problems: line 3: …; …" for several.
func (p *Problems) Error() string {
	var b strings.Builder
	if p.count > 1 {
		fmt.Fprintf(&b, "%d problems: ", p.count)
	}
	said := make(map[string]bool)
	for i, one := range p.shown {
		if i > 0 {
			b.WriteString("; ")
		}
		text := one.Error()
		if end := strings.LastIndex(text, "; "); end >= 0 && said[text[end:]] {
			text = text[:end]
		} else if end >= 0 {
			said[text[end:]] = true
		}
		b.WriteString(text)
	}
	if more := p.count - len(p.shown); more > 0 {
		fmt.Fprintf(&b, "; and %d more", more)
	}
	return b.String()
}

// Several tells whether there is more than one.
func (p *Problems) Several() bool { return p.count > 1 }

// Unwrap returns the problems that Error prints.
func (p *Problems) Unwrap() []error {
	errs := make([]error, len(p.shown))
	for i, one := range p.shown {
		errs[i] = one
	}
	return errs
}

// add records an error of the entry at a place; name is empty where it is unknown.
func (p *Problems) add(at place, name string, err error) {
	p.count++
	if len(p.shown) < maxShown {
		p.shown = append(p.shown, &problem{at: at, name: name, err: err})
	}
}

// locate gives every duplicate the place where its name was first. search walks the
// file again and calls found for each entry; it is called only if needed.
func (p *Problems) locate(search func(found func(name string, at place))) {
	first := make(map[string]place)
	for _, one := range p.shown {
		if errors.Is(one.err, ErrDuplicate) {
			first[one.name] = place{}
		}
	}
	if len(first) == 0 {
		return
	}
	search(func(name string, at place) {
		if seen, wanted := first[name]; wanted && seen == (place{}) {
			first[name] = at
		}
	})
	for _, one := range p.shown {
		if errors.Is(one.err, ErrDuplicate) && first[one.name] != one.at {
			one.first = first[one.name]
		}
	}
}

// err returns p, or nil if nothing was added.
func (p *Problems) err() error {
	if p.count == 0 {
		return nil
	}
	return p
}

// place is where something is in a file.
type place struct {
	line    int
	section string // of a JSON list; empty in htpasswd files and outside of entries
	index   int
}

func (p place) String() string {
	if p.section == "" {
		return fmt.Sprintf("line %d", p.line)
	}
	return fmt.Sprintf("%s[%d] (line %d)", p.section, p.index, p.line)
}

// problem is one error of one entry.
type problem struct {
	at    place
	name  string
	err   error
	first place // of a duplicate: where the name was before
}

func (p *problem) Error() string {
	switch {
	case p.first != (place{}):
		return fmt.Sprintf("%s: %s is already on %s; delete one of the two", p.at, showName(p.name), p.first)
	case p.name != "":
		return fmt.Sprintf("%s: %s: %v", p.at, showName(p.name), p.err)
	}
	return fmt.Sprintf("%s: %v", p.at, p.err)
}

func (p *problem) Unwrap() error { return p.err }

// showName quotes a name, unless it may be a hash: an operator may have swapped the
// two, and what is printed ends up in a log.
func showName(name string) string {
	if len(name) > 64 || strings.ContainsAny(name, "${") {
		return "a name that may be a hash and is not shown"
	}
	return Quote(name)
}

// showKey quotes a JSON key if it looks like one.
func showKey(key string) string {
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("_-. ", r)
	}
	if key == "" || len(key) > 40 || strings.ContainsFunc(key, odd) {
		return "of odd form (not shown)"
	}
	return strconv.Quote(key)
}
