package setting

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"
)

// CheckLiteralSecret refuses a secret, as the config has it, that was meant to be read
// from elsewhere: an attacker who knows the config's layout would know the secret.
func CheckLiteralSecret(setting, value string) error {
	return checkLiteralSecretWith(os.Stat, setting, value)
}

func checkLiteralSecretWith(stat func(string) (fs.FileInfo, error), setting, value string) error {
	if unclosedPlaceholder.MatchString(value) || unclosedVariable.MatchString(value) {
		return fmt.Errorf("%w; a literal { is written \\{", errUnclosedPlaceholder(setting))
	}
	if found := colonPlaceholder.FindStringSubmatch(value); found != nil {
		return errColon(setting, strings.ToLower(found[2]), strings.TrimPrefix(found[3], "//"))
	}
	if likePlaceholder.MatchString(value) {
		end := strings.IndexAny(value, ".:")
		name := strings.TrimSuffix(value[end+1:], "}")
		if value[end] == ':' {
			name = strings.TrimPrefix(name, "//")
		}
		return errLikePlaceholder(setting, strings.ToLower(value[:end]), name)
	}
	if name, ok := strings.CutPrefix(value, "$"); ok && variableName.MatchString(name) {
		return errLikePlaceholder(setting, "env", name)
	}
	path := strings.TrimPrefix(value, "@") // with which some programs mark the path of a file
	switch {
	case isPath(stat, path):
		return errLikePlaceholder(setting, "file", path)
	case isFileHere(stat, strings.TrimPrefix(path, "file:")):
		return errLikePlaceholder(setting, "file", "./"+strings.TrimPrefix(path, "file:"))
	case pathFromElsewhere.MatchString(value):
		return errLikePlaceholder(setting, "", "")
	}
	return nil
}

// isPath tells whether a value is the path of an existing file, or in an existing
// directory: a slash may be the first character of a random secret, so the root
// directory and the one in which Caddy runs do not count.
func isPath(stat func(string) (fs.FileInfo, error), value string) bool {
	if !strings.HasPrefix(value, "/") && !strings.HasPrefix(value, "./") {
		return false
	}
	info, err := stat(value)
	if err == nil && info.Mode().IsRegular() {
		return true
	}
	dir := filepath.Dir(value)
	if dir == "/" || dir == "." {
		return false
	}
	if errors.Is(err, fs.ErrPermission) {
		return true
	}
	info, err = stat(dir)
	return err == nil && info.IsDir()
}

// isFileHere tells whether a value is the name of a file in the directory in which
// Caddy runs, or its path from there. Such a name may be anything, so only an existing
// file counts: a random secret is not the name of one.
func isFileHere(stat func(string) (fs.FileInfo, error), value string) bool {
	if value == "" || len(value) > maxFilePath || value[0] == '/' || strings.ContainsAny(value, "{}\x00") {
		return false
	}
	info, err := stat(value)
	return err == nil && info.Mode().IsRegular()
}

// errLikePlaceholder says what to write in place of a value that is not a secret. It
// repeats what names a file or a variable; anything else may be a secret, and has no
// kind.
func errLikePlaceholder(setting, kind, name string) error {
	const problem = "%s: this looks like a path or a placeholder without its braces, and would be taken literally: "
	if mayBeShown(kind, name) {
		return fmt.Errorf(problem+"write {%s.%s}", setting, kind, name)
	}
	return fmt.Errorf(problem+"write {file./path/to/secret} or {env.NAME}; if this is the secret itself, keep it in such a file or variable", setting)
}

// errColon says that a placeholder has a colon in place of its dot.
func errColon(setting, kind, name string) error {
	if mayBeShown(kind, name) {
		return fmt.Errorf("%s: {%s:%s} is not a placeholder: write {%s.%s}, with a dot", setting, kind, name, kind, name)
	}
	return fmt.Errorf("%s: it holds a placeholder with a colon: write {file./path/to/secret} or {env.NAME}, with a dot", setting)
}

// mayBeShown tells whether a name has the form of a variable or of a path, which a piece
// of a secret has not.
func mayBeShown(kind, name string) bool {
	return kind == "env" && len(name) <= 64 && variableName.MatchString(name) || kind == "file" && len(name) <= maxFilePath && isPlainPath(name)
}

// isPlainPath tells whether a path can be in a placeholder, and in a message.
func isPlainPath(path string) bool {
	return strings.HasPrefix(strings.TrimPrefix(path, "."), "/") &&
		!strings.ContainsFunc(path, func(r rune) bool { return r == '{' || r == '}' || unicode.Is(unicode.C, r) })
}

// checkReplacedSecret refuses a secret in which a placeholder is left after
// replacement, unless that was asked for by a backslash.
func checkReplacedSecret(setting, before, value string) error {
	if !strings.Contains(before, `\{`) && (strings.Contains(value, "{file.") || strings.Contains(value, "{env.")) {
		return errUnclosedPlaceholder(setting)
	}
	return nil
}

func errUnclosedPlaceholder(setting string) error {
	return fmt.Errorf("%s: it holds a placeholder that is not replaced, and would be taken literally: write {file./path/to/secret} or {env.NAME}, with both braces", setting)
}

var (
	// unclosedPlaceholder is a placeholder without its closing brace.
	unclosedPlaceholder = regexp.MustCompile(`(^|[^\\])\{(?i:file|env)\.[^}]*$`)

	// unclosedVariable is the same for a variable of the Caddyfile. After other text,
	// where a random secret may well have {$, its name or its default must end the
	// value.
	unclosedVariable = regexp.MustCompile(`^\{\$[A-Z_][A-Z0-9_]+[^}]*$|[^\\]\{\$[A-Z_][A-Z0-9_]+(:[^}]*)?$`)

	// colonPlaceholder is a placeholder with a colon where its dot belongs.
	colonPlaceholder = regexp.MustCompile(`(^|[^\\])\{(?i:(file|env)):([^{}]+)\}`)

	// likePlaceholder is a placeholder without its opening brace, or the URL of a file.
	likePlaceholder = regexp.MustCompile(`^(?i:file\.|env\.|file:/)`)

	variableName = regexp.MustCompile(`^[A-Z_][A-Z0-9_]*$`)

	// pathFromElsewhere begins as few random secrets do, and continues as a path.
	pathFromElsewhere = regexp.MustCompile(`^(@?(\.\./|~/)|@\.?/)[\pL\pN._/@+ -]*$`)
)

// maxFilePath is the longest path in a message.
const maxFilePath = 256
