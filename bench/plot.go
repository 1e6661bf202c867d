package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
)

// draw writes a plot of the entries as SVG, see plot/main.go.
func (b *bench) draw(ctx context.Context, r *report, path string) error {
	input, err := json.Marshal(r)
	if err != nil {
		return err
	}
	svg, err := b.output(ctx, anyCore, input, "plot")
	if err != nil {
		return fmt.Errorf("drawing %s: %w", path, err)
	}
	return os.WriteFile(path, svg, 0o644)
}
