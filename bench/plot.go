package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
)

// draw writes a plot of the entries as SVG, see plot/main.go.
func (b *bench) draw(ctx context.Context, r *report, path string) error {
	input, err := json.Marshal(r)
	if err != nil {
		return err
	}
	var output, errors bytes.Buffer
	cmd := exec.CommandContext(ctx, b.path("plot"))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &output, &errors
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("drawing %s: %w\n%s", path, err, &errors)
	}
	return os.WriteFile(path, output.Bytes(), 0o644)
}
