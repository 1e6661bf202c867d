package docs

import (
	"strings"
	"testing"
)

// An operator who follows the docs or an example is not warned.
func TestTheReadmesConfigsAreNotWarnedOf(t *testing.T) {
	for _, b := range allBlocks(t) {
		if b.lang != "caddyfile" || b.name == "snippet" || strings.HasSuffix(b.name, "reference") {
			continue
		}
		t.Run(b.name, func(t *testing.T) {
			r := newRecipe(t)
			r.writeOldKey()
			r.Write("etc/contacts-app.secret", "long-enough-secret")
			r.Write("etc/web.secret", "long-enough-secret")
			text := b.text
			if options := siteOptions.FindString(text); strings.Contains(options, "\tlog ") {
				text = strings.TrimPrefix(text, options) // the log is the harness's here
			}
			r.serve(text)
			for _, line := range r.Warnings() {
				t.Errorf("%s: warned of %v", b.place, line)
			}
		})
	}
}
