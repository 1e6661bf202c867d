package main

import (
	"context"
	"fmt"
	"sync"
)

// logInOften opens that many sessions, of one of many users after the other.
func logInOften(ctx context.Context, s *server, n int) ([]tokens, error) {
	const workers = 8
	c := newClient()
	issued := make([]tokens, n)
	errs := make([]error, workers)
	var running sync.WaitGroup
	for worker := range workers {
		running.Go(func() {
			for i := worker; i < n && errs[worker] == nil; i += workers {
				var a answer
				if a, errs[worker] = c.post(ctx, s.url("/token"), login(fmt.Sprintf("user%d", i%manyUsers), thePassword), nil); errs[worker] == nil {
					issued[i], errs[worker] = a.tokens()
				}
			}
		})
	}
	running.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return issued, nil
}
