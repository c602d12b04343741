package project

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/offline/trainset"
	"github.com/fstore-dev/fstore/regular"
)

// VerifySetOptions say how to verify a training set.
type VerifySetOptions struct {
	NoRebuild bool                    // check only the files
	Rehash    bool                    // read every input again, even if its size and times are unchanged
	Progress  func(trainset.Progress) // nil: no progress
}

// VerifiedSet is the result of verifying a training set, in the order of the checks.
type VerifiedSet struct {
	Name      string            `json:"name"`
	OK        bool              `json:"ok"`
	Inputs    []trainset.Input  `json:"inputs"`
	File      FileState         `json:"file"`
	LockFile  *FileState        `json:"lock_file,omitempty"` // if the registry has the lock
	Causality []VerifiedVerdict `json:"causality,omitempty"` // of the views that have SQL; absent without a rebuild
	Rebuild   *trainset.Rebuilt `json:"rebuild,omitempty"`
	Problem   string            `json:"problem,omitempty"` // why the training set cannot be rebuilt
}

// FileState is a file and whether it has changed.
type FileState struct {
	Path  string              `json:"path"`
	State trainset.InputState `json:"state"` // unchanged, changed or vanished
}

// VerifyTrainingSet checks a training set, given by its name or lock, against its lock: whether its inputs are
// unchanged, whether its own file is, and whether a rebuild gives the same content and the check for leaks the same verdicts. A difference is a finding, not an
// error. It returns ErrCheck if the lock was changed after it was written. A result beside an error has the findings
// up to the error.
func (p *Project) VerifyTrainingSet(ctx context.Context, arg string, o VerifySetOptions) (*VerifiedSet, error) {
	set, err := p.LockedSet(ctx, arg)
	if errors.Is(err, fstore.ErrCorrupt) {
		return nil, failedCheck{err}
	}
	if err != nil {
		return nil, err
	}
	engine, err := p.openedEngine()
	if err != nil {
		return nil, err
	}
	if err := p.checkLock(ctx, engine, set); err != nil {
		return nil, err
	}
	v := &VerifiedSet{Name: set.Lock.Name, OK: true}
	where := p.search(set)
	where.Rehash = o.Rehash
	if v.Inputs, err = trainset.FindInputs(ctx, engine, set.Lock, where); err != nil {
		return nil, fmt.Errorf("training set %s: %w", v.Name, err)
	}
	for i := range v.Inputs {
		v.OK = v.OK && !v.Inputs[i].Lost()
	}
	if v.File, err = set.fileState(ctx); err != nil {
		return nil, err
	}
	v.OK = v.OK && v.File.State == trainset.Unchanged
	if set.Record != nil {
		if v.LockFile, err = set.lockState(); err != nil {
			return nil, err
		}
		v.OK = v.OK && v.LockFile.State == trainset.Unchanged
	}
	if o.NoRebuild {
		return v, nil
	}
	return v, p.rebuildToVerify(ctx, engine, set, v, o.Progress)
}

// failedCheck makes an error the result of a check.
type failedCheck struct{ error }

func (e failedCheck) Unwrap() []error { return []error{e.error, fstore.ErrCheck} }

// rebuildToVerify rebuilds the training set. Missing inputs, or inputs that no longer fit, are a finding.
func (p *Project) rebuildToVerify(ctx context.Context, engine *offline.Engine, set *LockedSet, v *VerifiedSet, progress func(trainset.Progress)) error {
	original := ""
	if v.File.State == trainset.Unchanged {
		original = v.File.Path
	}
	req := trainset.RebuildRequest{Lock: set.Lock, Inputs: v.Inputs, Original: original, Now: p.now(), Progress: progress}
	if set.Lock.Computed() {
		req.Check = repeatCheck(engine, set.Lock, v)
	}
	var err error
	if req.Hash, err = p.keyHash(set.Lock.Served); err != nil {
		return err
	}
	v.Rebuild, err = trainset.Rebuild(ctx, engine, req)
	switch {
	case err == nil:
		v.OK = v.OK && (v.Rebuild.Same || v.Rebuild.BuildChanged != "")
	case errors.Is(err, fstore.ErrNotFound), errors.Is(err, fstore.ErrInvalid):
		v.OK = false
		v.Problem, _ = fstore.Explain(err)
	default:
		return err
	}
	return nil
}

// fileState compares the file of a training set with its lock.
func (set *LockedSet) fileState(ctx context.Context) (FileState, error) {
	f := FileState{set.Out, trainset.Unchanged}
	same, err := trainset.HasContent(ctx, set.Lock.Output.File, set.Out)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.State = trainset.Vanished
	case err != nil:
		return f, fmt.Errorf("training set %s: %w", set.Lock.Name, err)
	case !same:
		f.State = trainset.Changed
	}
	return f, nil
}

// lockState compares the lock beside a training set with the one in the registry.
func (set *LockedSet) lockState() (*FileState, error) {
	f := &FileState{set.File, trainset.Unchanged}
	text, err := regular.Read(set.File, lock.MaxBytes)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.State = trainset.Vanished
	case err != nil:
		return nil, fmt.Errorf("training set %s: %w", set.Lock.Name, err)
	case !bytes.Equal(bytes.TrimSpace(text), bytes.TrimSpace(set.Text)):
		f.State = trainset.Changed
	}
	return f, nil
}
