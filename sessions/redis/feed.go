package redis

import (
	"context"
	"regexp"

	"github.com/caddygrant/caddy-grant/sessions"
)

// pageLength is how many entries of the feed are read in one call.
const pageLength = 1000

// cursorForm is the name of the feed, the last entry that was read, and the beginning of
// the random part of its session. The last is empty before the first entry.
var cursorForm = regexp.MustCompile(`^([0-9a-f]{16}):([0-9]{1,20}-[0-9]{1,20}):([0-9a-f]{16}|)$`)

// Revoked implements [sessions.Engine].
func (e *engine) Revoked(ctx context.Context, after string) (ids []sessions.ID, next string, more bool, err error) {
	arguments := []any{pageLength}
	if after != "" {
		parts := cursorForm.FindStringSubmatch(after)
		if parts == nil {
			return nil, "", false, sessions.ErrCursor
		}
		arguments = append(arguments, parts[1], parts[2], parts[3])
	}
	page, err := waiting(ctx, e, e.timeout, func(ctx context.Context) ([]string, error) {
		result, err := e.run(ctx, scriptFeedPage, []string{e.keys.root, e.keys.feed}, arguments...)
		if err != nil {
			return nil, err
		}
		return texts(result)
	})
	switch {
	case err != nil:
		return nil, "", false, err
	case len(page) == 1 && page[0] == saidLost:
		return nil, "", false, errLost
	case len(page) == 1 && page[0] == saidCursor:
		return nil, "", false, sessions.ErrCursor
	case len(page) < 2 || len(page)%2 != 0:
		return nil, "", false, errReply
	}
	feed, place, entries := page[0], page[1], page[2:]
	for i := 0; i < len(entries); i += 2 {
		id, ok := sessions.ParseID(entries[i+1])
		if !ok {
			return nil, "", false, errReply
		}
		ids = append(ids, id)
		place = entries[i] + ":" + id.Random[:16]
	}
	return ids, feed + ":" + place, len(ids) == pageLength, nil
}

// texts are the texts that a script returned.
func texts(result any) ([]string, error) {
	parts, is := result.([]any)
	if !is {
		return nil, errReply
	}
	all := make([]string, len(parts))
	for i, part := range parts {
		if all[i], is = part.(string); !is {
			return nil, errReply
		}
	}
	return all, nil
}

// trimFeed removes entries of sessions that are over, and says whether there may be more.
func (e *engine) trimFeed(ctx context.Context, over sweepDay) (more bool, err error) {
	removed, err := e.run(ctx, scriptFeedTrim, []string{e.keys.root, e.keys.feed}, over.day, over.over, pageLength)
	if err != nil {
		return false, err
	}
	count, is := removed.(int64)
	if !is {
		return false, errReply
	}
	return count == pageLength, nil
}
