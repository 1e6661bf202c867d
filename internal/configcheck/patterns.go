package configcheck

import (
	"encoding/json"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
)

// WarnOfHalves is for a matcher that names a path and not what is below it, or the
// reverse: apps answer both. It reads the config, since Caddy's matchers do not tell
// what they match.
func WarnOfHalves(logger *zap.Logger, sets caddyhttp.RawMatcherSets, definedAt string) {
	var named, missing []string
	for _, patterns := range pathPatterns(sets) {
		for _, pattern := range patterns {
			if other := missingHalf(pattern, patterns); other != "" && !slices.Contains(named, pattern) {
				named, missing = append(named, pattern), append(missing, other)
			}
		}
	}
	if len(named) == 0 {
		return
	}
	logger.Warn("a path matcher names one half of a path",
		zap.String("of", Place(definedAt)),
		zap.Strings("paths", named),
		zap.Strings("not_matched", missing),
		zap.String("advice", "name both, as in \"path "+named[0]+" "+missing[0]+"\"; "+
			"for what needs no token use \"open\" of bearer_auth, which takes a path with all below it"))
}

// pathPatterns are the patterns of path matchers, in groups: a path needs to match one
// pattern of a group. A group is that of all sets, or of a matcher that negates others.
func pathPatterns[Set ~map[string]json.RawMessage](sets []Set) [][]string {
	var own []string
	var groups [][]string
	for _, set := range sets {
		var patterns []string
		if json.Unmarshal(set["path"], &patterns) == nil {
			own = append(own, patterns...)
		}
		var negated []caddy.ModuleMap
		if json.Unmarshal(set["not"], &negated) == nil {
			groups = append(groups, pathPatterns(negated)...)
		}
		groups = append(groups, expressionPaths(set["expression"]))
	}
	return append(groups, own)
}

// expressionPaths are the patterns of path() in a CEL expression.
func expressionPaths(expression json.RawMessage) []string {
	var text string
	if json.Unmarshal(expression, &text) != nil {
		var object struct{ Expr string }
		if json.Unmarshal(expression, &object) != nil {
			return nil
		}
		text = object.Expr
	}
	var patterns []string
	for _, call := range pathCall.FindAllStringSubmatch(text, -1) {
		for _, quoted := range quotedText.FindAllStringSubmatch(call[1], -1) {
			patterns = append(patterns, quoted[1])
		}
	}
	return patterns
}

var (
	pathCall   = regexp.MustCompile(`(?:^|[^.\w])path\(([^)]*)\)`)
	quotedText = regexp.MustCompile("['\"`]([^'\"`]*)['\"`]")
)

// missingHalf is what a pattern leaves out, if no other pattern has it. A file has
// nothing below it, unless it is a PHP script.
func missingHalf(pattern string, patterns []string) string {
	bare, below := strings.CutSuffix(pattern, "/*")
	ext := path.Ext(bare)
	if strings.ContainsAny(bare, `*?[\{`) || bare == "" && below ||
		!below && ext != "" && ext != ".php" {
		return ""
	}
	half, example := bare, bare
	if !below {
		half = strings.TrimSuffix(bare, "/") + "/*"
		example = strings.TrimSuffix(bare, "/") + "/example"
	}
	if slices.ContainsFunc(patterns, func(other string) bool { return patternMatches(other, example) }) {
		return ""
	}
	return half
}

// patternMatches compares as Caddy's path matcher does.
func patternMatches(pattern, example string) bool {
	pattern, example = strings.ToLower(pattern), strings.ToLower(example)
	switch stars := strings.Count(pattern, "*"); {
	case pattern == "*":
		return true
	case stars == 2 && strings.HasPrefix(pattern, "*") && strings.HasSuffix(pattern, "*"):
		return strings.Contains(example, strings.Trim(pattern, "*"))
	case stars == 1 && strings.HasPrefix(pattern, "*"):
		return strings.HasSuffix(example, pattern[1:])
	case stars == 1 && strings.HasSuffix(pattern, "*"):
		return strings.HasPrefix(example, pattern[:len(pattern)-1])
	}
	matches, err := path.Match(pattern, example)
	return err == nil && matches
}
