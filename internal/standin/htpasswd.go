package standin

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// recorded is what Apache's htpasswd printed: a line with its arguments, in quotes if
// need be, and the line that it printed. See TestHtpasswdRecordings.
//
//go:embed htpasswd.txt
var recorded string

// htpasswdCommand is a command line of htpasswd.
type htpasswdCommand struct {
	create, remove, print, batch, stdin bool
	scheme                              string // the flags that say how to hash
	file, user, password                string
}

func parseHtpasswd(args []string) (c htpasswdCommand, err error) {
	flags := pflag.NewFlagSet("htpasswd", pflag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.SetInterspersed(false)
	flags.BoolVarP(&c.create, "create", "c", false, "")
	flags.BoolVarP(&c.remove, "delete", "D", false, "")
	flags.BoolVarP(&c.print, "print", "n", false, "")
	flags.BoolVarP(&c.batch, "batch", "b", false, "")
	flags.BoolVarP(&c.stdin, "stdin", "i", false, "")
	var scheme []string
	for _, name := range []string{"m", "B", "2", "5", "d", "s", "p"} {
		flags.BoolFuncP("scheme-"+name, name, "", func(string) error {
			scheme = append(scheme, "-"+name)
			return nil
		})
	}
	for _, name := range []string{"C", "r"} { // with a value
		flags.FuncP("cost-"+name, name, "", func(value string) error {
			scheme = append(scheme, "-"+name+value)
			return nil
		})
	}
	if err := flags.Parse(args); err != nil {
		return c, err
	}
	operands := flags.Args()
	if len(scheme) == 0 {
		scheme = []string{"-m"}
	}
	slices.Sort(scheme)
	c.scheme = strings.Join(scheme, " ")
	for _, into := range []struct {
		given bool
		value *string
	}{{!c.print, &c.file}, {true, &c.user}, {c.batch, &c.password}} {
		if into.given && len(operands) > 0 {
			*into.value, operands = operands[0], operands[1:]
		} else if into.given {
			return c, errors.New("this command line, which is too short")
		}
	}
	if len(operands) > 0 {
		return c, errors.New("this command line, which is too long")
	}
	if !c.batch && !c.stdin && !c.remove {
		return c, errors.New("a prompt on the terminal")
	}
	return c, nil
}

func htpasswd(s stdio, args []string) int {
	c, err := parseHtpasswd(args)
	if err != nil {
		return unknown(s, "htpasswd", "%v: %q", err, args)
	}
	if c.stdin {
		line, err := bufio.NewReader(s.in).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return unknown(s, "htpasswd", "a password on standard input: %v", err)
		}
		c.password = strings.TrimRight(line, "\r\n")
	}
	line := ""
	if !c.remove {
		hash, found := c.hash()
		if !found {
			return unknown(s, "htpasswd", "a hash by %s of %q: add the command to its recordings", c.scheme, c.password)
		}
		line = c.user + ":" + hash + "\n"
	}
	if c.print {
		fmt.Fprintln(s.out, line) // and an empty line, as htpasswd does
		return 0
	}
	if err := c.rewrite(line); err != nil {
		fmt.Fprintf(s.err, "htpasswd: %v\n", err)
		return 1
	}
	return 0
}

// hash is one that the real tool made, but for the formats without a salt.
func (c htpasswdCommand) hash() (string, bool) {
	switch c.scheme {
	case "-s":
		sum := sha1.Sum([]byte(c.password))
		return "{SHA}" + base64.StdEncoding.EncodeToString(sum[:]), true
	case "-p":
		return c.password, true
	}
	for _, r := range recordings() {
		if r.command.scheme == c.scheme && r.command.password == c.password {
			_, hash, _ := strings.Cut(r.printed, ":")
			return hash, true
		}
	}
	return "", false
}

// rewrite does what the real tool does with the file: it writes the new content to a
// temporary one, then truncates the file itself and copies the content back, 8 KiB at a
// time. Readers meanwhile see no file, or a part of one.
func (c htpasswdCommand) rewrite(line string) error {
	var old []byte
	if !c.create {
		var err error
		if old, err = os.ReadFile(c.file); err != nil {
			return err
		}
	}
	var content bytes.Buffer
	found := false
	for each := range strings.Lines(string(old)) {
		switch user, _, _ := strings.Cut(each, ":"); {
		case user != c.user || found:
			content.WriteString(each)
		default:
			found = true
			content.WriteString(line)
		}
	}
	if !found {
		content.WriteString(line)
	}

	temporary, err := os.CreateTemp("", "htpasswd.tmp.")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	defer temporary.Close()
	if _, err := temporary.Write(content.Bytes()); err != nil {
		return err
	}
	file, err := os.OpenFile(c.file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return err
	}
	for piece := range slices.Chunk(content.Bytes(), 8192) {
		if _, err := file.Write(piece); err != nil {
			file.Close()
			return err
		}
	}
	return file.Close()
}

type recording struct {
	arguments []string
	command   htpasswdCommand
	printed   string // the line
}

func recordings() (all []recording) {
	lines := strings.Split(strings.TrimSpace(recorded), "\n")
	for i := 0; i < len(lines); i++ {
		text, found := strings.CutPrefix(lines[i], "$ htpasswd ")
		if !found {
			continue // a comment
		}
		r := recording{arguments: words(text)}
		var err error
		if r.command, err = parseHtpasswd(r.arguments); err != nil {
			panic("htpasswd.txt: " + lines[i] + ": " + err.Error())
		}
		if i++; i < len(lines) {
			r.printed = lines[i]
		}
		all = append(all, r)
	}
	return all
}

// words are those of a command line, read as a shell does: with single quotes and
// backslashes.
func words(line string) (all []string) {
	var word strings.Builder
	quoted, escaped, inside := false, false, false
	for _, r := range line + " " {
		switch {
		case escaped || quoted && r != '\'':
			word.WriteRune(r)
			escaped = false
		case r == '\'':
			quoted, inside = !quoted, true
		case r == '\\':
			escaped, inside = true, true
		case r != ' ' && r != '\n':
			word.WriteRune(r)
			inside = true
		case inside:
			all = append(all, word.String())
			word.Reset()
			inside = false
		}
	}
	return all
}
