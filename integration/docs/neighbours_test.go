package docs

import (
	"regexp"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/repo"
	"github.com/caddygrant/caddy-grant/internal/caddyargs"
)

// The error for a word of another program may name a heading of a page.
func TestErrorsNamePagesThatAreThere(t *testing.T) {
	tables := [][]caddyargs.Neighbour{caddyargs.Everywhere, caddyargs.GrantTypes}
	for _, rows := range caddyargs.Neighbours {
		tables = append(tables, rows)
	}
	named := 0
	for _, rows := range tables {
		for _, row := range rows {
			for _, target := range regexp.MustCompile(`[\w/-]+\.md(?:#[\w-]+)?`).FindAllString(row.Says, -1) {
				named++
				page, anchor, _ := strings.Cut(target, "#")
				if text := repo.Read(t, page); anchor != "" && !anchors(text)[anchor] {
					t.Errorf("%q names %s, which has no such heading", row.Says, target)
				}
			}
		}
	}
	if named < 30 {
		t.Errorf("only %d pages are named", named)
	}
}
