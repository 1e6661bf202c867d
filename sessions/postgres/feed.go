package postgres

import (
	"context"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/caddygrant/caddy-grant/sessions"
)

// cursor is a row of the feed, and the epoch whose feed it is. Its mark is random, so a
// row that took its place after a fail-over is another one. Without a mark it stands for
// a feed that was empty, after what was removed from it. The zero cursor is the start.
type cursor struct {
	epoch string
	place int64
	mark  string // 32 characters of 0-9 and a-f, or empty
}

// String is epoch, place and mark with points between them, or empty for the start.
func (c cursor) String() string {
	if c == (cursor{}) {
		return ""
	}
	return c.epoch + "." + strconv.FormatInt(c.place, 10) + "." + c.mark
}

// parseCursor reads what String wrote.
func parseCursor(text string) (cursor, bool) {
	if text == "" {
		return cursor{}, true
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 || !sessions.IsEpoch(parts[0]) {
		return cursor{}, false
	}
	place, err := strconv.ParseInt(parts[1], 10, 64)
	mark, notHex := hex.DecodeString(parts[2])
	c := cursor{parts[0], place, parts[2]}
	return c, err == nil && place >= 0 && notHex == nil && (len(mark) == 0 || len(mark) == 16) && c.String() == text
}

// page is a part of the feed.
type page struct {
	ids  []sessions.ID
	next cursor
	more bool
}

// readPage reads what follows a cursor, one row more than it returns.
func readPage(ctx context.Context, ask asker, sql, server string, from cursor) (page, error) {
	mark := from.mark
	if mark == "" {
		mark = strings.Repeat("0", 32) // which no row has
	}
	rows, err := ask.rows(ctx, sql, server, from.place, mark, pageLength+1)
	if err != nil {
		return page{}, err
	}
	defer rows.Close()
	result, found := page{next: from}, false
	for rows.Next() {
		var standby, stands bool
		var epoch, trimmed int64
		var row entry
		if err := rows.Scan(&standby, &epoch, &trimmed, &stands, &row.place, &row.mark, &row.day, &row.random); err != nil {
			return page{}, err
		}
		switch {
		case standby:
			return page{}, errStandby
		case !found && !from.continues(epochText(epoch), trimmed, stands):
			return page{}, sessions.ErrCursor
		case !found && from == (cursor{}):
			result.next = cursor{epoch: epochText(epoch), place: trimmed}
		}
		found = true
		if row.place == nil || row.day == nil {
			break
		}
		if len(result.ids) == pageLength {
			result.more = true
			break
		}
		id := sessions.ID{Day: *row.day, Random: hex.EncodeToString(row.random), Epoch: epochText(epoch)}
		result.ids = append(result.ids, id)
		result.next = cursor{id.Epoch, *row.place, hex.EncodeToString(row.mark.Bytes[:])}
	}
	rows.Close()
	if err := rows.Err(); err != nil {
		return page{}, err
	}
	if !found {
		return page{}, errNoEpoch
	}
	return result, nil
}

// entry is a row of the feed, or nothing.
type entry struct {
	place  *int64
	mark   pgtype.UUID
	day    *string
	random []byte
}

// continues tells whether what follows a cursor is all that was revoked since: it is of
// this epoch, its row is there, and nothing after it was removed.
func (c cursor) continues(epoch string, trimmed int64, stands bool) bool {
	switch {
	case c == cursor{}:
		return true
	case c.epoch != epoch || c.place < trimmed:
		return false
	case c.mark == "":
		return c.place == trimmed
	}
	return stands
}

// pageLength is how many entries a page has at most: a first reading of a long feed
// takes few pages, of some 500 KB each.
const pageLength = 5000
