package admin

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/adminapi"
)

// stages are the keys of a node by their stage, as the status has them.
func (n *node) stages() map[string]string {
	n.T.Helper()
	stages := make(map[string]string)
	for _, key := range grantJSON[adminapi.Status](n, "status", "--server", "default").Keys {
		if other, twice := stages[key.Stage]; twice {
			n.T.Fatalf("two keys are %s: %s and %s", key.Stage, other, key.ID)
		}
		stages[key.Stage] = key.ID
	}
	return stages
}

// The operator begins a rotation, which then goes through its stages on both nodes, and
// no token becomes invalid. The hours between the stages pass by setting back the times
// of creation in the key objects.
func TestAKeyIsRotatedInStagesOnBothNodes(t *testing.T) {
	t.Parallel()
	a, b := startNodes(t, "")
	old := a.stages()[adminapi.StageSigning]
	a.age(old, 48*time.Hour)
	s := a.login("alice", "web")
	for _, n := range []*node{a, b} {
		n.wantGoing(s)
	}

	keys := grantJSON[[]adminapi.Key](a, "rotate-key")
	if len(keys) != 2 {
		t.Fatalf("it made %+v", keys)
	}
	next := keys[slices.IndexFunc(keys, func(k adminapi.Key) bool { return k.Stage == adminapi.StagePublished })].ID
	wantStages := func(what string, want map[string]string) {
		t.Helper()
		for i, n := range []*node{a, b} {
			harness.Eventually(t, []string{"the first", "the other"}[i]+" node: "+what, func() bool {
				got := n.stages()
				return len(got) == len(want) && got[adminapi.StagePublished] == want[adminapi.StagePublished] &&
					got[adminapi.StageSigning] == want[adminapi.StageSigning] && got[adminapi.StageVerifying] == want[adminapi.StageVerifying]
			})
			n.wantGoing(s)
		}
	}
	wantStages("the next key is published", map[string]string{adminapi.StagePublished: next, adminapi.StageSigning: old})
	a.age(next, 20*time.Minute)
	wantStages("the next key signs", map[string]string{adminapi.StageSigning: next, adminapi.StageVerifying: old})
	a.age(next, 12*time.Hour)
	wantStages("the old key is gone", map[string]string{adminapi.StageSigning: next})
	if lines := a.audited("signing key rotated by operator"); len(lines) != 1 {
		t.Errorf("audit lines: %v", lines)
	}
}

// Anyone who asks twice, in two terminals or at two nodes, does not make two keys.
func TestARotationThatHasBegunIsNotBegunAgain(t *testing.T) {
	t.Parallel()
	a, b := startNodes(t, "")
	first := grantJSON[[]adminapi.Key](a, "rotate-key")
	for _, n := range []*node{b, a} {
		grantAny(t, "rotate-key", "--address", n.admin) // whether it says so, or shows what there is
	}
	if got := a.stages(); len(first) != 2 || len(got) != 2 {
		t.Errorf("first %+v, then %v", first, got)
	}
}

func TestAConfiguredKeyIsNotRotated(t *testing.T) {
	t.Parallel()
	a := startNode(t, t.TempDir(), "signing_key HS256 a-secret-of-enough-bytes-0123456789abcdef", "")
	if _, errs := a.grant(1, "rotate-key"); !strings.HasPrefix(errs, "Error: ") || !strings.Contains(errs, "config") {
		t.Errorf("it says %s", errs)
	}
	if lines := a.audited("change refused"); len(lines) != 1 || lines[0]["change"] != "rotate-key" {
		t.Errorf("audit lines: %v", lines)
	}
}

// age sets the time of creation of a key back.
func (n *node) age(id string, by time.Duration) {
	n.T.Helper()
	digest, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil {
		n.T.Fatal(err)
	}
	paths, err := filepath.Glob(filepath.Join(n.storage, "grant", "*", "keys", "es256", hex.EncodeToString(digest)))
	if err != nil || len(paths) != 1 {
		n.T.Fatalf("objects of key %s: %v, %v", id, paths, err)
	}
	content, err := os.ReadFile(paths[0])
	if err != nil {
		n.T.Fatal(err)
	}
	object := make(map[string]any)
	if err := json.Unmarshal(content, &object); err != nil {
		n.T.Fatal(err)
	}
	object["created"] = time.Now().Add(-by).Unix()
	if content, err = json.Marshal(object); err != nil {
		n.T.Fatal(err)
	}
	// as the storage writes: beside, then renamed
	if err := os.WriteFile(paths[0]+".tmp", content, 0o600); err != nil {
		n.T.Fatal(err)
	}
	if err := os.Rename(paths[0]+".tmp", paths[0]); err != nil {
		n.T.Fatal(err)
	}
}
