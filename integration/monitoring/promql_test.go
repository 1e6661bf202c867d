package monitoring

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// promQL is what a query is made of.
type promQL struct{ metrics, by []string }

var (
	promToken    = regexp.MustCompile(`^(?:\s+|[a-zA-Z_]\w*|\d+[smhdw]|\d+(?:\.\d+)?|"(?:[^"\\]|\\.)*"|\[[^\]]*\]|=~|!~|[!=<>]=|[-+*/(){},=<>])`)
	promFunction = []string{"sum", "min", "max", "rate", "increase", "time", "histogram_quantile", "avg_over_time", "last_over_time"}
	promOperator = []string{"+", "-", "*", "/", "==", "!=", "<", ">", "<=", ">=", "and", "or", "unless"}
)

// checkPromQL reads a query by the part of the grammar that the dashboard and the alerts
// need: functions of numbers, of selectors with matchers and ranges, and of each other,
// with operators between them.
func checkPromQL(t *testing.T, expr string, metrics map[string]labels, variables map[string]bool) promQL {
	t.Helper()
	for _, variable := range regexp.MustCompile(`\$\{?(\w+)`).FindAllStringSubmatch(expr, -1) {
		if !variables[variable[1]] {
			t.Errorf("%s: there is no variable %s", expr, variable[1])
		}
	}
	var tokens []string
	for rest := expr; rest != ""; {
		token := promToken.FindString(rest)
		if token == "" {
			t.Fatalf("%s: no token at %s", expr, rest)
		}
		rest = rest[len(token):]
		if strings.TrimSpace(token) != "" {
			tokens = append(tokens, token)
		}
	}
	p := &promParser{tokens: tokens, metrics: metrics}
	if err := p.expression(); err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	if len(p.tokens) > 0 {
		t.Fatalf("%s: left over: %s", expr, p.tokens)
	}
	return p.promQL
}

type promParser struct {
	tokens  []string
	metrics map[string]labels
	promQL
}

func (p *promParser) peek() string {
	if len(p.tokens) == 0 {
		return ""
	}
	return p.tokens[0]
}

func (p *promParser) next() string {
	token := p.peek()
	if token != "" {
		p.tokens = p.tokens[1:]
	}
	return token
}

func (p *promParser) want(token string) error {
	if got := p.next(); got != token {
		return fmt.Errorf("%q where %q belongs", got, token)
	}
	return nil
}

func (p *promParser) expression() error {
	for {
		if err := p.operand(); err != nil {
			return err
		}
		if !slices.Contains(promOperator, p.peek()) {
			return nil
		}
		p.next()
		if p.peek() == "on" {
			p.next()
			if _, err := p.names(); err != nil {
				return err
			}
		}
	}
}

func (p *promParser) operand() error {
	token := p.next()
	switch {
	case token == "":
		return errors.New("it ends too early")
	case token[0] >= '0' && token[0] <= '9':
		return nil
	case token == "(":
		if err := p.expression(); err != nil {
			return err
		}
		return p.want(")")
	case slices.Contains(promFunction, token):
		return p.call()
	case p.metrics[token] != nil:
		return p.selector(token)
	}
	return fmt.Errorf("%q is neither a metric that there is nor a function", token)
}

// names reads a list of labels in parentheses.
func (p *promParser) names() (names []string, err error) {
	for sep := "("; p.peek() == sep; sep = "," {
		p.next()
		names = append(names, p.next())
	}
	return names, p.want(")")
}

func (p *promParser) call() error {
	var by []string
	if p.peek() == "by" {
		p.next()
		var err error
		if by, err = p.names(); err != nil {
			return err
		}
	}
	if err := p.want("("); err != nil {
		return err
	}
	before := len(p.promQL.metrics)
	for p.peek() != ")" {
		if err := p.expression(); err != nil {
			return err
		}
		if p.peek() != "," {
			break
		}
		p.next()
	}
	for _, metric := range p.promQL.metrics[before:] {
		for _, label := range by {
			if p.metrics[metric][label] == nil {
				return fmt.Errorf("%s has no label %s", metric, label)
			}
		}
	}
	p.by = append(p.by, by...)
	return p.want(")")
}

func (p *promParser) selector(metric string) error {
	p.promQL.metrics = append(p.promQL.metrics, metric)
	if p.peek() == "{" {
		for p.next() != "}" {
			if err := p.matcher(metric); err != nil {
				return err
			}
		}
	}
	if strings.HasPrefix(p.peek(), "[") {
		p.next()
	}
	if p.peek() == "offset" {
		p.next()
		p.next()
	}
	return nil
}

// matcher accepts a label that the metric has with values that it has, or with a
// variable.
func (p *promParser) matcher(metric string) error {
	label, operator, quoted := p.next(), p.next(), p.next()
	known := p.metrics[metric][label]
	if known == nil {
		return fmt.Errorf("%s has no label %q, only %s", metric, label, slices.Sorted(maps.Keys(p.metrics[metric])))
	}
	value, err := strconv.Unquote(quoted)
	if err != nil || !slices.Contains([]string{"=", "!=", "=~", "!~"}, operator) {
		return fmt.Errorf("%s %s %s is not a matcher", label, operator, quoted)
	}
	if next := p.peek(); next != "," && next != "}" {
		return fmt.Errorf("%q after a matcher", next)
	}
	if strings.HasPrefix(value, "$") {
		return nil
	}
	for alternative := range strings.SplitSeq(value, "|") {
		if !slices.Contains(known, alternative) {
			return fmt.Errorf("%s of %s is never %q, only %q", label, metric, alternative, slices.Compact(slices.Sorted(slices.Values(known))))
		}
	}
	return nil
}
