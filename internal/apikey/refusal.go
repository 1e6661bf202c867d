package apikey

import "github.com/caddygrant/caddy-grant/internal/token"

// Why a key is refused. The reasons are for logs: clients get the same answer for all.
const (
	ErrMalformed          = token.Error("it is not a whole API key")
	ErrUnknown            = token.Error("no API key has its hash")
	ErrSameHash           = token.Error("another file of the server has this API key, too")
	ErrSameName           = token.Error("another file of the server has an API key of that name")
	ErrExpired            = token.Error("the API key has expired")
	ErrEnded              = token.Error("the API key ended when its owner left")
	ErrOwnerGone          = token.Error("the owner of the API key is gone")
	ErrOwnerHasID         = token.Error("the API key names a user who has an id by their username")
	ErrOwnerNamedLikeUser = token.Error("the owner of the API key is a client with the name of a user")
	ErrOwnerDisabled      = token.Error("the owner of the API key is disabled")
)
