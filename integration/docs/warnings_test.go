package docs

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/apikey"
)

// fixedPort is the address of a site that only this machine reaches.
var fixedPort = regexp.MustCompile(`(?m)^http://:9[01][0-9]{2} \{$`)

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
			r.Write("etc/metrics.secret", "long-enough-secret")
			r.Write("etc/backup.secret", "long-enough-secret")
			r.Write("etc/prometheus.secret", "long-enough-secret")
			r.Write("etc/scripts.secret", "long-enough-secret")
			r.Write("etc/users.json", `{"users":[{"username":"alice","password_hash":"`+harness.HashArgon2id+`","scopes":["admin"],"claims":{"groups":["staff"],"email":"alice@example.com"}}]}`)
			r.Write("etc/login.html", "{{.Title}}")
			r.Write("etc/keys.txt", "deploy "+apikey.DigestOf("a key").Hash()+" user=alice\n")
			text := b.text
			if b.name == "traefik-caddy" { // it takes the place of one of two sites
				text += "\nhttp://:9080 {\n\tbind 127.0.0.1\n\timport tokens\n}\n"
			}
			text = fixedPort.ReplaceAllStringFunc(text, func(string) string {
				return fmt.Sprintf("http://:%d {", harness.FreePort(t))
			})
			text = strings.NewReplacer("bind 10.0.0.5", "bind 127.0.0.1", inRedis, "memory docs").Replace(text)
			if options := siteOptions.FindString(text); strings.Contains(options, "\tlog ") || strings.Contains(options, "\tadmin ") {
				text = strings.TrimPrefix(text, options) // these are the harness's here
			}
			r.serve(text)
			for _, line := range r.Warnings() {
				t.Errorf("%s: warned of %v", b.place, line)
			}
		})
	}
}
