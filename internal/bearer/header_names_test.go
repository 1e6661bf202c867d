package bearer

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// A header is taken for an identity header exactly if an app may take it for one.
func TestIsIdentityHeaderGoesByTheAlias(t *testing.T) {
	long := strings.Repeat("x-", 40) + "user"
	names := map[string]bool{"x-user": true, "-": true, "caf-": true, long: true}
	random := rand.New(rand.NewPCG(1, 2))
	spellings := []string{"X-User", "x_user", "X.USER", "X User", "x-users", "-", "_", "", "Café", "caf\xff", long, strings.ToUpper(long), long + "s", "ＸUser"}
	for range 10_000 {
		name := []byte(spellings[random.IntN(len(spellings))])
		if len(name) > 0 {
			name[random.IntN(len(name))] = byte(random.IntN(256))
		}
		spellings = append(spellings, string(name))
	}
	found := 0
	for _, name := range spellings {
		want := names[HeaderAlias(name)]
		if got := isIdentityHeader(names, name); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
		if want {
			found++
		}
	}
	if found < 10 || found == len(spellings) {
		t.Errorf("%d of %d names: nothing is shown", found, len(spellings))
	}
	if allocs := testing.AllocsPerRun(100, func() { isIdentityHeader(names, "X-Forwarded-For") }); allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
}
