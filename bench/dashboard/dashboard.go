package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// dashboard is what of Grafana's JSON is drawn.
type dashboard struct {
	Title      string
	Panels     []panel
	Templating struct {
		List []struct {
			Name, Type string
			Query      any
		}
	}
}

type panel struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ X, Y, W, H int }
	FieldConfig              struct {
		Defaults struct {
			Unit       string
			Max        *float64
			Thresholds struct {
				Steps []struct {
					Color string
					Value *float64
				}
			}
		}
	}
	Targets []target
}

type target struct{ RefID, Expr, LegendFormat string }

func readDashboard(path string) (*dashboard, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	d := new(dashboard)
	if err := json.Unmarshal(text, d); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return d, nil
}

// line is one series of an answer.
type line struct {
	name   string
	points []point
}

// ask sends the queries of all panels as Grafana does, with all jobs, instances and
// servers chosen. The lines are by the panels' ids.
func (d *dashboard) ask(ctx context.Context, p prometheus, of span) (map[int][]line, error) {
	answers := make(map[int][]line)
	for _, panel := range d.Panels {
		for _, target := range panel.Targets {
			found, err := p.queryRange(ctx, d.expand(target.Expr, of), of)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", panel.Title, err)
			}
			for _, s := range found {
				answers[panel.ID] = append(answers[panel.ID], line{legend(target.LegendFormat, s.Metric), s.points})
			}
		}
	}
	return answers, nil
}

// expand replaces the variables of a query.
func (d *dashboard) expand(expr string, of span) string {
	// as Grafana does: four scrapes, or as many as there are in a step, and one
	expr = strings.ReplaceAll(expr, "$__rate_interval", fmt.Sprintf("%ds", int(4*of.step.Seconds())))
	for _, v := range d.Templating.List {
		expr = strings.ReplaceAll(expr, "$"+v.Name, ".*")
	}
	return expr
}

var inLegend = regexp.MustCompile(`\{\{(\w+)\}\}`)

func legend(format string, labels map[string]string) string {
	return strings.TrimSpace(inLegend.ReplaceAllStringFunc(format, func(name string) string {
		return labels[strings.Trim(name, "{}")]
	}))
}
