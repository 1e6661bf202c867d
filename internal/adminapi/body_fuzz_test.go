package adminapi

import (
	"encoding/json"
	"reflect"
	"testing"
	"unicode/utf8"
)

// Whatever is accepted sets one field, has its name in it as it is written, and says the
// same to a reader that knows nothing of our rules.
func FuzzBodyOfARevocation(f *testing.F) {
	for _, body := range []string{
		`{"user":"alice"}`, `{"all":true}`, `{"session":"20270131-00ff"}`, `{"user":"a","user":"b"}`, `{"USER":"a"}`, `{"all":false}`,
		`{"user":null}`, `{"client":"\ud800"}`, `{"subject":"\u0000"}`, `{"us\u0065r":"a"}`, `[]`, `{"user":"a"} {}`, "", " ", `{"user":{"user":"a"}}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var request RevokeRequest
		if decode(body, &request) != nil || request.check() != nil {
			return
		}
		if !utf8.Valid(body) || !json.Valid(body) {
			t.Fatalf("accepted %q", body)
		}
		set := 0
		for i := range reflect.ValueOf(request).NumField() {
			if !reflect.ValueOf(request).Field(i).IsZero() {
				set++
			}
		}
		var plain map[string]any
		if err := json.Unmarshal(body, &plain); err != nil || len(plain) != 1 || set != 1 {
			t.Fatalf("%q sets %d fields: %+v", body, set, request)
		}
		encoded, err := json.Marshal(request)
		if err != nil {
			t.Fatal(err)
		}
		var again map[string]any
		if err := json.Unmarshal(encoded, &again); err != nil || !reflect.DeepEqual(plain, again) {
			t.Fatalf("%q is read as %s", body, encoded)
		}
	})
}
