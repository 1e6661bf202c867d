package explain

import (
	"github.com/caddygrant/caddy-grant/internal/adminapi"
	"github.com/caddygrant/caddy-grant/internal/apikey"
	"github.com/caddygrant/caddy-grant/internal/bearer"
	"github.com/caddygrant/caddy-grant/internal/clock"
)

// APIKey explains an API key, of which found is what is known, nil if nothing is. err is
// what is wrong with it. Nothing repeats the key.
func APIKey(found *apikey.Identity, err error, request adminapi.ExplainRequest, audience []string) adminapi.Explanation {
	x := adminapi.Explanation{Kind: kindAPIKey, Checks: []adminapi.CheckResult{}}
	if err == nil {
		demands := bearer.Demands{Scopes: request.Scopes}
		if request.Audience != nil {
			audience = request.Audience
		}
		if refusal := demands.Admits(bearer.Named{Identity: found}, audience); refusal != nil {
			err = refusal
		}
	}
	failed := keyRefusal{}
	if err != nil {
		if failed = keyRefusals[err.Error()]; failed.check == "" {
			failed.check = checkFormat
		}
	}
	for _, name := range []string{checkFormat, checkKey, checkExpiry, checkOwner, checkAudience, checkScope} {
		if name == failed.check {
			return withCheck(x, adminapi.CheckResult{Check: name, Found: foundOf(name, found, err.Error()+causeOf(err)), Remedy: failed.remedy})
		}
		x = withCheck(x, adminapi.CheckResult{Check: name, Passed: true, Found: foundOf(name, found, "")})
	}
	x.Active = true
	return x
}

// foundOf is what a check found, with the reason if it failed.
func foundOf(check string, found *apikey.Identity, reason string) string {
	if found == nil {
		if reason != "" {
			return reason
		}
		return "it is an API key, and its checksum is right"
	}
	key, text := found.Key(), ""
	switch check {
	case checkFormat:
		text = "it is an API key, and its checksum is right"
	case checkKey:
		text = "it is the key named " + shown(key.Name)
	case checkExpiry:
		if text = "it never expires"; !key.Ends().IsZero() {
			text = expiry(clock.Now(), key.Ends().Unix(), 0)
		}
	case checkOwner:
		field, name := key.Owner()
		if field == "user_id" {
			field = "user with the id"
		}
		text = "its owner is the " + field + " " + shown(name)
		if key.IsClients() && reason == "" {
			text += "; a bearer_auth lets it pass only where it says so, with clients beside keys"
		}
	case checkAudience:
		audience, _ := found.Claim("aud").([]string)
		text = "it names no audience"
		if len(audience) > 0 {
			text = "it is for " + list(audience)
		}
	case checkScope:
		text = "it has " + list(found.Scopes()) + ", as its line says"
		if lacking := apikey.Lacking(key.Scopes, found.Scopes()); len(lacking) > 0 {
			text = "its line names " + list(key.Scopes) + ", and it has " + list(found.Scopes()) + ": its owner cannot have " + list(lacking)
		}
	}
	if reason != "" && reason != "the token lacks a scope" && reason != "aud does not name this resource" {
		text += ": " + reason
	}
	return text
}

type keyRefusal struct{ check, remedy string }

const newKey = "make a new key with \"caddy grant key add\""

// keyRefusals are the reasons why a key is refused.
var keyRefusals = map[string]keyRefusal{
	apikey.ErrMalformed.Error():  {checkFormat, "send the whole key as it was printed: a part is missing, or was mistyped"},
	apikey.ErrUnknown.Error():    {checkKey, "ask the server whose file has it, with --server; if there is none, it was revoked or is of another Caddy: " + newKey},
	apikey.ErrSameHash.Error():   {checkKey, "delete its line in one of the two files"},
	apikey.ErrSameName.Error():   {checkKey, "give one of the two keys another name, in its file"},
	apikey.ErrExpired.Error():    {checkExpiry, newKey + ", or set a later expires"},
	apikey.ErrEnded.Error():      {checkOwner, newKey + ": this one does not come back with its owner's name"},
	apikey.ErrOwnerGone.Error():  {checkOwner, "correct the owner, or delete the line; a user who has an id is named by user_id"},
	apikey.ErrOwnerHasID.Error(): {checkOwner, "write user_id and the id of the user in place of user; a key that has ended has to be made anew: " + newKey},

	apikey.ErrOwnerNamedLikeUser.Error(): {checkOwner, "give the client an id that no user has as username or id"},
	apikey.ErrOwnerDisabled.Error():      {checkOwner, "enable the user, or make a key for another owner"},

	"whether API keys have ended is not known yet": {checkOwner, "look at the storage, and try again: until then keys are answered 503"},
	"the owners of API keys cannot be looked up":   {checkOwner, "look at that source, and try again: until then keys are answered 503"},
	"aud does not name this resource":              {checkAudience, "make a key with --audience of this app"},
	"the token lacks a scope":                      {checkScope, "add the scope to the line of the key, and to its owner if the owner lacks it"},
}

// checkOwner is that of a user or client who owns a key.
const checkOwner = "owner"

// kindAPIKey is of [adminapi.Explanation].
const kindAPIKey = "api_key"
