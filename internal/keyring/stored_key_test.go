package keyring

import (
	"crypto/x509"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// putKey stores a key like a node whose clock shows created.
func putKey(t *testing.T, s *Store, k *Key, created int64) string {
	t.Helper()
	content, err := encodeKey(generatedKey{Key: k, created: created})
	if err != nil {
		t.Fatal(err)
	}
	name := s.keyFolder(k.algorithm) + "/" + keyName(k)
	put(t, s.storage, name, string(content))
	return name
}

func TestKeysAreLoadedOldestFirstAndTheLowerIDFirstWhereTheTimesAreEqual(t *testing.T) {
	s, _ := newStore(t)
	young, old, twin := generate(t, "EdDSA"), generate(t, "EdDSA"), generate(t, "EdDSA")
	if old.ID() > twin.ID() {
		old, twin = twin, old
	}
	putKey(t, s, young, 1790000001)
	putKey(t, s, twin, 1790000000)
	putKey(t, s, old, 1790000000)
	keys, err := s.loadKeys(t.Context(), "EdDSA")
	if err != nil {
		t.Fatal(err)
	}
	if want := ids([]*Key{old, twin, young}); !slices.Equal(ids(keys), want) {
		t.Errorf("keys %v, want %v", ids(keys), want)
	}
	if _, err := NewRing("JWT", inUse(keys, time.Hour)...); err != nil {
		t.Error(err)
	}
}

func TestTimeOfCreationIsTheClockOfTheNodeThatStored(t *testing.T) {
	now = func() time.Time { return time.Unix(1790000123, 999) }
	defer func() { now = time.Now }()
	s, storage := newStore(t)
	if _, err := s.ensureKey(t.Context(), "ES256", 0); err != nil {
		t.Fatal(err)
	}
	for name, content := range files(t, storage.Path) {
		if !strings.HasPrefix(content, `{"version":1,"algorithm":"ES256","created":1790000123,"private_key":"`) {
			t.Errorf("%s: %.70s", name, content)
		}
	}
}

func TestForeignNamesBesideTheKeysAreIgnored(t *testing.T) {
	s, storage := newStore(t)
	keys, err := s.ensureKey(t.Context(), "ES256", 0)
	if err != nil {
		t.Fatal(err)
	}
	name := keyName(keys[0].Key)
	folder := testPrefix + "/keys/es256/"
	for _, foreign := range []string{
		"3894723984", ".DS_Store", "README", name + ".bak", name[:63], strings.ToUpper(name), "g" + name[1:],
		"sub/" + name, "nested/deeper/object",
	} {
		put(t, storage, folder+foreign, "rubbish")
	}
	put(t, storage, testPrefix+"/keys/es256x/"+name, "rubbish")
	for _, recursive := range []bool{false, true} { // a storage that always lists everything below
		listing := &faulty{Storage: storage}
		listing.list = func([]string, error) ([]string, error) {
			return storage.List(t.Context(), testPrefix+"/keys/es256", recursive)
		}
		found, err := NewStore(listing, testPrefix).loadKeys(t.Context(), "ES256")
		if err != nil || !slices.Equal(ids(found), ids(keys)) {
			t.Errorf("recursive %v: keys %v, error %v", recursive, ids(found), err)
		}
	}
}

func TestOneDamagedKeyAmongSeveralIsAnErrorThatNamesIt(t *testing.T) {
	other := generate(t, "ES256")
	der, err := x509.MarshalPKCS8PrivateKey(other.private())
	if err != nil {
		t.Fatal(err)
	}
	content := func(version int, a Algorithm, created int64, private []byte) string {
		b, err := json.Marshal(storedKey{version, a, created, private})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	tests := []struct{ name, content, err string }{
		{"empty", "", "not the JSON of a key"},
		{"cut short", content(1, "ES256", 1790000000, der)[:80], "not the JSON of a key"},
		{"zeros", strings.Repeat("\x00", 200), "not the JSON of a key"},
		{"another version", content(2, "ES256", 1790000000, der), "version 2, this program reads version 1"},
		{"another algorithm", content(1, "ES384", 1790000000, der), "not a key for ES256"},
		{"no time", content(1, "ES256", 0, der), "its time of creation is impossible"},
		{"a time beyond time.Time", content(1, "ES256", 1<<62, der), "its time of creation is impossible"},
		{"no key", content(1, "ES256", 1790000000, nil), "the object is damaged: "},
		{"another key", content(1, "ES256", 1790000000, der), "its key does not match its name"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, storage := newStore(t)
			putKey(t, s, generate(t, "ES256"), 1780000000)
			name := putKey(t, s, generate(t, "ES256"), 1790000000)
			put(t, storage, name, test.content)
			before := files(t, storage.Path)

			_, err := s.loadKeys(t.Context(), "ES256")
			checkError(t, err, "loading signing key "+name)
			checkError(t, err, test.err)
			_, err = s.ensureKey(t.Context(), "ES256", 0)
			checkError(t, err, test.err)
			if !maps.Equal(before, files(t, storage.Path)) {
				t.Error("ensureKey changed the storage")
			}
		})
	}
}

func TestKeyThatIsDeletedWhileItIsReadIsIgnored(t *testing.T) {
	s, storage := newStore(t)
	stays := generate(t, "EdDSA")
	putKey(t, s, stays, 1790000000)
	gone := putKey(t, s, generate(t, "EdDSA"), 1780000000)
	s = NewStore(&faulty{Storage: storage, load: func(key string) error {
		if key == gone {
			return storage.Delete(t.Context(), key)
		}
		return nil
	}}, testPrefix)
	keys, err := s.loadKeys(t.Context(), "EdDSA")
	if err != nil || !slices.Equal(ids(keys), ids([]*Key{stays})) {
		t.Errorf("keys %v, error %v", ids(keys), err)
	}
}
