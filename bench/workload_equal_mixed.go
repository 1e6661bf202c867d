package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
)

// scheme is a kind of hash in a file of several.
type scheme struct {
	name  string
	share int // of the file's users, in percent
	hash  func() string
}

var schemes = []scheme{
	{"bcrypt 10", 40, func() string { return bcrypted(thePassword, 10) }},
	{"bcrypt 8", 20, func() string { return bcrypted(thePassword, 8) }},
	{"argon2id m=47104", 20, func() string { return argon2ided(47104, 1) }},
	{"sha512-crypt", 10, sha512crypted},
	{"apr1", 10, func() string { return theAPR1 }},
}

// equalDistributions is for a file that mixes schemes and costs, where no single cost can be the one of unknown names.
//
// The method: every name has its cost, which a stranger can measure by trying it again
// and again. One who has a list of names can therefore compare the cost of one with the
// costs that occur, and learns nothing only if unknown names have the same costs in the
// same proportions. So as many unknown names as there are known ones are tried, in
// turns, each name once and each with a wrong password, and the two distributions of
// the time of an answer are compared by the statistic of Kolmogorov and Smirnov, the
// largest difference of their cumulative shares. The known names are all there are; the
// unknown ones are a sample, so of n names a perfect drawing too is off by up to
// 1.63/√n (with 99 % probability). That is the limit here: a single fixed decoy would
// be off by 0.6 at least.
//
// That a drawn cost is the same as the one it imitates is shown by the median of each scheme: a name that is unknown
// counts to the scheme whose known median is nearest, by ratio.
func equalDistributions(ctx context.Context, b *bench) ([]figure, error) {
	n := max(100, b.tries*3/2)
	schemeOf := make([]int, n) // of the known users; the shares are spread over the file
	hashes := make([]string, len(schemes))
	for s, scheme := range schemes {
		hashes[s] = scheme.hash()
	}
	for i := range schemeOf {
		at := i % 100
		for at >= schemes[schemeOf[i]].share {
			at -= schemes[schemeOf[i]].share
			schemeOf[i]++
		}
	}
	users := b.path("mixed.htpasswd")
	err := writeLines(users, n, func(i int) string { return fmt.Sprintf("user%d:%s", i, hashes[schemeOf[i]]) })
	if err != nil {
		return nil, err
	}
	s, err := b.start(ctx, setup{name: "mixed", site: fmt.Sprintf(`token_endpoint {
		users htpasswd %s
		import client
		throttle off
	}`, users)})
	if err != nil {
		return nil, err
	}
	defer s.stop()

	c := newClient()
	try := func(username string, i int) (float64, error) {
		return c.timed(ctx, s.url("/token"), login(username, wrong(i)), http.StatusBadRequest, `"invalid_grant"`)
	}
	order := rand.New(rand.NewPCG(1, 2)).Perm(n) // so that a slow moment does not meet one scheme
	known, unknown, err := inTurns(n,
		func(i int) (float64, error) { return try(fmt.Sprintf("user%d", order[i]), i) },
		func(i int) (float64, error) { return try(fmt.Sprintf("nobody%d", i), i) })
	if err != nil {
		return nil, err
	}
	knownOf := make([][]float64, len(schemes))
	for i, took := range known {
		s := schemeOf[order[i]]
		knownOf[s] = append(knownOf[s], took)
	}
	return append([]figure{
		ratio("mixed file: distance of unknown and known names", distance(known, unknown)).atMost(1.63 / math.Sqrt(float64(n))),
		ratio("  mean of unknown names / of the file's users", mean(unknown)/mean(known)),
	}, perScheme(knownOf, unknown)...), nil
}

// perScheme compares the unknown names that are taken for a scheme with the known ones that have it.
func perScheme(knownOf [][]float64, unknown []float64) []figure {
	unknownOf := make([][]float64, len(schemes))
	for _, took := range unknown {
		var apart []float64
		for _, known := range knownOf {
			apart = append(apart, math.Abs(math.Log(took/median(known))))
		}
		s := slices.Index(apart, slices.Min(apart))
		unknownOf[s] = append(unknownOf[s], took)
	}
	var figures []figure
	for s, scheme := range schemes {
		figures = append(figures, measured(fmt.Sprintf("  %s: unknown names, %d %% of the file", scheme.name, scheme.share), "%",
			100*float64(len(unknownOf[s]))/float64(len(unknown))))
		if len(unknownOf[s]) > 0 {
			figures = append(figures, ratio("  "+scheme.name+": median of unknown / known", median(unknownOf[s])/median(knownOf[s])))
		}
	}
	return figures
}
