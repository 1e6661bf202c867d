package main

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// logInOften opens that many sessions, of one of many users after the other.
func logInOften(ctx context.Context, s *server, n int) ([]tokens, error) {
	c := newClient()
	issued := make([]tokens, n)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i := range n {
		group.Go(func() (err error) {
			issued[i], err = c.logIn(ctx, s.url("/token"), login(fmt.Sprintf("user%d", i%manyUsers), thePassword))
			return err
		})
	}
	return issued, group.Wait()
}
