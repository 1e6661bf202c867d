// Package configreview reads a config as an operator should before it goes live: what
// starts, but is weak, open or not what was meant. Every start-up warning is a finding
// here, with the line that it is about, and so is what start-up tolerates in silence.
package configreview

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Options say what to check.
type Options struct {
	Config  string // the path, - for stdin; empty for the Caddyfile of this directory
	Adapter string // empty for that of the file's name

	// Verbose lets Caddy write its log while the config is loaded.
	Verbose bool
}

// Finding is one thing that an operator should know.
type Finding struct {
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`
	File     string   `json:"file"`
	Line     int      `json:"line,omitempty"` // 0 if it is about a whole file
	Message  string   `json:"message"`        // what is wrong
	Remedy   string   `json:"remedy"`         // what to do
}

// Severity says how bad a finding is.
type Severity string

// The severities, the worst first.
const (
	Error   Severity = "error"   // it does not work, or others get in
	Warning Severity = "warning" // it makes an attack easier, or is probably not intended
	Note    Severity = "note"    // it may be intended
)

// Severities are all of them, the worst first.
var Severities = []Severity{Error, Warning, Note}

// atLeast tells whether a severity is at least as bad as another.
func (s Severity) atLeast(other Severity) bool {
	return slices.Index(Severities, s) <= slices.Index(Severities, other)
}

// Review checks a config. It starts nothing, listens nowhere and touches no storage. An
// error means that the check could not be made.
func Review(options Options) ([]Finding, error) {
	source, err := load(options)
	if err != nil {
		return nil, err
	}
	r := &review{source: source, said: make(map[Finding]bool), lists: make(map[string][]listedClient)}
	if r.config, err = read(source.adapted); err != nil {
		return nil, err
	}
	if len(r.config.endpoints)+len(r.config.checks) == 0 {
		r.at(position{file: r.file}, "nothing-to-check", "no token_endpoint and no bearer_auth in this config: there is nothing here that this check is for", "")
	}
	r.ofAdmin()
	r.ofSecrets()
	r.ofFiles()
	r.ofServers()
	r.ofChecks()
	r.ofLogs()
	for _, c := range r.config.checks {
		r.ofOutsideIssuers(c)
		r.ofRequirements(c)
	}
	logged, err := provision(source.adapted, options.Verbose)
	for _, entry := range logged {
		r.ofStart(entry)
	}
	r.ofOpen(logged)
	if err != nil {
		r.ofFailure(err)
	}
	slices.SortStableFunc(r.findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Rule, b.Rule))
	})
	return r.findings, nil
}

// review is one check of a config.
type review struct {
	*source
	config   *config
	findings []Finding
	said     map[Finding]bool
	lists    map[string][]listedClient // of the files that were read
}

// add takes in a finding once: a snippet is in many sites. Its severity is that of its
// rule, unless it has one.
func (r *review) add(finding Finding) {
	finding.Severity = cmp.Or(finding.Severity, rule(finding.Rule).Severity)
	finding.Remedy = cmp.Or(finding.Remedy, rule(finding.Rule).Remedy)
	finding.File = cmp.Or(finding.File, r.file)
	if !r.said[finding] {
		r.said[finding] = true
		r.findings = append(r.findings, finding)
	}
}

// at adds a finding about a place of the config.
func (r *review) at(at position, rule, message, remedy string) {
	r.add(Finding{Rule: rule, File: at.file, Line: at.line, Message: message, Remedy: remedy})
}

// note is at, for what may well be meant.
func (r *review) note(at position, rule, message, remedy string) {
	r.add(Finding{Rule: rule, Severity: Note, File: at.file, Line: at.line, Message: message, Remedy: remedy})
}

// Select leaves what is at least as bad as a severity, without some rules.
func Select(findings []Finding, least Severity, ignored []string) []Finding {
	return slices.DeleteFunc(slices.Clone(findings), func(f Finding) bool {
		return !f.Severity.atLeast(least) || slices.Contains(ignored, f.Rule)
	})
}

// Summary counts findings in words.
func Summary(findings []Finding) string {
	if len(findings) == 0 {
		return "no findings"
	}
	var parts []string
	for _, severity := range Severities {
		n := 0
		for _, f := range findings {
			if f.Severity == severity {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, count(n, string(severity)))
		}
	}
	return count(len(findings), "finding") + ": " + strings.Join(parts, ", ")
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
