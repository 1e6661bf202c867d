package token

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	// Unlike encoding/json it refuses a duplicate claim and tells "sid" from "SID".
	strictjson "github.com/go-jose/go-jose/v4/json"

	"github.com/caddygrant/caddy-grant/internal/buffer"
	"github.com/caddygrant/caddy-grant/internal/clock"
	"github.com/caddygrant/caddy-grant/internal/keyring"
	"github.com/caddygrant/caddy-grant/internal/session"
)

// RefreshToken is the claims of a refresh token. It is for this server alone: its key
// is used for nothing else, so no verifier of access tokens accepts it, nor the
// reverse.
type RefreshToken struct {
	ClientID          string `json:"client_id"`
	AccessTokenID     string `json:"access_token_id"`         // `jti` of the access token that came with it
	RefreshTokenID    string `json:"refresh_token_id"`        // 160 random bits
	Scope             string `json:"scope"`                   // of the login
	RefusedScope      string `json:"refused_scope,omitempty"` // what the login requested beyond it
	UserID            string `json:"user_id"`                 // the subject
	ExpireTime        int64  `json:"expire_time"`             // unix seconds, as are the next three
	IssuedAt          int64  `json:"iat"`
	Expires           int64  `json:"exp"` // the same as expire_time
	SessionExpires    int64  `json:"session_exp"`
	SessionID         string `json:"sid"`
	Generation        uint64 `json:"gen"` // 0 at login, one more at every refresh
	CredentialVersion string `json:"cver"`
	SessionVersion    int64  `json:"sver,omitempty"` // see [session.Claims]

	Session session.ID `json:"-"` // of SessionID
}

// encode writes the claims as encoding/json would.
func (t *RefreshToken) encode(into *bytes.Buffer) {
	b := into.AvailableBuffer()
	b = appendText(b, `,"client_id":`, t.ClientID)
	b = appendText(b, `,"access_token_id":`, t.AccessTokenID)
	b = appendText(b, `,"refresh_token_id":`, t.RefreshTokenID)
	b = appendText(b, `,"scope":`, t.Scope)
	b = appendOptionalText(b, `,"refused_scope":`, t.RefusedScope)
	b = appendText(b, `,"user_id":`, t.UserID)
	b = appendNumber(b, `,"expire_time":`, t.ExpireTime)
	b = appendNumber(b, `,"iat":`, t.IssuedAt)
	b = appendNumber(b, `,"exp":`, t.Expires)
	b = appendNumber(b, `,"session_exp":`, t.SessionExpires)
	b = appendText(b, `,"sid":`, t.SessionID)
	b = strconv.AppendUint(append(b, `,"gen":`...), t.Generation, 10)
	b = appendText(b, `,"cver":`, t.CredentialVersion)
	b = appendOptionalNumber(b, `,"sver":`, t.SessionVersion)
	b[0] = '{'
	into.Write(append(b, '}'))
}

// decode reads claims: those that encode has written at once, others as JSON.
func (t *RefreshToken) decode(claims []byte) error {
	r := memberReader{rest: claims}
	read := RefreshToken{
		ClientID:          r.text(`,"client_id":`),
		AccessTokenID:     r.text(`,"access_token_id":`),
		RefreshTokenID:    r.text(`,"refresh_token_id":`),
		Scope:             r.text(`,"scope":`),
		RefusedScope:      r.optionalText(`,"refused_scope":`),
		UserID:            r.text(`,"user_id":`),
		ExpireTime:        r.number(`,"expire_time":`),
		IssuedAt:          r.number(`,"iat":`),
		Expires:           r.number(`,"exp":`),
		SessionExpires:    r.number(`,"session_exp":`),
		SessionID:         r.text(`,"sid":`),
		Generation:        r.count(`,"gen":`),
		CredentialVersion: r.text(`,"cver":`),
		SessionVersion:    r.optionalNumber(`,"sver":`),
	}
	if r.ended() {
		*t = read
		return nil
	}
	return strictjson.Unmarshal(claims, t)
}

// mintRefreshToken writes the refresh token of a generation into a buffer.
func (p *Policy) mintRefreshToken(keys *KeySet, a *Authorization, access *AccessClaims, generation uint64, into *bytes.Buffer) error {
	current := a.Session
	expires := earlier(time.Unix(access.IssuedAt, 0).Add(p.refreshTokenTTL(a.Client)), current.Ends).Unix()
	payload := buffer.Borrow()
	defer buffer.Return(payload)
	refresh := RefreshToken{
		ClientID:          access.ClientID,
		AccessTokenID:     access.ID,
		RefreshTokenID:    newTokenID(),
		Scope:             current.Scope,
		RefusedScope:      current.RefusedScope,
		UserID:            access.Subject,
		ExpireTime:        expires,
		IssuedAt:          access.IssuedAt,
		Expires:           expires,
		SessionExpires:    current.Ends.Unix(),
		SessionID:         access.SessionID,
		Generation:        generation,
		CredentialVersion: access.CredentialVersion,
		SessionVersion:    current.Version,
	}
	refresh.encode(payload)
	begin := into.Len()
	if err := keys.refresh.Sign(into, payload.Bytes()); err != nil {
		return fmt.Errorf("signing a refresh token: %w", err)
	}
	limit := keyring.MaxTokenLength
	if generation == 0 {
		limit -= generationRoom // so that no later token is too long
	}
	if length := into.Len() - begin; length > limit {
		return fmt.Errorf("the refresh token would have %d bytes, the maximum is %d: shorten the scopes", length, limit)
	}
	return nil
}

// OpenRefreshToken verifies that a token is a refresh token of this server. Whether it
// is still valid is another question.
func OpenRefreshToken(keys *KeySet, raw string) (*RefreshToken, error) {
	typ, claims, err := keys.refresh.Verify(raw)
	if err != nil {
		return nil, err
	}
	token := new(RefreshToken)
	if typ != typRefreshToken || !utf8.Valid(claims) || token.decode(claims) != nil {
		return nil, Error("it is not a refresh token")
	}
	var ok bool
	if token.Session, ok = session.ParseID(token.SessionID); !ok || token.ClientID == "" || token.UserID == "" ||
		token.CredentialVersion == "" || token.SessionVersion < 0 || token.Expires <= 0 || token.SessionExpires <= 0 {
		return nil, Error("a claim of the refresh token is missing")
	}
	return token, nil
}

// SessionClaims is what the token says of its session.
func (t *RefreshToken) SessionClaims() session.Claims {
	return session.Claims{ID: t.Session, Subject: t.UserID, Client: t.ClientID, Version: t.SessionVersion}
}

// Expired allows no leeway: the same server issues and accepts refresh tokens.
func (t *RefreshToken) Expired() bool {
	return clock.Now().Unix() >= min(t.Expires, t.SessionExpires)
}

const (
	typRefreshToken = "refresh+jwt"

	// generationRoom is by how much a generation may lengthen a token, in base64.
	generationRoom = 32
)
