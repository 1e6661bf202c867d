package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
	"time"
)

// The size of a cell of the dashboard's grid of 24 columns, and what is around panels.
const (
	cellWidth  = 42
	cellHeight = 27
	gap        = 4
	fontSize   = 12
	lineHeight = 16
)

// palette is Grafana's classic one.
var palette = []string{"#7eb26d", "#eab839", "#3fb6cc", "#ef843c", "#e24d42", "#1f78c1", "#ba43a9", "#705da0", "#508642", "#cca300", "#447ebc", "#c15c17", "#b5483f"}

// style follows the reader's choice of light or dark.
const style = `
.page{fill:#f0f1f3}.card{fill:#fff;stroke:#d8d9dc}.title{fill:#24292e;font-weight:bold}.text{fill:#555b63}.row{fill:#24292e;font-weight:bold}
.grid{stroke:#e4e5e8;fill:none}.line{fill:none;stroke-width:1.3;stroke-linejoin:round}.area{stroke:none;fill-opacity:.15}.big{font-size:22px;font-weight:bold}
@media (prefers-color-scheme:dark){.page{fill:#111217}.card{fill:#1c1e23;stroke:#2f3138}.title,.row{fill:#e6e6ee}.text{fill:#a9acb6}.grid{stroke:#30323a}}
`

type picture struct {
	bytes.Buffer
	length time.Duration
}

// draw is an SVG with all panels at their places.
func draw(d *dashboard, answers map[int][]line, length time.Duration) []byte {
	p := &picture{length: length}
	rows := 0
	for _, panel := range d.Panels {
		rows = max(rows, panel.GridPos.Y+panel.GridPos.H)
	}
	width, height := 24*cellWidth+2*gap, rows*cellHeight+2*gap
	fmt.Fprintf(p, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="Liberation Sans,Arial,Helvetica,sans-serif" font-size="%d">`, width, height, width, height, fontSize)
	fmt.Fprintf(p, "<title>%s</title><style>%s</style>", html.EscapeString(d.Title), style)
	fmt.Fprintf(p, `<rect class="page" width="%d" height="%d"/>`, width, height)
	for _, panel := range d.Panels {
		box := box{
			x: float64(gap + panel.GridPos.X*cellWidth + gap), y: float64(gap + panel.GridPos.Y*cellHeight + gap),
			w: float64(panel.GridPos.W*cellWidth - 2*gap), h: float64(panel.GridPos.H*cellHeight - 2*gap),
		}
		p.WriteString("\n")
		switch panel.Type {
		case "row":
			p.text("row", "start", box.x+4, box.y+box.h-4, panel.Title)
			continue
		case "stat":
			p.card(box, panel)
			p.stat(box, panel, answers[panel.ID])
		default:
			p.card(box, panel)
			p.chart(box, panel, answers[panel.ID])
		}
	}
	p.WriteString("\n</svg>\n")
	return p.Bytes()
}

type box struct{ x, y, w, h float64 }

func (p *picture) text(class, anchor string, x, y float64, text string) {
	fmt.Fprintf(p, `<text class="%s" text-anchor="%s" x="%s" y="%s">%s</text>`, class, anchor, number(x), number(y), html.EscapeString(text))
}

func (p *picture) card(b box, panel panel) {
	fmt.Fprintf(p, `<rect class="card" rx="3" x="%s" y="%s" width="%s" height="%s"/>`, number(b.x), number(b.y), number(b.w), number(b.h))
	for i, text := range wrap(panel.Title, b.w-16) {
		p.text("title", "start", b.x+8, b.y+18+float64(i*lineHeight), text)
	}
}

// stat is the last value, in the color of its threshold, above its line.
func (p *picture) stat(b box, panel panel, lines []line) {
	if len(lines) == 0 || len(lines[0].points) == 0 {
		p.text("text", "middle", b.x+b.w/2, b.y+b.h/2, "no data")
		return
	}
	points := lines[0].points
	last, color := points[len(points)-1].value, "green"
	for _, step := range panel.FieldConfig.Defaults.Thresholds.Steps {
		if step.Value == nil || last >= *step.Value {
			color = step.Color
		}
	}
	color = map[string]string{"green": "#3f9142", "orange": "#d9730d", "red": "#d33a3a"}[color]
	most := 0.0
	for _, point := range points {
		most = max(most, point.value)
	}
	p.path(box{b.x, b.y + b.h*.72, b.w, b.h * .28}, points, axis{most: max(most, 1e-9)}, color, true)
	fmt.Fprintf(p, `<text class="big" text-anchor="middle" fill="%s" x="%s" y="%s">%s</text>`, color, number(b.x+b.w/2), number(b.y+b.h*.64), html.EscapeString(statLabel(last, panel.FieldConfig.Defaults.Unit)))
}

// chart has a line for each series, axes and a legend. Series that are 0 all the time
// are drawn, and counted in the legend.
func (p *picture) chart(b box, panel panel, lines []line) {
	entries, zero := legendOf(lines)
	rows := place(entries, b.w-16)
	most := 0.0
	for _, line := range lines {
		for _, point := range line.points {
			most = max(most, point.value)
		}
	}
	a := newAxis(most, panel)
	plot := box{b.x + 62, b.y + 30, b.w - 62 - 22, b.h - 30 - lineHeight*float64(1+rows) - 12}

	for at := 0.0; at <= a.most*1.0001; at += a.step {
		y := plot.y + plot.h*(1-at/a.most)
		fmt.Fprintf(p, `<path class="grid" d="M%s %sh%s"/>`, number(plot.x), number(y), number(plot.w))
		p.text("text", "end", plot.x-6, y+4, a.label(at))
	}
	step := timeStep(p.length, plot.w)
	for at := time.Duration(0); at <= p.length; at += step {
		p.text("text", "middle", plot.x+plot.w*float64(at)/float64(p.length), plot.y+plot.h+lineHeight, timeLabel(at, p.length))
	}
	few := len(lines)-zero <= 2
	for i, line := range slices.Backward(lines) {
		p.path(plot, line.points, a, palette[i%len(palette)], few)
	}
	top := plot.y + plot.h + 2*lineHeight
	for _, e := range entries {
		x, y := b.x+8+e.x, top+float64(e.row*lineHeight)
		if e.color != "" {
			fmt.Fprintf(p, `<path stroke="%s" stroke-width="3" d="M%s %sh12"/>`, e.color, number(x), number(y-4))
			x += 17
		}
		p.text("text", "start", x, y, e.name)
	}
	if len(lines) == 0 {
		p.text("text", "middle", plot.x+plot.w/2, plot.y+plot.h/2, "no data")
	}
}

// path draws points that are near enough as a line, and breaks it where some are
// missing. What does not change is not repeated.
func (p *picture) path(b box, points []point, a axis, color string, area bool) {
	var d, fill strings.Builder
	var run [][2]float64
	flush := func() {
		for i, at := range run {
			if i == 0 {
				fmt.Fprintf(&d, "M%s %s", number(at[0]), number(at[1]))
				fmt.Fprintf(&fill, "M%s %sV%s", number(at[0]), number(b.y+b.h), number(at[1]))
			} else if i == len(run)-1 || at[1] != run[i-1][1] || at[1] != run[i+1][1] {
				fmt.Fprintf(&d, "L%s %s", number(at[0]), number(at[1]))
				fmt.Fprintf(&fill, "L%s %s", number(at[0]), number(at[1]))
			}
		}
		if len(run) > 0 {
			fmt.Fprintf(&fill, "V%sZ", number(b.y+b.h))
		}
		run = nil
	}
	for i, point := range points {
		if i > 0 && i+1 < len(points) && point.at-points[i-1].at > 2.5*(points[i+1].at-point.at) {
			flush()
		}
		run = append(run, [2]float64{math.Round(b.x + b.w*point.at), math.Round(10*(b.y+b.h*(1-point.value/a.most))) / 10})
	}
	flush()
	if d.Len() == 0 {
		return
	}
	if area {
		fmt.Fprintf(p, `<path class="area" fill="%s" d="%s"/>`, color, fill.String())
	}
	fmt.Fprintf(p, `<path class="line" stroke="%s" d="%s"/>`, color, d.String())
}
