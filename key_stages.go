package caddygrant

import (
	"context"
	"time"

	"github.com/caddygrant/caddy-grant/internal/keyring"
)

// keyStage is where a signing key of a server is in its life. Of a key that is given in
// the config only the place there is known: the first key signs, others verify, and
// Since and Until are zero.
type keyStage struct {
	keyring.Stage
	generated bool
}

// stages are those of all keys, in the order of the config, generated keys as they are
// known now: none before they have been read.
func (k *serverKeys) stages(at time.Time) []keyStage {
	var all []keyStage
	generated := k.generated.Stages(at)
	for i, c := range k.configured {
		if c.key != nil {
			stage := keyring.Stage{ID: c.key.ID(), Algorithm: c.key.Algorithm(), Name: keyring.StageVerifying}
			if i == 0 {
				stage.Name = keyring.StageSigning
			}
			all = append(all, keyStage{stage, false})
			continue
		}
		for _, stage := range generated[c.algorithm] {
			if i > 0 && stage.Name == keyring.StageSigning { // it would, if it were first
				stage.Name, stage.Since, stage.Until = keyring.StageVerifying, time.Time{}, time.Time{}
			}
			all = append(all, keyStage{stage, true})
		}
	}
	return all
}

// rotateNow makes the next key of those that are generated, see
// [keyring.Follower.RotateNow]. Where the key that signs is given in the config, there
// is none to make.
func (k *serverKeys) rotateNow(ctx context.Context) (made []*keyring.Key, err error) {
	if k.configured[0].key != nil {
		return nil, keyring.ErrNotGenerated
	}
	return k.generated.RotateNow(ctx)
}
