package command

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/configreview"
)

func TestSARIFIsAsCodeScanningReadsIt(t *testing.T) {
	dir := checkFixture(t, badSite, map[string]string{"a b/users": "alice:" + harness.CheapHash(t, "secret") + "\n"})
	if err := os.WriteFile(filepath.Join(dir, "Caddyfile"), []byte(strings.ReplaceAll(badSite, "%DIR%/users", "\"a b/users\"")), 0o640); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, status := grantCommand(t, dir, "", "check", "--format", "sarif")
	if status != 1 || stderr != "" {
		t.Errorf("status %d, stderr %q", status, stderr)
	}
	var log struct {
		Schema  string `json:"$schema"`
		Version string
		Runs    []struct {
			Tool struct {
				Driver struct {
					Name, InformationURI string
					Rules                []struct {
						ID                   string
						ShortDescription     struct{ Text string }
						Help                 struct{ Text string }
						DefaultConfiguration struct{ Level string }
					}
				}
			}
			Results []struct {
				RuleID    string
				RuleIndex int
				Level     string
				Message   struct{ Text string }
				Locations []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI, URIBaseID string }
						Region           struct{ StartLine int }
					}
				}
			}
		}
	}
	decoder := json.NewDecoder(strings.NewReader(stdout))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&log); err != nil {
		t.Fatalf("%v: %s", err, stdout)
	}
	if log.Version != "2.1.0" || !strings.Contains(log.Schema, "sarif-2.1.0") || len(log.Runs) != 1 {
		t.Fatalf("version %q, schema %q, %d runs", log.Version, log.Schema, len(log.Runs))
	}
	run := log.Runs[0]
	if run.Tool.Driver.Name != "caddy-grant" || len(run.Tool.Driver.Rules) != len(configreview.Rules) {
		t.Errorf("the driver is %+v", run.Tool.Driver)
	}
	levels := []string{"error", "warning", "note"}
	for _, rule := range run.Tool.Driver.Rules {
		if rule.ID == "" || rule.ShortDescription.Text == "" || rule.Help.Text == "" || !slices.Contains(levels, rule.DefaultConfiguration.Level) {
			t.Errorf("a rule lacks something: %+v", rule)
		}
	}
	if len(run.Results) != 5 {
		t.Errorf("there are %d results", len(run.Results))
	}
	var places []string
	for _, result := range run.Results {
		if run.Tool.Driver.Rules[result.RuleIndex].ID != result.RuleID || !slices.Contains(levels, result.Level) || result.Message.Text == "" || len(result.Locations) != 1 {
			t.Errorf("a result lacks something: %+v", result)
			continue
		}
		at := result.Locations[0].PhysicalLocation
		if at.Region.StartLine < 1 || at.ArtifactLocation.URIBaseID != "%SRCROOT%" || strings.HasPrefix(at.ArtifactLocation.URI, "/") || strings.Contains(at.ArtifactLocation.URI, "://") {
			t.Errorf("a place is not relative: %+v", at)
		}
		places = append(places, fmt.Sprintf("%s:%d", at.ArtifactLocation.URI, at.Region.StartLine))
	}
	if want := []string{"Caddyfile:6", "Caddyfile:8", "Caddyfile:11", "Caddyfile:15", "a%20b/users:1"}; !slices.Equal(places, want) {
		t.Errorf("the places are %v, want %v", places, want)
	}

	stdout, _, status = grantCommand(t, checkFixture(t, checkedSite, nil), "", "check", "--format", "sarif")
	if !strings.Contains(stdout, `"results": []`) || status != 0 {
		t.Errorf("without findings: status %d, %s", status, stdout)
	}
}
