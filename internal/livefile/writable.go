package livefile

import "os"

// Writable returns what users other than its owner can change about a file, and what
// that means, or "".
func Writable(path string) (changed, why string) {
	info, err := os.Stat(path)
	if err != nil {
		return "", ""
	}
	return writable(path, info)
}
