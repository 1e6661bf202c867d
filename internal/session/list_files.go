package session

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/caddyserver/certmagic"
)

// listNames returns the names directly below a key. FileStorage's own List looks at
// each file, and before that reads all names in each of the folders that it then leaves
// out: to learn of a new hour, as each poll does, it would look through the whole feed.
func (s *Store) listNames(ctx context.Context, key string) ([]string, error) {
	if files, ok := s.storage.(*certmagic.FileStorage); ok {
		return namesInFolder(ctx, files.Filename(key))
	}
	keys, err := s.storage.List(ctx, key, false)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(keys))
	for _, k := range keys {
		if name, ok := strings.CutPrefix(strings.TrimSuffix(k, "/"), key+"/"); ok {
			names = append(names, name)
		}
	}
	return names, nil
}

func namesInFolder(ctx context.Context, folder string) (names []string, err error) {
	opened, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	for {
		some, err := opened.Readdirnames(namesAtOnce)
		names = append(names, some...)
		switch {
		case errors.Is(err, io.EOF):
			return names, nil
		case err != nil:
			return nil, err
		case ctx.Err() != nil:
			return nil, ctx.Err()
		}
	}
}

const namesAtOnce = 10_000
