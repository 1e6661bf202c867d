// Command dashboard draws the panels of examples/grafana/caddy-grant.json, without
// Grafana: it asks a Prometheus what the dashboard asks, and writes a picture.
//
//	go -C bench/dashboard run . -o "$PWD/docs/images/dashboard.svg"
//
// That starts a Caddy and a Prometheus on loopback and sends requests for some minutes,
// some of them an attack. It needs prometheus in the path. With -prometheus it draws what
// another Prometheus has.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "dashboard:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	root := flag.String("root", "../..", "the checkout")
	out := flag.String("o", "dashboard.svg", "the picture to write")
	address := flag.String("prometheus", "", "the URL of a Prometheus to ask; without it, one is started beside a Caddy under traffic")
	length := flag.Duration("for", 8*time.Minute, "how long to send requests, or how far to look back")
	scrape := flag.Duration("scrape", 3*time.Second, "how often Prometheus reads the metrics, and how far apart the points are")
	flag.Parse()
	if flag.NArg() > 0 {
		return errors.New("there are no arguments, only flags")
	}

	d, err := readDashboard(filepath.Join(*root, "examples/grafana/caddy-grant.json"))
	if err != nil {
		return err
	}
	p := prometheus{url: *address}
	if p.url == "" {
		r, err := startRun(ctx, *root, *scrape)
		if err != nil {
			return err
		}
		defer r.stop()
		if err := r.traffic(ctx, *length); err != nil {
			return err
		}
		p = r.prometheus
	}
	end := time.Now()
	answers, err := d.ask(ctx, p, span{end.Add(-*length), end, *scrape})
	if err != nil {
		return err
	}
	return os.WriteFile(*out, draw(d, answers, *length), 0o644)
}
