//go:build unix

package livefile

import (
	"io/fs"
	"os"
	"path/filepath"
)

const (
	writableFile      = "users other than its owner can change the file, and so add an entry to it"
	writableDirectory = "users other than the owner of the directory can replace the file"

	othersWrite fs.FileMode = 0o022
)

// writable returns what users other than the owner can change about the file of a path,
// and what that means, or "". In a directory with the sticky bit they can add files,
// though not replace those of others. Where the path is a link, this applies to the
// directories of both ends.
func writable(path string, file fs.FileInfo) (changed, why string) {
	if file.Mode()&othersWrite != 0 {
		return path, writableFile
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		target = path
	}
	for _, directory := range []string{filepath.Dir(path), filepath.Dir(target)} {
		info, err := os.Stat(directory)
		if err == nil && info.Mode()&othersWrite != 0 && info.Mode()&fs.ModeSticky == 0 {
			return directory, writableDirectory
		}
	}
	return "", ""
}
