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

// VerifySetOptions say how a training set is verified.
type VerifySetOptions struct {
	NoRebuild bool                    // look at the files alone
	Rehash    bool                    // read every input again, though its size and times are what they were
	Progress  func(trainset.Progress) // nil: nobody looks
}

// VerifiedSet is what a verification of a training set found, in the order in which it looked.
type VerifiedSet struct {
	Name     string            `json:"name"`
	OK       bool              `json:"ok"`
	Inputs   []trainset.Input  `json:"inputs"`
	File     FileState         `json:"file"`
	LockFile *FileState        `json:"lock_file,omitempty"` // of one that the registry has a lock of
	Rebuild  *trainset.Rebuilt `json:"rebuild,omitempty"`
	Problem  string            `json:"problem,omitempty"` // why it cannot be made again
}

// FileState is a file and whether it is what it was.
type FileState struct {
	Path  string              `json:"path"`
	State trainset.InputState `json:"state"` // unchanged, changed or vanished
}

// VerifyTrainingSet checks a training set, by its name or lock, against its lock: whether the files that it was made from
// are unchanged, whether its own file is, and whether making it again gives the same content. That something is not as
// the lock says is a finding, not an error. ErrCheck: the lock was changed after it was written. A
// result beside an error says what was found before it.
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

// failedCheck makes an error the outcome of a check.
type failedCheck struct{ error }

func (e failedCheck) Unwrap() []error { return []error{e.error, fstore.ErrCheck} }

// rebuildToVerify makes the training set again. That its inputs are not there, or do not fit any more, is a finding.
func (p *Project) rebuildToVerify(ctx context.Context, engine *offline.Engine, set *LockedSet, v *VerifiedSet, progress func(trainset.Progress)) error {
	original := ""
	if v.File.State == trainset.Unchanged {
		original = v.File.Path
	}
	var err error
	v.Rebuild, err = trainset.Rebuild(ctx, engine, trainset.RebuildRequest{Lock: set.Lock, Inputs: v.Inputs, Original: original, Now: p.now(), Progress: progress})
	switch {
	case err == nil:
		v.OK = v.OK && v.Rebuild.Same
	case errors.Is(err, fstore.ErrNotFound), errors.Is(err, fstore.ErrInvalid):
		v.OK = false
		v.Problem, _ = fstore.Explain(err)
	default:
		return err
	}
	return nil
}

// fileState says whether a training set's file is what its lock says.
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

// lockState says whether the lock beside a training set is the one that the registry has.
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
