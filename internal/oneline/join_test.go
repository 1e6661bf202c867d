package oneline

import (
	"errors"
	"io"
	"testing"
)

func TestErrorsAreOneLine(t *testing.T) {
	if err := Join(nil, nil); err != nil {
		t.Error(err)
	}
	if err := Join(nil, io.EOF); err != io.EOF {
		t.Error(err)
	}
	err := Join(io.EOF, nil, Join(io.ErrNoProgress, io.ErrClosedPipe))
	if err.Error() != "EOF; multiple Read calls return no data or error; io: read/write on closed pipe" || !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}
