package session

import (
	"fmt"
	"time"
)

// Allowance bounds what makes the storage grow: the first exchange of a session, which
// makes its record, and a revocation. It must be comparable, and equal ones are one
// account.
type Allowance interface {
	// Take counts a write that is about to be made. An error, which should be a
	// *NotYetError, keeps it from being made.
	Take() error

	// Return takes back what was counted and not written.
	Return()
}

// NotYetError says that something must not be written yet. Nothing was, and the session
// is what it was before.
type NotYetError struct {
	After time.Duration // when to try again
	Cause error
}

func (e *NotYetError) Error() string {
	return fmt.Sprintf("not before %v have passed: %v", e.After, e.Cause)
}

func (e *NotYetError) Unwrap() error { return e.Cause }

// Within returns the same sessions with a bound: Rotate and Revoke ask it right before
// they write.
func (s *Store) Within(allowance Allowance) *Store {
	bounded := *s
	bounded.allowance = allowance
	return &bounded
}

func (s *Store) take() error {
	if s.allowance == nil {
		return nil
	}
	return s.allowance.Take()
}

func (s *Store) giveBack() {
	if s.allowance != nil {
		s.allowance.Return()
	}
}
