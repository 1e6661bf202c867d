//go:build !linux

package password

// stepBack does nothing where a thread has no priority of its own.
func stepBack() {}
