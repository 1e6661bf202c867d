package browser

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

// statusSite is a login site with an admin endpoint, and another address at which
// nothing listens.
type statusSite struct {
	*loginSite
	admin, nobody string
}

func startStatusSite(t *testing.T) *statusSite {
	t.Helper()
	s := &statusSite{admin: fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t)), nobody: fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t))}
	s.loginSite = startLoginSite(t, "http", "admin off", "admin "+s.admin)
	return s
}

// statusLink runs `caddy grant status --web` until the test ends, and returns the link
// that it prints.
func statusLink(t *testing.T, environment []string, args ...string) string {
	t.Helper()
	cmd := harness.CaddyCommand(context.Background(), t, t.TempDir(), append([]string{"grant", "status", "--web"}, args...)...)
	cmd.Env = append(cmd.Env, environment...)
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_, _ = io.Copy(io.Discard, output)
		if err := cmd.Wait(); err != nil {
			t.Errorf("after Ctrl-C: %v: %s", err, stderr.String())
		}
	})
	link, err := bufio.NewReader(output).ReadString('\n')
	if err != nil || !strings.HasPrefix(link, "http://127.0.0.1:") {
		t.Fatalf("it prints %q, %v: %s", link, err, stderr.String())
	}
	return strings.TrimSpace(link)
}

// row is the total in a row of the tables, as a script for until.
func row(label, total string) string {
	return fmt.Sprintf(`[...document.querySelectorAll('tbody tr')].some(row => row.cells[0].innerText === %q && row.cells[3].innerText === %q)`, label, total)
}

func says(text string) string {
	return fmt.Sprintf(`document.body.innerText.includes(%q)`, text)
}

// The page in a browser: the link works once, another browser is refused, nothing runs
// in it, and its figures change.
func TestStatusPageShowsWhatHappensToOneBrowser(t *testing.T) {
	s := startStatusSite(t)
	link := statusLink(t, nil, "--address", s.admin, "--address", s.nobody)
	p := newVisitor(t)
	p.open(link)
	p.until("at the page", `location.pathname === '/' && `+says("Server default"))
	p.until("with the first figures", row("Logins", "0"))
	p.until("with what does not answer", says("NO ANSWER: Caddy does not answer at "+s.nobody))
	if got := eval[int](p, `document.scripts.length + document.forms.length + [...document.querySelectorAll('*')].filter(e => [...e.attributes].some(a => a.name.startsWith('on'))).length`); got != 0 {
		t.Errorf("there are %d scripts, forms and handlers", got)
	}
	if got := eval[string](p, `document.cookie`); got != "" {
		t.Errorf("a script sees the cookie %q", got)
	}
	if !eval[bool](p, `getComputedStyle(document.querySelector('section')).borderRadius === '12px'`) {
		t.Error("its own style does not apply")
	}

	visitor := newVisitor(t)
	visitor.open(s.origin + "/page")
	visitor.sendForm(person, "wrong")
	visitor.until("refused", `document.querySelector('#problem') !== null`)
	visitor.sendForm(person, password)
	visitor.until("logged in", `document.querySelector('#user')?.innerText === 'alice'`)
	p.until("with the login", row("Logins", "1"))
	p.until("with the refusal", row("login: invalid_grant", "1"))

	other := newVisitor(t)
	for _, url := range []string{link, strings.Split(link, "/open/")[0] + "/", strings.Split(link, "/open/")[0] + "/open/guess"} {
		other.open(url)
		if text := other.everything(); strings.Contains(text, "Server default") || !strings.Contains(text, "caddy grant status --web") {
			t.Errorf("%s shows another browser %q", url, text)
		}
	}
	p.open(link) // again
	p.until("at the page again", `location.pathname === '/' && `+says("Server default"))

	// it stands still where the reader wants to
	p.click("header a")
	p.until("paused", says("Updates are paused."))
	before := p.sent("GET")
	visitor.open(s.origin + "/page")
	if p.until("still there", says("Updates are paused.")); p.sent("GET") != before {
		t.Error("the paused page was asked for again")
	}
	p.click("header a")
	p.until("going on", says("Updated every 5 seconds."))
}

// A page on a name that points to this machine is another host.
func TestStatusPageIsNotThereForAnotherHost(t *testing.T) {
	needBrowser(t)
	link := statusLink(t, nil, "--address", fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t)))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "evil.example:" + r.URL.Port()
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusForbidden || len(response.Cookies()) != 0 {
		t.Errorf("it answers %d with the cookies %v", response.StatusCode, response.Cookies())
	}
	p := newVisitor(t)
	p.open(link)
	p.until("at the page", `location.pathname === '/' && `+says("NO ANSWER"))
}

// --open gives the browser a file of its user, so that the link is in no list of
// processes. What the file leads to gets the cookie.
func TestStatusPageOpensABrowserWithoutTellingOthersTheLink(t *testing.T) {
	needBrowser(t)
	dir := t.TempDir()
	// in place of xdg-open
	if err := os.WriteFile(filepath.Join(dir, "xdg-open"), []byte("#!/bin/sh\necho \"$@\" > "+dir+"/opened.new; mv "+dir+"/opened.new "+dir+"/opened\n"), 0o700); err != nil { //nolint:gosec // it is a program
		t.Fatal(err)
	}
	link := statusLink(t, []string{"PATH=" + dir + string(os.PathListSeparator) + os.Getenv("PATH")},
		"--open", "--address", fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t)))
	var opened string
	harness.Eventually(t, "a browser is opened", func() bool {
		content, err := os.ReadFile(filepath.Join(dir, "opened"))
		opened = strings.TrimSpace(string(content))
		return err == nil
	})
	file, ok := strings.CutPrefix(opened, "file://")
	if !ok || strings.Contains(opened, "/open/") {
		t.Fatalf("the browser is told %q", opened)
	}
	for path, mode := range map[string]os.FileMode{file: 0o600, filepath.Dir(file): 0o700} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != mode {
			t.Errorf("%s has the mode %v, want %v", path, info.Mode().Perm(), mode)
		}
	}
	p := newVisitor(t)
	p.open(opened)
	p.until("at the page", `location.href === '`+strings.Split(link, "/open/")[0]+`/' && `+says("NO ANSWER"))
}

func TestStatusPageIsAccessible(t *testing.T) {
	s := startStatusSite(t)
	axe, err := os.ReadFile(npmFile(t, "axe-core/axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	link := statusLink(t, nil, "--address", s.admin, "--address", s.nobody)
	p := newVisitor(t)
	p.fillStatus(s, link)
	for _, screen := range screens {
		p.lookWith(screen)
		p.checkAccess(string(axe), "status "+screen.name)
		p.photograph("status-" + screen.name)
	}
	p.open(link + "-wrong")
	for _, screen := range screens {
		p.lookWith(screen)
		p.checkAccess(string(axe), "status-refused "+screen.name)
		p.photograph("status-refused-" + screen.name)
	}
}

// fillStatus opens the page, makes all kinds of figures, and ends paused.
func (p *page) fillStatus(s *statusSite, link string) {
	p.t.Helper()
	p.open(link)
	p.until("at the page", `location.pathname === '/' && `+row("Logins", "0"))
	visitor := newVisitor(p.t)
	visitor.open(s.origin + "/page")
	for range 3 {
		visitor.sendForm(person, "wrong")
		visitor.until("refused", `document.querySelector('#problem') !== null`)
	}
	visitor.sendForm(person, password)
	visitor.until("logged in", `document.querySelector('#user')?.innerText === 'alice'`)
	p.until("with the login", row("Logins", "1"))
	breakFile(p.t, filepath.Join(s.dir, "users.htpasswd"))
	p.until("with the broken file", says("is BROKEN"))
	p.click("header a")
	p.until("paused", says("Updates are paused."))
}

// breakFile puts something else into a file, as if an hour ago: a young file might be
// half written, and is tried again.
func breakFile(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(person+":not-a-hash\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	hourAgo := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, hourAgo, hourAgo); err != nil {
		t.Fatal(err)
	}
}

// statusPicture is the picture of the page in the docs. The test draws it, and writes it
// there if CADDY_GRANT_PICTURE is set.
const statusPicture = "docs/images/status-page.png"

func TestPictureOfTheStatusPageIsTheSizeOfAScreenshot(t *testing.T) {
	s := startStatusSite(t)
	p := newVisitor(t)
	p.fillStatus(s, statusLink(t, nil, "--address", s.admin))
	// a temporary directory says nothing to a reader
	p.do("naming a usual directory", chromedp.Evaluate[chromedp.Void](fmt.Sprintf(
		`document.querySelectorAll('dd').forEach(dd => dd.textContent = dd.textContent.replaceAll(%q, '/etc/caddy'))`, s.dir)))
	p.lookWith(screen{"picture", "light", 640, 960, 1})
	drawn := fewColours(t, run(p, "taking a picture", chromedp.CaptureScreenshot()))
	if os.Getenv("CADDY_GRANT_PICTURE") != "" {
		if err := os.WriteFile(repo.Path(statusPicture), drawn, 0o644); err != nil { //nolint:gosec // as git has it
			t.Fatal(err)
		}
	}
	for _, picture := range []string{string(drawn), repo.Read(t, statusPicture)} {
		config, err := png.DecodeConfig(bytes.NewReader([]byte(picture)))
		if err != nil {
			t.Fatal(err)
		}
		if config.Width != 640 || config.Height != 960 || len(picture) > 60<<10 {
			t.Errorf("the picture has %d × %d pixels and %d bytes", config.Width, config.Height, len(picture))
		}
	}
}

// fewColours is a picture with the 256 colours that it has most of, for a small file: the
// others are shades at the edges of letters.
func fewColours(t *testing.T, picture []byte) []byte {
	t.Helper()
	full, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	often := make(map[color.Color]int)
	for y := range full.Bounds().Dy() {
		for x := range full.Bounds().Dx() {
			often[full.At(x, y)]++
		}
	}
	colours := slices.SortedFunc(maps.Keys(often), func(a, b color.Color) int { return often[b] - often[a] })
	few := image.NewPaletted(full.Bounds(), colours[:min(256, len(colours))])
	draw.Draw(few, few.Bounds(), full, full.Bounds().Min, draw.Src)
	var encoded bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&encoded, few); err != nil {
		t.Fatal(err)
	}
	return encoded.Bytes()
}
