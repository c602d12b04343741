package materialize

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"

	"github.com/fstore-dev/fstore"
)

// Holds returns the number of keys in a generation and the first few of them, from the manifest of the run that its
// header names. known is false if the state folder does not have that run.
func Holds(state string, h fstore.Header, few int) (keys int64, some [][]byte, known bool, err error) {
	dir, read, err := runsOf(state, h.View)
	r := read.runs[h.Run]
	if err != nil || r == nil || !r.isNamedBy(&h) {
		return 0, nil, false, err
	}
	if few == 0 {
		return r.Keys, nil, true, nil
	}
	known, err = visitKeys(dir, r, func(key []byte) bool {
		some = append(some, bytes.Clone(key))
		return len(some) < few
	})
	if !known || err != nil {
		return 0, nil, false, err
	}
	return r.Keys, some, true, nil
}

// visitKeys visits the keys of a run's manifest in order, until visit returns false. intact is false if the manifest is damaged or
// gone. A key is valid until visit returns.
func visitKeys(dir string, r *run, visit func(key []byte) bool) (intact bool, err error) {
	if err := checkFile(dir, r.Manifest); err != nil {
		if errors.Is(err, fstore.ErrCorrupt) {
			return false, nil
		}
		return false, err
	}
	for key, err := range manifestKeys(dir, r.Manifest) {
		if err != nil {
			return false, err
		}
		if !visit(key) {
			break
		}
	}
	return true, nil
}

// Sample returns up to most of the keys that the last published run of a view version left in its store, each with the same
// chance, in random order. It returns none if the state folder has no such run, and ErrCorrupt if the run's manifest is damaged
// or gone. It stops reading keys when ctx ends.
func Sample(ctx context.Context, state string, ref fstore.ViewRef, most int, random *rand.Rand) ([][]byte, error) {
	dir, read, err := runsOf(state, ref)
	if err != nil {
		return nil, err
	}
	last := read.last()
	if last == nil {
		return nil, nil
	}
	var sample [][]byte
	seen := int64(0)
	intact, err := visitKeys(dir, last, func(key []byte) bool {
		seen++
		if len(sample) < most {
			sample = append(sample, bytes.Clone(key))
		} else if i := random.Int64N(seen); i < int64(most) {
			sample[i] = bytes.Clone(key)
		}
		return ctx.Err() == nil
	})
	switch {
	case err != nil:
		return nil, err
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case !intact:
		return nil, fstore.Errorf(fstore.ErrCorrupt, "the manifest of run %s is damaged or gone", last.Run)
	}
	random.Shuffle(len(sample), func(i, j int) { sample[i], sample[j] = sample[j], sample[i] })
	return sample, nil
}

// Lost says which publication of a view version the state folder knows that a store no longer shows: it went back in time.
// store is its Options.Store, and p its pointer. It returns "" if nothing is known to be lost.
func Lost(state, store string, ref fstore.ViewRef, p fstore.Pointer) (string, error) {
	_, read, err := runsOf(state, ref)
	return read.lost(store, p), err
}
