package keyring

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io/fs"
	"strings"
	"testing"
)

func TestASecretObjectThatIsNotWholeIsAnErrorAndNeverReplaced(t *testing.T) {
	const digits = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	whole := secretHeader + digits + "\n"
	tests := []struct{ name, content string }{
		{"empty", ""},
		{"cut in the header", whole[:10]},
		{"cut after the header", secretHeader},
		{"cut in the middle", whole[:len(whole)/2]},
		{"cut before the last byte", whole[:len(whole)-1]},
		{"too long", whole + "\n"},
		{"too long within", secretHeader + digits + "00\n"},
		{"upper case", secretHeader + strings.ToUpper(digits) + "\n"},
		{"zeros", strings.Repeat("\x00", len(whole))},
		{"32 raw bytes", strings.Repeat("x", 32)},
		{"another version", strings.Replace(whole, "v1", "v2", 1)},
		{"foreign", `{"secret":"` + digits + `"}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, storage := newStore(t)
			name := testPrefix + "/secret"
			put(t, storage, name, test.content)
			_, err := s.loadSecret(t.Context())
			checkError(t, err, "loading server secret "+name+": the object is damaged")
			if errors.Is(err, fs.ErrNotExist) {
				t.Error("taken for missing")
			}
			_, err = s.ensureSecret(t.Context())
			checkError(t, err, "delete it, which ends every session")
			if strings.Contains(err.Error(), digits[:8]) {
				t.Error("the error shows the content:", err)
			}
			if found := files(t, storage.Path); len(found) != 1 || found[name] != test.content {
				t.Errorf("files %q", found)
			}
		})
	}

	s, storage := newStore(t)
	put(t, storage, testPrefix+"/secret", whole)
	secret, err := s.loadSecret(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if hex.EncodeToString(secret.bytes()) != digits {
		t.Error("read wrongly")
	}
}

func TestDerivedKeysDependOnSecretAndPurpose(t *testing.T) {
	one := Secret{seal(bytes.Repeat([]byte{0x0b}, 32))}
	two := Secret{seal(bytes.Repeat([]byte{0x0c}, 32))}
	refresh := one.Derive("refresh", 32)
	if len(refresh) != 32 || !bytes.Equal(refresh, one.Derive("refresh", 32)) {
		t.Errorf("%d bytes, or not the same twice", len(refresh))
	}
	for name, other := range map[string][]byte{
		"another purpose": one.Derive("cver", 32), "another secret": two.Derive("refresh", 32), "the secret": one.bytes(),
	} {
		if bytes.Equal(refresh, other) {
			t.Errorf("same as %s", name)
		}
	}
	// Fixed, or a release ends every session. Made with: openssl kdf -keylen 32 -kdfopt
	// digest:SHA2-256
	// -kdfopt hexkey:0b…0b -kdfopt info:refresh HKDF
	if got := hex.EncodeToString(refresh); got != "9cf60b267b9fc39a3a6dc286bc59bfcac61d43e3fe545ebb03bedeedec3e054a" {
		t.Errorf("derived %s", got)
	}
	if _, err := NewHMACKey("HS256", refresh); err != nil {
		t.Error(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic for more than HKDF can give")
		}
	}()
	one.Derive("refresh", 255*32+1)
}
