package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// logInOften opens that many sessions at a token endpoint, of many users in turn.
func logInOften(ctx context.Context, address string, n int) ([]tokens, error) {
	c := newClient()
	issued := make([]tokens, n)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i := range n {
		group.Go(func() (err error) {
			issued[i], err = c.logIn(ctx, address, login(fmt.Sprintf("user%d", i%manyUsers), thePassword))
			return err
		})
	}
	return issued, group.Wait()
}

// awaitLogin tries again and again, with pauses, until there are tokens. Until then the
// answer has to be the expected one.
func awaitLogin(ctx context.Context, pause, most time.Duration, try func() (answer, error), status int, contains string) (took time.Duration, tries int, err error) {
	for begun := time.Now(); ; {
		a, err := try()
		if err != nil {
			return 0, 0, err
		}
		tries++
		_, refused := a.tokens()
		if refused == nil {
			return time.Since(begun), tries, nil
		}
		if err := a.expect(status, contains); err != nil {
			return 0, 0, err
		}
		if time.Since(begun) > most {
			return 0, 0, fmt.Errorf("no login within %s: %w", most, refused)
		}
		if err := sleep(ctx, pause); err != nil {
			return 0, 0, err
		}
	}
}
