package userfile

import (
	"bytes"
	"fmt"
	"testing"
)

const entries = 1_000_000

const benchHash = "$2y$10$3euPcmQFCiblsZeEu5s7p.9OVHgeHWFDk9nhMqZ0m/3pd/lhwZgES"

// Loading a file of a million users: one iteration is one load, with the index that a
// source keeps.
func BenchmarkLoadOfAMillionUsers(b *testing.B) {
	var lines, list, rich bytes.Buffer
	list.WriteString(`{"users":[`)
	rich.WriteString(`{"users":[`)
	for i := range entries {
		fmt.Fprintf(&lines, "user%07d:%s\n", i, benchHash)
		if i > 0 {
			list.WriteString(",\n")
			rich.WriteString(",\n")
		}
		fmt.Fprintf(&list, `{"username":"user%07d","password_hash":%q}`, i, benchHash)
		fmt.Fprintf(&rich, `{"username":"user%07d","password_hash":%q,"id":"512a0c1e-0000-4000-8000-%012d",`+
			`"scopes":["contacts.read","contacts.write"],"claims":{"email":"user%07d@example.com"}}`, i, benchHash, i, i)
	}
	list.WriteString("]}")
	rich.WriteString("]}")

	b.Run("htpasswd", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(lines.Len()))
		for b.Loop() {
			index := make(map[string]string)
			err := Htpasswd(lines.Bytes(), func(_ int, name, hash string) error {
				if _, ok := index[name]; ok {
					return ErrDuplicate
				}
				index[name] = hash
				return nil
			})
			if err != nil || len(index) != entries {
				b.Fatal(len(index), err)
			}
		}
	})
	for name, data := range map[string][]byte{"json": list.Bytes(), "json with scopes and claims": rich.Bytes()} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				index := make(map[string]*person)
				err := List(data, "users", nameOf, func(_ int, p *person) error {
					if index[p.Username] != nil {
						return ErrDuplicate
					}
					index[p.Username] = p
					return nil
				})
				if err != nil || len(index) != entries {
					b.Fatal(len(index), err)
				}
			}
		})
	}
}
