package configreview

import (
	"cmp"
	"net/url"
	"path/filepath"
	"strings"
)

// SARIF is findings in the Static Analysis Results Interchange Format 2.1.0, as far as
// code scanning reads it. Paths are relative to a directory, the root of the checkout.
func SARIF(findings []Finding, root, version string) any {
	driver := sarifDriver{
		Name: "caddy-grant", Version: version,
		InformationURI: "https://github.com/caddygrant/caddy-grant",
	}
	index := make(map[string]int)
	for i, rule := range Rules {
		index[rule.ID] = i
		driver.Rules = append(driver.Rules, sarifRule{
			ID: rule.ID, ShortDescription: sarifText{plain(rule.Summary)}, Help: sarifText{rule.Remedy},
			Default: sarifDefault{rule.Severity},
		})
	}
	results := make([]sarifResult, 0, len(findings)) // an empty list says that there is nothing
	for _, f := range findings {
		location := sarifLocation{}
		location.Physical.Artifact.URI, location.Physical.Artifact.Base = relativeURI(f.File, root)
		location.Physical.Region.StartLine = cmp.Or(f.Line, 1)
		results = append(results, sarifResult{
			RuleID: f.Rule, RuleIndex: index[f.Rule], Level: f.Severity,
			Message:   sarifText{f.Message + ". To do: " + f.Remedy},
			Locations: []sarifLocation{location},
		})
	}
	return sarifLog{
		Schema:  "https://json.schemastore.org/sarif-2.1.0.json",
		Version: "2.1.0",
		Runs:    []sarifRun{{Tool: sarifTool{driver}, Results: results}},
	}
}

// relativeURI is a file as SARIF names it: relative to a root where it is below it.
func relativeURI(file, root string) (uri, base string) {
	absolute := file
	if !filepath.IsAbs(file) {
		absolute = filepath.Join(root, file)
	}
	relative, err := filepath.Rel(root, absolute)
	if err != nil || relative == ".." || strings.HasPrefix(relative, ".."+string(filepath.Separator)) {
		return (&url.URL{Scheme: "file", Path: filepath.ToSlash(absolute)}).String(), ""
	}
	return strings.TrimPrefix((&url.URL{Path: filepath.ToSlash(relative)}).String(), "./"), "%SRCROOT%"
}

func plain(markdown string) string { return strings.ReplaceAll(markdown, "`", "") }

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool    sarifTool     `json:"tool"`
	Results []sarifResult `json:"results"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name           string      `json:"name"`
	Version        string      `json:"version,omitempty"`
	InformationURI string      `json:"informationUri"`
	Rules          []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID               string       `json:"id"`
	ShortDescription sarifText    `json:"shortDescription"`
	Help             sarifText    `json:"help"`
	Default          sarifDefault `json:"defaultConfiguration"`
}

type sarifDefault struct {
	Level Severity `json:"level"` // SARIF has the same names
}

type sarifResult struct {
	RuleID    string          `json:"ruleId"`
	RuleIndex int             `json:"ruleIndex"`
	Level     Severity        `json:"level"`
	Message   sarifText       `json:"message"`
	Locations []sarifLocation `json:"locations"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifLocation struct {
	Physical struct {
		Artifact struct {
			URI  string `json:"uri"`
			Base string `json:"uriBaseId,omitempty"`
		} `json:"artifactLocation"`
		Region struct {
			StartLine int `json:"startLine"`
		} `json:"region"`
	} `json:"physicalLocation"`
}
