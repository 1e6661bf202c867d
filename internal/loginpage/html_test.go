package loginpage

import (
	"strings"
	"testing"

	"golang.org/x/net/html"
)

func parse(t *testing.T, page string) *html.Node {
	t.Helper()
	node, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	return node
}

// find returns the first element with the name and the attribute, if they are given.
func find(in *html.Node, name, key, value string) *html.Node {
	for node := range in.Descendants() {
		if node.Type == html.ElementNode && (name == "" || node.Data == name) && (key == "" || attribute(node, key) == value) {
			return node
		}
	}
	return nil
}

func root(node *html.Node) *html.Node {
	for node.Parent != nil {
		node = node.Parent
	}
	return node
}

func attribute(node *html.Node, key string) string {
	for _, a := range node.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func has(node *html.Node, key string) bool {
	for _, a := range node.Attr {
		if a.Key == key {
			return true
		}
	}
	return false
}

func textOf(node *html.Node) string {
	var text strings.Builder
	for child := range node.Descendants() {
		if child.Type == html.TextNode {
			text.WriteString(child.Data)
		}
	}
	return text.String()
}
