package main

import (
	"math"
	"testing"
)

func TestQuantilesLieBetweenTheirNeighbours(t *testing.T) {
	values := []float64{4, 1, 3, 2}
	for _, c := range []struct{ q, want float64 }{{0, 1}, {0.5, 2.5}, {1, 4}} {
		if got := quantile(values, c.q); got != c.want {
			t.Errorf("quantile %g is %g, want %g", c.q, got, c.want)
		}
	}
	if values[0] != 4 {
		t.Error("the values were put into another order")
	}
	if !math.IsNaN(median([]float64{})) {
		t.Error("nothing has a median")
	}
}

func TestADistanceIsThatOfTheSharesNotOfTheValues(t *testing.T) {
	for _, c := range []struct {
		a, b []float64
		want float64
	}{
		{[]float64{1, 2, 3, 4}, []float64{4, 3, 2, 1}, 0},
		{[]float64{1, 2}, []float64{1000, 2000}, 1},
		{[]float64{1, 1, 1, 2}, []float64{1, 1, 2, 2}, 0.25},
		{[]float64{1, 2, 3, 4}, []float64{1, 2}, 0.5},
	} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance of %v and %v is %g, want %g", c.a, c.b, got, c.want)
		}
		if got := distance(c.b, c.a); got != c.want {
			t.Errorf("distance of %v and %v is %g, want %g", c.b, c.a, got, c.want)
		}
	}
}

func TestApartIsAFractionOfTheFirst(t *testing.T) {
	if got := apart(100.0, 102.0); math.Abs(got-0.02) > 1e-9 {
		t.Errorf("102 is %g apart from 100", got)
	}
	if got := apart(100.0, 98.0); math.Abs(got-0.02) > 1e-9 {
		t.Errorf("98 is %g apart from 100", got)
	}
}

func TestAFigureIsJudgedByItsMedian(t *testing.T) {
	for _, c := range []struct {
		f    figure
		want string
	}{
		{ratio("x", 0.9, 1, 1.1).atLeast(1), "yes"},
		{ratio("x", 0.9, 0.95, 1.1).atLeast(1), "NO"},
		{ratio("x", 5).atMost(5), "yes"},
		{ratio("x", math.NaN()).atMost(5), "NO"},
		{ratio("x").atLeast(1), "NO"},
		{ratio("x", 1), ""},
	} {
		if got := c.f.verdict(); got != c.want {
			t.Errorf("%v, wanted %q: %q, want %q", c.f.Values, c.f.Wanted, got, c.want)
		}
	}
}
