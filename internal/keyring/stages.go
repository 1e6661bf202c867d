package keyring

import (
	"path"
	"time"
)

// Stage is where a key is in its life.
type Stage struct {
	ID        string
	Algorithm Algorithm
	Name      StageName

	// Since is when the stage began, and Until when it ends or is due to end. Each is
	// zero if that is not known, or if no end is in sight. That a key signs since is at
	// most publishFor too early for one whose predecessors are no longer there.
	Since, Until time.Time

	Object string // the key's place in storage; empty if it is not generated
}

// StageName is one of the stages.
type StageName string

// The stages in their order.
const (
	StagePublished StageName = "published" // it does not sign yet
	StageSigning   StageName = "signing"
	StageVerifying StageName = "verifying" // it no longer signs, its tokens are valid
)

// Stages are the stages of the generated keys of each algorithm at a time, as far as
// they are known here, in the order of Generated: none before there is a complete set.
// They are the same on every node that has read the same keys.
func (f *Follower) Stages(at time.Time) map[Algorithm][]Stage {
	_, known := f.options.Memory.known()
	all := make(map[Algorithm][]Stage, len(f.options.Algorithms))
	for _, a := range f.options.Algorithms {
		if len(known[a]) == 0 {
			continue
		}
		stages := stagesOf(known[a], f.options.Lifetime(), f.options.RotateEvery, at)
		for i := range stages {
			stages[i].Object = path.Join(f.options.Store.keyFolder(a), keyNameOf(stages[i].ID))
		}
		all[a] = stages
	}
	return all
}

// stagesOf are the stages of what inUse returns.
func stagesOf(keys []generatedKey, lifetime, rotateEvery time.Duration, at time.Time) []Stage {
	signer := signerIndex(keys, at)
	stages := []Stage{signing(keys, signer, rotateEvery, at)}
	for i, k := range keys {
		made := time.Unix(k.created, 0)
		stage := Stage{ID: k.id, Algorithm: k.algorithm}
		switch {
		case i == signer || retired(keys, i, lifetime, at):
			continue
		case i > signer:
			stage.Name, stage.Since, stage.Until = StagePublished, made, signsFrom(k)
			if made.After(at) {
				stage.Since = time.Time{} // by a clock that was ahead
			}
		default:
			stage.Name, stage.Since = StageVerifying, signsFrom(keys[i+1])
			stage.Until = stage.Since.Add(handover + lifetime)
		}
		stages = append(stages, stage)
	}
	return stages
}

// signing is the stage of the key that signs.
func signing(keys []generatedKey, i int, rotateEvery time.Duration, at time.Time) Stage {
	stage := Stage{ID: keys[i].id, Algorithm: keys[i].algorithm, Name: StageSigning, Since: signsFrom(keys[i])}
	if i == 0 {
		stage.Since = time.Unix(keys[i].created, 0) // the first key signs at once
	}
	if stage.Since.After(at) {
		stage.Since = time.Time{}
	}
	switch {
	case i+1 < len(keys):
		stage.Until = signsFrom(keys[i+1])
	case rotateEvery > 0:
		stage.Until = signsFrom(keys[i]).Add(rotateEvery) // the next key is made publishFor before
	}
	if !stage.Until.After(at) {
		stage.Until = time.Time{} // the rotation is overdue
	}
	return stage
}
