package command

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/caddygrant/caddy-grant/internal/configreview"
)

// newCheckCommand is `caddy grant check`.
func newCheckCommand() *cobra.Command {
	var options configreview.Options
	var format, level string
	var ignored []string
	cmd := &cobra.Command{
		Use:   "check [--config PATH] [--adapter NAME] [--format text|json|sarif | --json] [--level error|warning|note] [--ignore RULE...] [--verbose]",
		Short: "Checks a config for what is weak, open or probably not intended",
		Long: `
Loads a config as "caddy validate" does and prints what an operator should know,
though Caddy starts with it: weak hashes, files that others can read, secrets in
the config, apps that can be reached without a token, and more. Each finding has
a file, a line, a severity and a remedy.

It starts nothing, listens nowhere, and touches neither the storage nor the logs
of the config. The exit status is 0 if there are no findings, 1 if there are
some, and 2 if the check could not be made.

--level leaves out findings that are less severe, and --ignore those of a rule,
which a finding has in brackets. With --format sarif the findings can be uploaded
to the code scanning of a forge.`,
		Example: `  caddy grant check --config /etc/caddy/Caddyfile
  caddy grant check --level warning --ignore open-rest
  caddy grant check --format sarif > caddy-grant.sarif`,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := noArgs(cmd, args); err != nil {
				return exit(cmd, 2, err)
			}
			return nil
		},
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if wantsJSON(cmd) {
				if cmd.Flags().Changed("format") && format != "json" {
					return exit(cmd, 2, errors.New("--json and --format: choose one of them"))
				}
				format = "json"
			}
			if err := checkFlags(format, level, ignored); err != nil {
				return exit(cmd, 2, err)
			}
			findings, err := configreview.Review(options)
			if err != nil {
				return exit(cmd, 2, fmt.Errorf("the check could not be made: %w", err))
			}
			findings = configreview.Select(findings, configreview.Severity(level), ignored)
			if err := printFindings(cmd, format, findings); err != nil {
				return exit(cmd, 2, err)
			}
			if len(findings) > 0 {
				cmd.SilenceErrors = true // they are printed
				return errFindings
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&options.Config, "config", "c", "", "the config to check, - for stdin (default: the Caddyfile of this directory)")
	cmd.Flags().StringVarP(&options.Adapter, "adapter", "a", "", "the config adapter (default: that of the file's name)")
	cmd.Flags().BoolVar(&options.Verbose, "verbose", false, "let Caddy write its log to stderr while the config is loaded")
	cmd.Flags().StringVar(&format, "format", "text", "text, json or sarif")
	addJSONFlag(cmd)
	cmd.Flags().StringVar(&level, "level", string(configreview.Note), "the least severity to report: error, warning or note")
	cmd.Flags().StringSliceVar(&ignored, "ignore", nil, "a rule whose findings to leave out; may be repeated")
	// 1 is for findings
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return exit(cmd, 2, err) })
	for flag, values := range map[string][]string{"format": {"text", "json", "sarif"}, "level": {"error", "warning", "note"}, "ignore": ruleIDs()} {
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	}
	return cmd
}

func ruleIDs() (ids []string) {
	for _, rule := range configreview.Rules {
		ids = append(ids, rule.ID+"\t"+rule.Summary)
	}
	return ids
}

func checkFlags(format, level string, ignored []string) error {
	if !slices.Contains([]string{"text", "json", "sarif"}, format) {
		return fmt.Errorf("--format %s: it must be text, json or sarif", format)
	}
	if !slices.Contains(configreview.Severities, configreview.Severity(level)) {
		return fmt.Errorf("--level %s: it must be error, warning or note", level)
	}
	for _, id := range ignored {
		if !configreview.IsRule(id) {
			return fmt.Errorf("--ignore %s: there is no such rule: a finding has its rule in brackets", id)
		}
	}
	return nil
}

// printFindings writes findings to stdout, and nothing else.
func printFindings(cmd *cobra.Command, format string, findings []configreview.Finding) error {
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	switch format {
	case "json":
		return printJSON(cmd, struct {
			Findings []configreview.Finding `json:"findings"`
			Summary  string                 `json:"summary"`
		}{append([]configreview.Finding{}, findings...), configreview.Summary(findings)})
	case "sarif":
		return printJSON(cmd, configreview.SARIF(findings, root, moduleVersion()))
	}
	out := cmd.OutOrStdout()
	for _, f := range findings {
		place := relativeTo(root, f.File)
		if f.Line > 0 {
			place += fmt.Sprintf(":%d", f.Line)
		}
		if _, err := fmt.Fprintf(out, "%s: %s: %s [%s]\n    %s\n", printable(place), f.Severity, printable(f.Message), f.Rule, printable(f.Remedy)); err != nil {
			return err
		}
	}
	_, err = io.WriteString(out, configreview.Summary(findings)+"\n")
	return err
}

// errFindings makes the exit status 1.
var errFindings = errors.New("there are findings")

// relativeTo is a path relative to a directory, if it is below it.
func relativeTo(dir, path string) string {
	if relative, err := filepath.Rel(dir, path); err == nil && filepath.IsAbs(path) && !strings.HasPrefix(relative, "..") {
		return relative
	}
	return path
}

// moduleVersion is the version of this module in the binary, or "".
func moduleVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, module := range append([]*debug.Module{&info.Main}, info.Deps...) {
		if strings.HasSuffix(module.Path, "/caddy-grant") && module.Version != "(devel)" {
			return module.Version
		}
	}
	return ""
}
