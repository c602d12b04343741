package project

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/regular"
)

// verdicts are the verdicts of checks for leaks, kept in the state folder: as long as nothing has changed that a check
// reads, it need not run again.
type verdicts struct {
	file  string // empty: nothing is kept
	kept  []keptVerdict
	dirty bool
}

type keptVerdict struct {
	Key     verdictKey     `json:"key"`
	Asked   int            `json:"asked"` // instants that were asked for
	Verdict lock.Causality `json:"verdict"`
}

// verdictKey is everything that a verdict depends on, apart from the number of instants.
type verdictKey struct {
	Fingerprint string     `json:"fingerprint"`
	Inputs      string     `json:"inputs"` // identifies the engine and the content of all files; empty: unknown, so nothing is kept
	Build       string     `json:"build"`
	AsOf        *time.Time `json:"as_of,omitempty"`
	Read        bool       `json:"read,omitempty"`
}

// Bounds of the file of verdicts.
const (
	mostVerdicts     = 10_000
	maxVerdictsBytes = 16 << 20
)

// verdicts loads the verdicts that are kept. A file that cannot be read counts as empty.
func (p *Project) verdicts() *verdicts {
	v := &verdicts{}
	if p.Settings.State == "" {
		return v
	}
	v.file = filepath.Join(p.Settings.State, "causality.json")
	if text, err := regular.Read(v.file, maxVerdictsBytes); err != nil || json.Unmarshal(text, &v.kept) != nil {
		v.kept = nil
	}
	return v
}

// find returns a verdict at as many instants or more; nil if none is kept.
func (v *verdicts) find(key verdictKey, instants int) *lock.Causality {
	for i := range v.kept {
		k := &v.kept[i]
		enough := k.Asked == offline.AllInstants || k.Verdict.Instants == k.Verdict.Candidates || instants > 0 && instants <= k.Asked
		if key.Inputs != "" && enough && reflect.DeepEqual(k.Key, key) {
			found := k.Verdict
			return &found
		}
	}
	return nil
}

// keep remembers a verdict in place of an earlier one of the same view.
func (v *verdicts) keep(key verdictKey, instants int, found *lock.Causality) {
	if key.Inputs == "" || v.file == "" {
		return
	}
	v.kept = slices.DeleteFunc(v.kept, func(k keptVerdict) bool { return reflect.DeepEqual(k.Key, key) })
	v.kept = append(v.kept, keptVerdict{key, instants, *found})
	v.kept, v.dirty = v.kept[max(0, len(v.kept)-mostVerdicts):], true
}

// save writes the verdicts.
func (v *verdicts) save() error {
	if !v.dirty {
		return nil
	}
	text, err := json.Marshal(v.kept)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(v.file), 0o755); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(v.file), ".causality-*")
	if err != nil {
		return err
	}
	_, err = temp.Write(text)
	err = errors.Join(err, temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), v.file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	return nil
}
