package browser

import (
	"bytes"
	"context"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

// screen is how a visitor looks at a page.
type screen struct {
	name          string
	scheme        string
	width, height int64
	scale         float64
}

var screens = []screen{
	{"light", "light", 1280, 900, 1},
	{"dark", "dark", 1280, 900, 1},
	{"narrow", "light", 320, 640, 1},
	{"narrow-dark", "dark", 320, 640, 1},
	{"zoomed", "light", 640, 450, 2}, // 200 % on the first
}

// TestPagesToLogInAndOutAreAccessible runs axe-core on every page, and writes pictures
// of them into the directory CADDY_GRANT_SCREENSHOTS.
func TestPagesToLogInAndOutAreAccessible(t *testing.T) {
	needBrowser(t)
	s := startLoginSite(t, "https")
	axe, err := os.ReadFile(npmFile(t, "axe-core/axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	p := newVisitor(t)
	look := func(name string) {
		t.Helper()
		for _, screen := range screens {
			p.lookWith(screen)
			p.checkAccess(string(axe), name+" "+screen.name)
			p.photograph(name + "-" + screen.name)
		}
	}
	p.open(s.origin + "/admin")
	p.wantForm()
	look("form")
	p.sendForm(person, "wrong")
	look("wrong-password")
	p.sendForm(person, password)
	p.until("at the refusal", `document.body.innerText.includes('You do not have permission')`)
	look("refusal")
	p.open(s.origin + "/token/login?return_to=%2Fpage")
	p.text(".who")
	look("logged-in")
	p.open(s.origin + "/token/login/logout")
	look("logout")
	p.press(pageButton)
	p.until("logged out", `document.body.innerText.includes('You are logged out.')`)
	look("logged-out")
	p.open(s.evil)
	p.postForm(s.origin + "/token/login/logout")
	p.until("at the refusal", `document.body.innerText.includes('came from another site')`)
	look("cross-origin")
	p.open(s.origin + "/token/login")
	for i := range 30 {
		p.sendForm(person, fmt.Sprintf("wrong-%d", i))
		if strings.Contains(p.text(problemText), "Too many") {
			look("wait")
			return
		}
	}
	t.Error("30 wrong passwords are not too many")
}

// lookWith changes the size of the page, its zoom and its colours.
func (p *page) lookWith(s screen) {
	p.t.Helper()
	p.do("looking with another screen", func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		if _, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: s.scheme}},
		}); err != nil {
			return chromedp.Void{}, err
		}
		_, err := cdp.Call(ctx, target, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: s.width, Height: s.height, DeviceScaleFactor: s.scale,
		})
		return chromedp.Void{}, err
	})
	if !eval[bool](p, fmt.Sprintf(`matchMedia('(prefers-color-scheme: %s)').matches && innerWidth === %d`, s.scheme, s.width)) {
		p.t.Fatalf("the screen %s is not there", s.name)
	}
}

// checkAccess fails the test if axe-core finds a violation, also if it cannot tell, or
// if one has to scroll sideways.
func (p *page) checkAccess(axe, name string) {
	p.t.Helper()
	type result struct {
		Passes              []string
		Violations, Unknown []string
		Wide                bool
	}
	got := eval[result](p, axe+`;(async () => {
		const found = await axe.run()
		const tell = rules => rules.map(rule => rule.id + ': ' + rule.help + ' ' + rule.nodes.map(node => node.html + ' ' + node.failureSummary).join('; '))
		return {
			Passes: found.passes.map(rule => rule.id), Violations: tell(found.violations), Unknown: tell(found.incomplete),
			Wide: document.documentElement.scrollWidth > document.documentElement.clientWidth,
		}
	})()`)
	for _, violation := range append(got.Violations, got.Unknown...) {
		p.t.Errorf("%s: %s", name, violation)
	}
	if !strings.Contains(strings.Join(got.Passes, " "), "color-contrast") {
		p.t.Errorf("%s: axe-core looked at %q only", name, got.Passes)
	}
	if got.Wide {
		p.t.Errorf("%s: it is wider than the screen", name)
	}
}

// photograph writes a picture of what is seen.
func (p *page) photograph(name string) {
	p.t.Helper()
	dir := os.Getenv("CADDY_GRANT_SCREENSHOTS")
	if dir == "" {
		return
	}
	picture := run(p, "taking a picture", chromedp.CaptureScreenshot())
	if err := os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// readmePicture is the picture of the page in the README. The test draws it, and writes
// it there if CADDY_GRANT_PICTURE is set.
const readmePicture = "docs/images/login-page.png"

func TestPictureOfTheLoginPageInTheREADMEIsTheSizeOfAScreenshot(t *testing.T) {
	needBrowser(t)
	s := startLoginSite(t, "https", plainPage, "login_page {\n\t\t\ttitle app.example.com\n\t\t\tremember 30d\n\t\t}")
	p := newVisitor(t)
	p.lookWith(screen{"picture", "light", 640, 480, 2})
	p.open(s.origin + "/token/login")
	p.fill(usernameField, person)
	p.fill(passwordField, password)
	p.do("leaving the field", chromedp.Blur(chromedp.CSS(passwordField)))
	drawn := run(p, "taking a picture", chromedp.CaptureScreenshot())
	if os.Getenv("CADDY_GRANT_PICTURE") != "" {
		if err := os.WriteFile(repo.Path(readmePicture), drawn, 0o644); err != nil { //nolint:gosec // as git has it
			t.Fatal(err)
		}
	}
	for _, picture := range []string{string(drawn), repo.Read(t, readmePicture)} {
		config, err := png.DecodeConfig(bytes.NewReader([]byte(picture)))
		if err != nil {
			t.Fatal(err)
		}
		if config.Width != 1280 || config.Height != 960 || len(picture) > 60<<10 {
			t.Errorf("the picture has %d × %d pixels and %d bytes", config.Width, config.Height, len(picture))
		}
	}
}
