package token

import (
	"testing"

	"github.com/caddygrant/caddy-grant/internal/remembered"
)

func TestATokenIsRememberedApartFromACookieOfTheSameText(t *testing.T) {
	c := newCheckedTokens()
	token := new(AccessToken)
	c.Add(digestToken(remembered.DigestOf("text")), checkedToken{token: token}, 1)
	if got, ok := c.Get(digestToken(remembered.DigestOf("text"))); !ok || got.token != token {
		t.Error("the token is not remembered")
	}
	if _, ok := c.Get(digestCookie("text", CookiePlace{})); ok {
		t.Error("a cookie is taken for the token")
	}
}
