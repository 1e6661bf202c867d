package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// prometheus is one that answers queries.
type prometheus struct{ url string }

// span is the time that is drawn.
type span struct {
	start, end time.Time
	step       time.Duration
}

// point is a value and when it was so, as a part of the span.
type point struct{ at, value float64 }

type series struct {
	Metric map[string]string
	Values [][2]any
	points []point
}

// queryRange has a value for each step at most. What is not a number is left out.
func (p prometheus) queryRange(ctx context.Context, expr string, of span) ([]series, error) {
	values := url.Values{
		"query": {expr}, "step": {fmt.Sprint(of.step.Seconds())},
		"start": {fmt.Sprint(float64(of.start.UnixMilli()) / 1000)}, "end": {fmt.Sprint(float64(of.end.UnixMilli()) / 1000)},
	}
	var found struct{ Result []series }
	if err := p.get(ctx, "/api/v1/query_range?"+values.Encode(), &found); err != nil {
		return nil, fmt.Errorf("%s: %w", expr, err)
	}
	for i := range found.Result {
		s := &found.Result[i]
		for _, pair := range s.Values {
			seconds, _ := pair[0].(float64)
			text, _ := pair[1].(string)
			value, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return nil, fmt.Errorf("%s: the value %q: %w", expr, text, err)
			}
			if !math.IsNaN(value) && !math.IsInf(value, 0) {
				at := (seconds - float64(of.start.UnixMilli())/1000) / of.end.Sub(of.start).Seconds()
				s.points = append(s.points, point{at, value})
			}
		}
	}
	return found.Result, nil
}

// get asks the API for data.
func (p prometheus) get(ctx context.Context, path string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(p.url, "/")+path, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return fmt.Errorf("HTTP status %d: %w", response.StatusCode, err)
	}
	if answer.Status != "success" {
		return fmt.Errorf("HTTP status %d: %s", response.StatusCode, answer.Error)
	}
	return json.Unmarshal(answer.Data, into)
}
