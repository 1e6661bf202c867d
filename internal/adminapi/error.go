package adminapi

import "errors"

// Error is an answer other than 200.
type Error struct {
	Status  int    // of the HTTP answer
	Message string // for the operator: what is wrong, and what to do
}

func (e *Error) Error() string { return e.Message }

// ErrUnavailable says that storage gave no answer: the change may or may not have been
// made, and to repeat it is safe. It is answered 503.
var ErrUnavailable = errors.New("the storage gave no answer")
