package livefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// maxSize of a file, in bytes.
const maxSize = 1 << 30

// Rest is how long ago a file must have been written: longer than the tick of the
// coarsest common time stamps, so that a write after the read shows.
var Rest = time.Second

// errMoved says that the file changed while it was being looked at.
var errMoved = errors.New("it is being rewritten; write a new file next to it and rename that over it")

// sight is what one look at a path showed: a file or an error. The zero sight equals no
// other, not even itself.
type sight struct {
	info fs.FileInfo
	err  error
}

func look(path string) sight {
	info, err := os.Stat(path)
	if err != nil {
		return sight{err: reason(err)}
	}
	os.SameFile(info, info) // Windows looks the file's ID up when it is first asked for: ask now
	return sight{info: info}
}

// same reports whether two sights show one file with the same size and time.
func (s sight) same(other sight) bool {
	if s.err != nil && other.err != nil {
		return s.err.Error() == other.err.Error()
	}
	return s.info != nil && other.info != nil &&
		os.SameFile(s.info, other.info) &&
		s.info.Size() == other.info.Size() &&
		s.info.ModTime().Equal(other.info.ModTime()) &&
		s.info.Mode().Type() == other.info.Mode().Type()
}

// young reports whether the file was written less than d ago. A time in the future is
// not young, or a wrong clock would hold a file back forever.
func (s sight) young(d time.Duration) bool {
	if s.info == nil || !s.info.Mode().IsRegular() {
		return false
	}
	age := now().Sub(s.info.ModTime())
	return age >= 0 && age < d
}

// read returns the content of the file in sight, or errMoved if it is no longer that
// file, before or after the reading.
func (s sight) read(path string) ([]byte, error) {
	switch {
	case s.err != nil:
		return nil, s.err
	case s.info.IsDir():
		return nil, errors.New("it is a directory; give the path of a file")
	case !s.info.Mode().IsRegular(): // reading a pipe would block
		return nil, errors.New("it is not a regular file")
	case s.info.Size() > maxSize:
		return nil, fmt.Errorf("it is larger than %d MiB", maxSize>>20)
	}

	file, err := open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errMoved
	}
	if err != nil {
		return nil, reason(err)
	}
	defer file.Close()

	if !s.shows(file) {
		return nil, errMoved
	}
	data := make([]byte, s.info.Size())
	_, err = io.ReadFull(file, data)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || !s.shows(file) {
		return nil, errMoved
	}
	if err != nil {
		return nil, reason(err)
	}
	return data, nil
}

// shows reports whether file is the one in sight, unchanged.
func (s sight) shows(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && s.same(sight{info: info})
}

// reason drops the path from an error: the wrapping error already has it.
func reason(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		err = pathError.Err
	}
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: it must be readable by the user that Caddy runs as", err)
	}
	return err
}
