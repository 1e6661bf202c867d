package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// entry is what the legend says of a series, and where.
type entry struct {
	name, color string
	x           float64
	row         int
}

// legendOf has the series that are not 0 all the time, and how many others there are.
func legendOf(lines []line) (entries []entry, zero int) {
	for i, line := range lines {
		if slices.ContainsFunc(line.points, func(p point) bool { return p.value != 0 }) || len(lines) == 1 {
			entries = append(entries, entry{name: line.name, color: palette[i%len(palette)]})
		} else {
			zero++
		}
	}
	switch {
	case zero > 0 && len(entries) == 0:
		entries = append(entries, entry{name: fmt.Sprintf("all %d are 0", zero)})
	case zero > 0:
		entries = append(entries, entry{name: fmt.Sprintf("and %d that are 0", zero)})
	}
	return entries, zero
}

// place puts entries one after the other, into as many rows as it takes.
func place(entries []entry, width float64) (rows int) {
	x := 0.0
	for i := range entries {
		w := textWidth(entries[i].name) + 17 + 14
		if x > 0 && x+w > width+14 {
			x, rows = 0, rows+1
		}
		entries[i].x, entries[i].row = x, rows
		x += w
	}
	return rows + 1
}

// wrap breaks a text into lines.
func wrap(text string, width float64) (lines []string) {
	for word := range strings.FieldsSeq(text) {
		if n := len(lines); n > 0 && textWidth(lines[n-1]+" "+word)*1.08 < width { // bold
			lines[n-1] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}

// textWidth is about that of the widest font that may stand in for Arial.
func textWidth(text string) float64 {
	width := 0.0
	for _, r := range text {
		switch {
		case strings.ContainsRune("ijlftI.,:;/ '", r):
			width += .28
		case strings.ContainsRune("mwMW", r):
			width += .83
		case r >= 'A' && r <= 'Z':
			width += .68
		default:
			width += .56
		}
	}
	return width * fontSize * 1.1
}

// axis is the vertical one, from 0.
type axis struct {
	most, step float64
	unit       string
}

// newAxis ends at a round number.
func newAxis(most float64, panel panel) axis {
	a := axis{unit: panel.FieldConfig.Defaults.Unit}
	if fixed := panel.FieldConfig.Defaults.Max; fixed != nil {
		most = *fixed
	}
	if most <= 0 {
		most = 1
	}
	steps := []float64{1, 2, 2.5, 5, 10}
	if a.unit == "s" && most >= 120 {
		steps = []float64{1.2, 3, 6, 12} // minutes
	}
	size := math.Pow(10, math.Floor(math.Log10(most/4)))
	for _, step := range steps {
		if a.step = step * size; a.step*4 >= most*.999 {
			break
		}
	}
	a.most = a.step * math.Ceil(most/a.step*.999)
	return a
}

// label writes a value of the axis with its unit, as Grafana does.
func (a axis) label(value float64) string {
	scale, unit := 1.0, map[string]string{"reqps": " req/s", "percentunit": "%", "s": " s"}[a.unit]
	switch {
	case a.unit == "percentunit":
		scale = 100
	case a.unit == "s" && a.most >= 120:
		scale, unit = 1./60, " min"
	case a.unit == "s" && a.most < 2:
		scale, unit = 1000, " ms"
	}
	decimals := 0
	for step := a.step * scale; decimals < 3 && math.Abs(step-math.Round(step)) > 1e-6*step; decimals++ {
		step *= 10
	}
	return fmt.Sprintf("%.*f", decimals, value*scale) + unit
}

// statLabel writes a value that stands alone, with two digits, or as a whole.
func statLabel(value float64, unit string) string {
	text := fmt.Sprintf("%.2g", value)
	if value >= 10 {
		text = fmt.Sprintf("%.0f", value)
	}
	if unit == "reqps" {
		text += " req/s"
	}
	return text
}

// timeStep is how far the labels of the time are apart.
func timeStep(length time.Duration, width float64) time.Duration {
	const minute, hour = time.Minute, time.Hour
	for _, step := range []time.Duration{minute, 2 * minute, 5 * minute, 10 * minute, 30 * minute, hour, 3 * hour, 6 * hour, 24 * hour} {
		if float64(length/step)*50 < width {
			return step
		}
	}
	return length
}

// timeLabel is in minutes where a few hours are drawn.
func timeLabel(at, length time.Duration) string {
	if length > 3*time.Hour {
		return fmt.Sprintf("%.0f h", at.Hours())
	}
	return fmt.Sprintf("%.0f min", at.Minutes())
}

// number is as short as it can be.
func number(v float64) string { return fmt.Sprint(math.Round(v*10) / 10) }
