package main

import (
	"bytes"
	"fmt"
	"image/color"
	"io"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	vgdraw "gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// groups are the kinds of entries, from top to bottom.
var groups = []struct {
	name, legend string
	color        color.Color
}{
	{"limits", "limit", color.Gray{0x8c}},
	{"ours", "caddy-grant", color.RGBA{0x0b, 0x6b, 0xcb, 0xff}},
	{"peers", "peer", color.RGBA{0xe3, 0xa0, 0x5f, 0xff}},
}

// draw writes one chart below the other.
func draw(out io.Writer, workloads []workload) error {
	plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans"}
	plotter.DefaultFont = plot.DefaultFont
	height := vg.Length(0)
	for _, w := range workloads {
		height += heightOf(w)
	}
	canvas := vgsvg.New(width, height)
	page := vgdraw.New(canvas)
	page.SetColor(color.White) // it is shown on dark pages too
	page.Fill(page.Rectangle.Path())
	top := height
	for _, w := range workloads {
		c, err := chart(w)
		if err != nil {
			return fmt.Errorf("%s: %w", w.Name, err)
		}
		bottom := top - heightOf(w)
		c.Draw(vgdraw.Crop(page, margin, -margin, bottom+margin/2, top-height-margin/2))
		top = bottom
	}
	var svg bytes.Buffer
	if _, err := canvas.WriteTo(&svg); err != nil {
		return err
	}
	// Few systems have the font that the text was measured with. Arial has the same
	// widths.
	const family = "font-family:Liberation Sans"
	_, err := out.Write(bytes.ReplaceAll(svg.Bytes(), []byte(family), []byte(family+",Arial,Helvetica,sans-serif")))
	return err
}

func heightOf(w workload) vg.Length { return vg.Length(len(w.Entries))*rowHeight + besidesRows }

// chart has a bar for each entry, as long as its share, and a whisker from the lowest to the highest of its rounds.
func chart(w workload) (*plot.Plot, error) {
	entries := sorted(w.Entries)
	p := plot.New()
	p.BackgroundColor = color.White
	p.Title.Text = w.Name
	p.Title.Padding = vg.Points(6)
	p.X.Label.Text = "speed, by CPU time per request; respond of the same Caddy is 1"
	p.X.Min = 0
	p.X.Tick.Marker = plot.TickerFunc(quarters)
	p.Legend.Left, p.Legend.XOffs = true, width*3/5 // to the right of its samples, where a wider font has room
	p.Legend.Padding = vg.Points(2)
	grid := plotter.NewGrid()
	grid.Horizontal.Width = 0
	grid.Vertical.Color = color.Gray{0xdd}
	p.Add(grid)

	names := make([]string, len(entries)) // from the bottom
	for i, e := range entries {
		names[len(entries)-1-i] = e.Name
	}
	for _, group := range groups {
		shares := make(plotter.Values, len(entries))
		found := false
		for i, e := range entries {
			if e.Group == group.name {
				shares[len(entries)-1-i], found = e.Share.Median, true
			}
		}
		if !found {
			continue
		}
		bars, err := plotter.NewBarChart(shares, rowHeight*2/3)
		if err != nil {
			return nil, err
		}
		bars.Horizontal, bars.Color, bars.LineStyle.Width = true, group.color, 0
		p.Add(bars)
		p.Legend.Add(group.legend, bars)
	}
	if err := addWhiskers(p, entries); err != nil {
		return nil, err
	}
	p.NominalY(names...)
	p.Y.Tick.Length = 0
	p.Y.Padding = vg.Points(14) // for a wider font
	return p, nil
}

// addWhiskers also writes the medians, to the right of an entry's bar and whisker.
func addWhiskers(p *plot.Plot, entries []entry) error {
	var whiskers struct {
		plotter.XYs
		plotter.XErrors
	}
	var labels plotter.XYLabels
	longest := 0.0
	for i, e := range entries {
		y := float64(len(entries) - 1 - i)
		low, high := slices.Min(e.Share.Values), slices.Max(e.Share.Values)
		whiskers.XYs = append(whiskers.XYs, plotter.XY{X: e.Share.Median, Y: y})
		whiskers.XErrors = append(whiskers.XErrors, struct{ Low, High float64 }{e.Share.Median - low, high - e.Share.Median})
		labels.XYs = append(labels.XYs, plotter.XY{X: high, Y: y})
		labels.Labels = append(labels.Labels, fmt.Sprintf("%.2f", e.Share.Median))
		longest = max(longest, high)
	}
	errors, err := plotter.NewXErrorBars(whiskers)
	if err != nil {
		return err
	}
	medians, err := plotter.NewLabels(labels)
	if err != nil {
		return err
	}
	medians.Offset = vg.Point{X: vg.Points(4), Y: -vg.Points(3)}
	p.Add(errors, medians)
	p.X.Max = max(longest*1.12, 1.5) // room for the last label, and for the legend
	return nil
}

// quarters are the ticks of an axis that begins at 0.
func quarters(_, most float64) (ticks []plot.Tick) {
	for at := 0.0; at <= most; at += 0.25 {
		ticks = append(ticks, plot.Tick{Value: at, Label: fmt.Sprint(at)})
	}
	return ticks
}

// sorted are the entries by group; within a group they keep their order.
func sorted(entries []entry) []entry {
	rank := func(e entry) int {
		for i, group := range groups {
			if group.name == e.Group {
				return i
			}
		}
		return len(groups)
	}
	return slices.SortedStableFunc(slices.Values(entries), func(a, b entry) int { return rank(a) - rank(b) })
}

const (
	width       = 9 * vg.Inch
	rowHeight   = vg.Length(20)
	besidesRows = vg.Length(90)
	margin      = vg.Length(16)
)
