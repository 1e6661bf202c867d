package fileedit

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// accessList is the attribute that holds the POSIX access control list.
const accessList = "system.posix_acl_access"

// copyAttributes gives a file the extended attributes of another, among them its access
// control list, and takes away a list that it inherited from the directory. What only
// root may set, such as a label, is left to the system where it refuses.
func copyAttributes(from string, to *os.File) error {
	names, err := attributes(from)
	if err != nil {
		return err
	}
	fd := int(to.Fd())
	listed := false
	for _, name := range names {
		if strings.HasPrefix(name, "security.ima") || strings.HasPrefix(name, "security.evm") {
			continue // of the content
		}
		listed = listed || name == accessList
		value, err := attribute(from, name)
		if err == nil {
			err = unix.Fsetxattr(fd, name, value, 0)
		}
		if err != nil && (name == accessList || !refused(err)) {
			return fmt.Errorf("keeping its attribute %s: %w", name, err)
		}
	}
	if listed {
		return nil
	}
	if err := unix.Fremovexattr(fd, accessList); err != nil && !errors.Is(err, unix.ENODATA) && !refused(err) {
		return fmt.Errorf("removing an access control list: %w", err)
	}
	return nil
}

func attributes(path string) ([]string, error) {
	size, err := unix.Listxattr(path, nil)
	if size <= 0 || err != nil {
		if refused(err) {
			err = nil
		}
		return nil, err
	}
	names := make([]byte, size)
	if size, err = unix.Listxattr(path, names); err != nil {
		return nil, err
	}
	return strings.FieldsFunc(string(names[:size]), func(r rune) bool { return r == 0 }), nil
}

func attribute(path, name string) ([]byte, error) {
	size, err := unix.Getxattr(path, name, nil)
	if err != nil {
		return nil, err
	}
	value := make([]byte, size)
	size, err = unix.Getxattr(path, name, value)
	return value[:max(size, 0)], err
}

// refused tells whether a file system has no such attributes, or keeps them for root.
func refused(err error) bool {
	return errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.ENOSYS)
}
