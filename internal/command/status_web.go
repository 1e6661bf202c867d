package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/pkg/browser"
	"github.com/spf13/cobra"

	"github.com/caddygrant/caddy-grant/internal/statuspage"
	"github.com/caddygrant/caddy-grant/internal/statusview"
)

const webHelp = `
With --web it serves a read-only page for a browser on this machine, until Ctrl-C
or until no browser has asked for a while. The link that it prints opens the page
in one browser, once. For a server elsewhere, forward the port of the link with
'ssh -L'. Here --address can be repeated, for several nodes.
`

// addWebFlags adds the flags of the status page.
func addWebFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.Bool("web", false, "serve the status as a page for a browser on this machine")
	flags.Int("port", 0, "with --web: port on 127.0.0.1 (default: any that is free)")
	flags.Bool("open", false, "with --web: open the page in a browser")
	flags.Duration("idle", 15*time.Minute, "with --web: end after this time without a browser")
}

// wantsWeb tells whether --web was given. Its other flags need it.
func wantsWeb(cmd *cobra.Command) (bool, error) {
	flags := cmd.Flags()
	web, err := flags.GetBool("web")
	if err != nil {
		return false, err
	}
	for _, name := range []string{"port", "open", "idle"} {
		if !web && flags.Changed(name) {
			return false, fmt.Errorf("--%s needs --web", name)
		}
	}
	for _, name := range []string{"json", "server"} {
		if web && flags.Changed(name) {
			return false, fmt.Errorf("--%s and --web cannot be used together: the page shows all servers to a person", name)
		}
	}
	return web, nil
}

func runStatusWeb(cmd *cobra.Command) error {
	flags := cmd.Flags()
	port, err := flags.GetInt("port")
	if err != nil {
		return err
	}
	open, err := flags.GetBool("open")
	if err != nil {
		return err
	}
	idle, err := flags.GetDuration("idle")
	if err != nil {
		return err
	}
	if idle < time.Second {
		return fmt.Errorf("--idle is %v, and must be at least 1s", idle)
	}
	targets, err := nodes(cmd)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return fmt.Errorf("the page has no port: %w", err)
	}
	ctx, cancel := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	watcher := statusview.NewWatcher(targets, 2*time.Second, func() {})
	var watching sync.WaitGroup
	watching.Go(func() { watcher.Run(ctx) })
	defer watching.Wait()
	defer cancel()

	page := statuspage.New(listener.Addr(), watcher.View)
	cmd.PrintErrln("Open this link in a browser on this machine. It works once. Ctrl-C ends the page.")
	fmt.Fprintln(cmd.OutOrStdout(), page.Link())
	if open {
		remove, err := openPrivately(ctx, cmd, page.Link())
		if err != nil {
			return err
		}
		defer remove()
	}
	err = page.Serve(ctx, listener, idle)
	if errors.Is(err, statuspage.ErrIdle) {
		cmd.PrintErrf("No browser has asked for the page for %v: it has ended.\n", idle)
		return nil
	}
	return err
}

// openPrivately opens a link that no other user of the machine may see, as arguments of
// programs can be seen: the browser gets a file that leads to it.
func openPrivately(ctx context.Context, cmd *cobra.Command, link string) (remove func(), err error) {
	dir, err := os.MkdirTemp("", "caddy-grant-status-")
	if err != nil {
		return nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	file := filepath.Join(dir, "status.html")
	page := fmt.Sprintf(`<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="0; url=%s"><title>Status of caddy-grant</title><p><a href="%[1]s">Status of caddy-grant</a></p></html>`, link)
	if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
		remove()
		return nil, err
	}
	browser.Stdout, browser.Stderr = io.Discard, io.Discard
	go func() { // which may last as long as the browser
		if err := browser.OpenFile(file); err != nil && ctx.Err() == nil {
			cmd.PrintErrln("No browser could be opened:", err)
		}
	}()
	return remove, nil
}
