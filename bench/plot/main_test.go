package main

import (
	"bytes"
	"encoding/xml"
	"io"
	"strings"
	"testing"
)

func TestEveryEntryIsInThePlot(t *testing.T) {
	var out bytes.Buffer
	err := run(strings.NewReader(`{"machine":{"cpu":"x"},"workloads":[
		{"name":"password","entries":[
			{"name":"respond","group":"limits","share":{"values":[1,1],"median":1}},
			{"name":"slow & old","group":"peers","share":{"values":[0.1,0.3],"median":0.2}},
			{"name":"HS256","group":"ours","share":{"values":[0.5],"median":0.5}}]},
		{"name":"bearer","entries":[{"name":"hot","group":"ours","share":{"values":[0.9],"median":0.9}}]},
		{"name":"cold","figures":[]}]}`), &out)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for decoder := xml.NewDecoder(&out); ; {
		token, err := decoder.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if chars, ok := token.(xml.CharData); ok {
			text.Write(chars)
		}
	}
	for _, want := range []string{"password", "respond", "slow & old", "HS256", "0.20", "bearer", "hot", "caddy-grant", "peer"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("there is no %q in the plot", want)
		}
	}
}

func TestAReportWithoutEntriesIsNotPlotted(t *testing.T) {
	if err := run(strings.NewReader(`{"workloads":[{"name":"cold"}]}`), io.Discard); err == nil {
		t.Error("there was no error")
	}
}

func TestEntriesAreInGroups(t *testing.T) {
	var names []string
	for _, e := range sorted([]entry{{Name: "c", Group: "peers"}, {Name: "a", Group: "limits"}, {Name: "d", Group: "peers"}, {Name: "b", Group: "ours"}}) {
		names = append(names, e.Name)
	}
	if got := strings.Join(names, ""); got != "abcd" {
		t.Errorf("the order is %s", got)
	}
}
