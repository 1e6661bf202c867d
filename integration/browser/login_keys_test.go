package browser

import (
	"context"
	"fmt"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// typeForm fills the form with nothing but keys, from where the focus is at first, and
// then presses more keys.
func (p *page) typeForm(then ...string) {
	p.t.Helper()
	for _, keys := range append([]string{person, kb.Tab, password}, then...) {
		p.do("pressing keys", chromedp.KeyEvent(keys))
	}
}

// switchScriptsOff leaves those of the test on.
func (p *page) switchScriptsOff() {
	p.t.Helper()
	p.do("switching scripts off", func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, target, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return chromedp.Void{}, err
	})
}

// setCookie puts a cookie of another browser into this one.
func (p *page) setCookie(origin string, cookie *network.Cookie) {
	p.t.Helper()
	p.do("setting a cookie", func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, target, network.SetCookie, network.SetCookieParams{
			Name: cookie.Name, Value: cookie.Value, URL: origin, Path: cookie.Path,
			Secure: &cookie.Secure, HTTPOnly: &cookie.HTTPOnly, SameSite: cookie.SameSite,
		})
		return chromedp.Void{}, err
	})
}

// socket opens a WebSocket of the app and returns what comes: the user's name, and what
// was sent. "refused" is that there was no WebSocket.
func (p *page) socket(origin string) string {
	p.t.Helper()
	return eval[string](p, fmt.Sprintf(`new Promise(done => {
		const socket = new WebSocket(%q.replace('http', 'ws') + '/ws')
		let heard = ''
		socket.onopen = () => socket.send(' hello')
		socket.onmessage = event => {
			heard += event.data
			if (heard.endsWith('hello')) { socket.close(); done(heard) }
		}
		socket.onerror = () => done('refused')
	})`, origin))
}
