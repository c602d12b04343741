package project

import (
	"context"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/offline/trainset"
	"github.com/fstore-dev/fstore/regular"
)

// verdicts are the verdicts of checks for leaks, kept in the state folder: as long as nothing has changed that a check
// reads, it need not run again. If only files have come, it need not compute again what was known before their first row.
type verdicts struct {
	file    string // empty: nothing is kept
	digests *trainset.Digests
	kept    []keptVerdict // those of the file, then those of this run
	dirty   bool
}

// keptVerdict is a verdict without a leak.
type keptVerdict struct {
	Key     verdictKey          `json:"key"`
	Until   *time.Time          `json:"until,omitempty"` // as asked for
	Whole   *time.Time          `json:"whole,omitempty"` // from here on, Until makes no difference
	Files   offline.SourceFiles `json:"-"`               // see verdictFile
	Asked   int                 `json:"asked"`           // instants that were asked for
	Verdict lock.Causality      `json:"verdict"`
	Cuts    []offline.CutDigest `json:"cuts,omitempty"`

	fresh bool // not in the file yet
}

// verdictKey is everything that a verdict depends on, apart from the files, the labels and the number of instants.
type verdictKey struct {
	Fingerprint string     `json:"fingerprint"`
	Build       string     `json:"build"`
	AsOf        *time.Time `json:"as_of,omitempty"`
	Read        bool       `json:"read,omitempty"`
}

// Bounds of the file of verdicts.
const (
	mostCuts         = 1_000 // of a verdict
	maxVerdictsBytes = 16 << 20
)

// verdicts loads the verdicts that are kept.
func (p *Project) verdicts(digests *trainset.Digests) *verdicts {
	v := &verdicts{digests: digests}
	if p.Settings.State != "" {
		v.file = filepath.Join(p.Settings.State, "causality.json")
	}
	v.kept = v.load()
	return v
}

// load reads the file. A file that cannot be read counts as empty.
func (v *verdicts) load() (kept []keptVerdict) {
	text, err := regular.Read(v.file, maxVerdictsBytes)
	if err != nil {
		return nil
	}
	return decodeVerdicts(text)
}

// find looks for a verdict that answers a request. If the files are those of a verdict and others have come, or if it
// answers another request, find returns the digests of what it computed, and the files that have come.
func (v *verdicts) find(ctx context.Context, key verdictKey, until *time.Time, instants int, files offline.SourceFiles) (answer *lock.Causality, known []offline.CutDigest, added []string) {
	for i := len(v.kept) - 1; i >= 0 && files != nil; i-- {
		k := &v.kept[i]
		if !reflect.DeepEqual(k.Key, key) {
			continue
		}
		come, same := v.compare(ctx, k.Files, files)
		if !same {
			continue
		}
		if len(come) == 0 && k.answers(until, instants) {
			found := k.Verdict
			return &found, nil, nil
		}
		if known == nil {
			known, added = k.Cuts, come
		}
	}
	return nil, known, added
}

// answers reports whether a verdict answers a request over the same files: at as many instants or more, of the same
// candidates.
func (k *keptVerdict) answers(until *time.Time, instants int) bool {
	whole := func(t *time.Time) bool { return t == nil || k.Whole == nil || !t.Before(*k.Whole) }
	if !reflect.DeepEqual(k.Until, until) && !(whole(k.Until) && whole(until)) {
		return false
	}
	return k.Asked == offline.AllInstants || k.Verdict.Instants == k.Verdict.Candidates || instants > 0 && instants <= k.Asked
}

// keep remembers a verdict in place of an earlier one that answers the same requests.
func (v *verdicts) keep(k keptVerdict) {
	if k.Files == nil || v.file == "" {
		return
	}
	if len(k.Cuts) > mostCuts {
		k.Cuts = nil
	}
	k.fresh = true
	v.kept, v.dirty = append(slices.DeleteFunc(v.kept, k.replaces), k), true
}

func (k *keptVerdict) replaces(old keptVerdict) bool {
	return reflect.DeepEqual(old.Key, k.Key) && reflect.DeepEqual(old.Until, k.Until)
}

// saveVerdicts saves verdicts. If that fails, it warns once, and the next command checks again.
func (p *Project) saveVerdicts(v *verdicts) {
	if err := v.save(); err != nil {
		p.warn("cannot keep the verdicts of the check for leaks, so the next command checks again: %v", err)
		v.file = ""
	}
}

// save writes the verdicts, and the digests of their files that have become known. It keeps what other processes have
// saved meanwhile.
func (v *verdicts) save() error {
	for i := range v.kept {
		v.dirty = v.learn(&v.kept[i]) || v.dirty
	}
	if !v.dirty || v.file == "" {
		return nil
	}
	all := v.load()
	for _, k := range v.kept {
		if k.fresh {
			all = append(slices.DeleteFunc(all, k.replaces), k)
		}
	}
	text, err := encodeVerdicts(all, maxVerdictsBytes)
	if err == nil {
		err = regular.Replace(v.file, text)
	}
	v.dirty = err != nil
	return err
}
