package docs

import (
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

// The tables of capacity are those of one run of the command that measures it, which the
// repository has.
func TestDocsTablesOfCapacityAreThoseOfOneRun(t *testing.T) {
	page := repo.Read(t, "docs/capacity.md")
	tables := strings.Split(strings.TrimSpace(repo.Read(t, "integration/simulation/results.md")), "\n\n")
	if len(tables) != 2 {
		t.Fatalf("results.md has %d tables, want 2", len(tables))
	}
	for _, table := range tables {
		if !strings.Contains(page, "\n\n"+strings.TrimSpace(table)+"\n\n") {
			t.Errorf("docs/capacity.md lacks this table of integration/simulation/results.md:\n%s", table)
		}
	}
	if n := strings.Count(page, "\n| --- |"); n != len(tables) {
		t.Errorf("docs/capacity.md has %d tables, want %d", n, len(tables))
	}
}
