package token

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/caddygrant/caddy-grant/internal/buffer"
)

// Tokens are read by other programs, and by nodes of an earlier version: whatever is in
// a claim, it is written as encoding/json writes it. The fields are found by
// reflection, so that a new claim cannot be forgotten.
func TestClaimsAreWrittenAsEncodingJSONWritesThem(t *testing.T) {
	draw := rand.New(rand.NewPCG(21, 6))
	for range 20000 {
		access := AccessClaims{own: someOf(draw, ownClaims)}
		fill(t, draw, &access)
		var got bytes.Buffer
		if err := access.encode(&got); err != nil {
			t.Fatal(err)
		}
		sameJSON(t, got.Bytes(), withOwn(t, &access))

		refresh := RefreshToken{}
		fill(t, draw, &refresh)
		got.Reset()
		refresh.encode(&got)
		sameJSON(t, got.Bytes(), marshaled(t, &refresh))
	}
}

func FuzzAccessClaims(f *testing.F) {
	f.Add("https://a", "alice", "a b", int64(0), int64(math.MinInt64), `{"email":"a@b"}`)
	f.Add("<&>", "\xff", "\u2028", int64(-1), int64(math.MaxInt64), `{"b":[1, 2.50, "<"],"a":null}`)
	f.Fuzz(func(t *testing.T, issuer, subject, scope string, expires, version int64, own string) {
		claims := &AccessClaims{
			Issuer: issuer, Subject: subject, Audience: []string{issuer, scope}, Expires: expires, NotBefore: version,
			Scope: scope, Username: subject, SessionVersion: version,
		}
		if json.Unmarshal([]byte(own), &claims.own) != nil {
			claims.own = nil
		}
		var got bytes.Buffer
		if err := claims.encode(&got); err != nil {
			t.Fatal(err)
		}
		sameJSON(t, got.Bytes(), withOwn(t, claims))
	})
}

func TestAnOwnClaimThatIsNotJSONMakesNoToken(t *testing.T) {
	claims := &AccessClaims{Subject: "alice", own: map[string]json.RawMessage{"email": json.RawMessage(`"a`)}}
	var got bytes.Buffer
	if err := claims.encode(&got); err == nil || got.Len() != 0 {
		t.Errorf("%s, %v", got.Bytes(), err)
	}
}

// Text that has nothing to escape costs nothing but the room for it.
func TestOrdinaryClaimsAreWrittenWithoutAnAllocation(t *testing.T) {
	claims := &AccessClaims{Issuer: "https://a.example", Subject: "alice", Audience: []string{"web"}, Expires: 1790003600, ID: "j"}
	into := buffer.Borrow()
	defer buffer.Return(into)
	into.Grow(1 << 10)
	if n := testing.AllocsPerRun(100, func() { into.Reset(); _ = claims.encode(into) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// fill gives each exported field that has a place in JSON a value: often zero, often one
// that has to be escaped.
func fill(t *testing.T, draw *rand.Rand, into any) {
	t.Helper()
	value := reflect.ValueOf(into).Elem()
	for i := range value.NumField() {
		field := value.Type().Field(i)
		if !field.IsExported() || field.Tag.Get("json") == "-" {
			continue
		}
		switch into := value.Field(i).Addr().Interface().(type) {
		case *string:
			*into = oneOf(draw, texts)
		case *int64:
			*into = oneOf(draw, []int64{0, 1, -1, 1790000000, math.MaxInt64, math.MinInt64})
		case *uint64:
			*into = oneOf(draw, []uint64{0, 1, math.MaxInt64, math.MaxUint64})
		case *[]string:
			*into = oneOf(draw, [][]string{nil, {}, {""}, {"a"}, {"a", "<b>", "\xff"}})
		default:
			t.Fatalf("this test has no values for %s", field.Name)
		}
	}
}

func oneOf[T any](draw *rand.Rand, values []T) T { return values[draw.IntN(len(values))] }

// someOf are some of the claims, each with its value.
func someOf(draw *rand.Rand, pairs [][2]string) (claims map[string]json.RawMessage) {
	for _, pair := range pairs {
		if draw.IntN(4) > 0 {
			continue
		}
		if claims == nil {
			claims = make(map[string]json.RawMessage)
		}
		claims[pair[0]] = json.RawMessage(pair[1])
	}
	return claims
}

// withOwn is what encoding/json makes of claims, with the user's own in the same object.
func withOwn(t *testing.T, claims *AccessClaims) []byte {
	t.Helper()
	ours := marshaled(t, claims)
	if len(claims.own) == 0 {
		return ours
	}
	own := marshaled(t, claims.own)
	return append(append(ours[:len(ours)-1], ','), own[1:]...)
}

func marshaled(t *testing.T, value any) []byte {
	t.Helper()
	encoded, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

func sameJSON(t *testing.T, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Fatalf("written as\n%s\nby encoding/json as\n%s", got, want)
	}
}

var (
	texts = []string{
		"", "", "alice", "contacts.read contacts.write", "naïve", "🐎", `a"b\c`, "<script>&", "a\u2028b\u2029", "\xff\xed\xa0\x80", "\x00\t\n\x7f",
	}
	ownClaims = [][2]string{
		{"email", `"a@b"`}, {"<b>", `"<&>"`}, {"\u2028", `null`}, {"a", `[1, 2.50 ,"\u00e9"]`}, {"naïve", `{"x": {"y":"é"}}`}, {"\xff", `true`},
	}
)
