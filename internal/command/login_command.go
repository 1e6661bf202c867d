package command

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// tokenVariable is where a command finds the access token.
const tokenVariable = "CADDY_GRANT_TOKEN"

// lookPath finds a command before anyone types a password for it.
func lookPath(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s: there is no such command", printable(name))
	}
	return filepath.Abs(path)
}

// withToken puts the token in an environment.
func withToken(environment []string, token string) []string {
	environment = slices.DeleteFunc(environment, func(variable string) bool { return strings.HasPrefix(variable, tokenVariable+"=") })
	return append(environment, tokenVariable+"="+token)
}
