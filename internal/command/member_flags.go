package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/caddygrant/caddy-grant/internal/useredit"
)

// memberFlags makes members of an entry of the flags that were given.
type memberFlags struct {
	cmd     *cobra.Command
	members []useredit.Member
	err     error
}

func (m *memberFlags) add(flag, member string, value any, err error) {
	if m.err = firstError(m.err, err); m.err != nil || !m.cmd.Flags().Changed(flag) {
		return
	}
	m.members = append(m.members, useredit.Member{Name: member, Value: jsonText(value)})
}

// jsonText is a value as people write it in JSON.
func jsonText(value any) json.RawMessage {
	switch value := value.(type) {
	case json.RawMessage:
		return value
	case []string:
		var elements []string
		for _, element := range value {
			elements = append(elements, string(jsonText(element)))
		}
		return json.RawMessage("[" + strings.Join(elements, ", ") + "]")
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value) // of a string or a boolean it does not fail
	return bytes.TrimSpace(text.Bytes())
}

func (m *memberFlags) text(flag, member string) {
	value, err := m.cmd.Flags().GetString(flag)
	m.add(flag, member, value, err)
}

func (m *memberFlags) list(flag, member string) {
	value, err := m.cmd.Flags().GetStringSlice(flag)
	if value == nil {
		value = []string{}
	}
	if err == nil {
		err = checkListFlag(flag, value)
	}
	m.add(flag, member, value, err)
}

// checkListFlag finds what is wrong with a flag, before a file is blamed for it.
func checkListFlag(flag string, value []string) error {
	switch flag {
	case "scopes", "default-scopes", "grants":
		for _, one := range value {
			if strings.Contains(one, " ") {
				return fmt.Errorf("--%s: %q contains a space: put a comma between two of them, and no space", flag, one)
			}
		}
	}
	return nil
}

func (m *memberFlags) yes(flag, member string) {
	value, err := m.cmd.Flags().GetBool(flag)
	m.add(flag, member, value, err)
}

func (m *memberFlags) raw(flag, member string) {
	value, err := m.cmd.Flags().GetString(flag)
	if err == nil && value != "" && !json.Valid([]byte(value)) {
		err = fmt.Errorf("--%s: it is not JSON", flag)
	}
	m.add(flag, member, json.RawMessage(value), err)
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
