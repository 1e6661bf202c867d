//go:build !unix

package livefile

import "io/fs"

// writable does nothing where a file mode does not say who may write.
func writable(string, fs.FileInfo) (changed, why string) { return "", "" }
