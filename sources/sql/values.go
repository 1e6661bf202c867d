package sql

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	strictjson "github.com/go-jose/go-jose/v4/json"
	"github.com/jackc/pgx/v5/pgtype"
)

// The values of a row. Their errors never hold the value.

// text takes text, and numbers such as those of an id. NULL is empty.
func text(value any) (string, error) {
	switch v := value.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case []byte:
		return string(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	}
	return "", fmt.Errorf("it must be text or a whole number, and is %s: convert it in the query", kindOf(value))
}

// given is text that must not be NULL.
func given(value any) (string, error) {
	if value == nil {
		return "", errors.New("it is NULL: it must have a value")
	}
	return text(value)
}

// flag takes a boolean, or 0 and 1. NULL is false.
func flag(value any) (bool, error) {
	switch v := value.(type) {
	case nil:
		return false, nil
	case bool:
		return v, nil
	case int64:
		if v == 0 || v == 1 {
			return v == 1, nil
		}
	case string:
		if is, err := strconv.ParseBool(strings.ToLower(v)); err == nil {
			return is, nil
		}
	}
	return false, fmt.Errorf("it must be a boolean, or 0 or 1, and is %s: write a condition, such as disabled_at IS NOT NULL AS disabled", kindOf(value))
}

// list takes words with spaces between them, the text of a PostgreSQL array or of a
// JSON array. NULL means no list, which is not the same as an empty one.
func list(value any) ([]string, error) {
	if value == nil {
		return nil, nil
	}
	words, err := text(value)
	if err != nil {
		return nil, err
	}
	words = strings.TrimSpace(words)
	found := []string{}
	switch {
	case words == "null": // of JSON
		return nil, nil
	case strings.HasPrefix(words, "["):
		var entries []*string
		if json.Unmarshal([]byte(words), &entries) != nil {
			return nil, errors.New("it begins with [ but is not a JSON array of strings")
		}
		for _, entry := range entries {
			if entry == nil {
				return nil, errNullEntry
			}
			found = append(found, *entry)
		}
	case strings.HasPrefix(words, "{"):
		var entries pgtype.FlatArray[*string]
		if pgtype.NewMap().Scan(pgtype.TextArrayOID, pgtype.TextFormatCode, []byte(words), &entries) != nil {
			return nil, errors.New("it begins with { but is not an array of text")
		}
		for _, entry := range entries {
			if entry == nil {
				return nil, errNullEntry
			}
			found = append(found, *entry)
		}
	default:
		found = append(found, strings.Fields(words)...)
	}
	return found, nil
}

// object takes the text of a JSON object. NULL is none.
func object(value any) (map[string]json.RawMessage, error) {
	if value == nil {
		return nil, nil
	}
	written, err := text(value)
	if err != nil {
		return nil, err
	}
	var members map[string]json.RawMessage
	if strictjson.Unmarshal([]byte(written), &members) != nil {
		return nil, errors.New("it must be a JSON object without duplicate members")
	}
	return members, nil
}

// duration takes what Caddy does, such as 15m, or seconds as a whole number. NULL is
// none.
func duration(value any) (caddy.Duration, error) {
	if seconds, ok := value.(int64); ok {
		const most = int64(1<<63-1) / int64(time.Second)
		if seconds < 0 || seconds > most {
			return 0, errDuration
		}
		return caddy.Duration(seconds) * caddy.Duration(time.Second), nil
	}
	written, err := text(value)
	if err != nil || written == "" {
		return 0, err
	}
	d, err := caddy.ParseDuration(written)
	if err != nil {
		return 0, errDuration
	}
	return caddy.Duration(d), nil
}

// date takes a date or a time of the database, or text that a client's date may be.
func date(value any) (string, error) {
	if at, ok := value.(time.Time); ok {
		return at.UTC().Format(time.RFC3339), nil
	}
	return text(value)
}

// kindOf is what a value is called.
func kindOf(value any) string {
	switch value.(type) {
	case string, []byte:
		return "text"
	case bool:
		return "a boolean"
	case int64:
		return "a number"
	case float64:
		return "a number with a fraction"
	case time.Time:
		return "a time"
	}
	return fmt.Sprintf("of type %T", value)
}

var (
	errNullEntry = errors.New("an entry of the array is NULL")
	errDuration  = errors.New("it must be a duration such as 15m, or seconds as a whole number")
)
