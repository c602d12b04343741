package project

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/trainset"
)

// RebuildOptions say how to rebuild a training set.
type RebuildOptions struct {
	Out       string                  // Parquet file to write, relative to the working directory; its lock is written beside it
	Overwrite bool                    // overwrite the training set itself, or an earlier rebuild of it
	Anyway    bool                    // write the file, without a lock, even if its content differs from the lock
	Progress  func(trainset.Progress) // nil: no progress
}

// RebuiltSet is a rebuilt training set and its inputs.
type RebuiltSet struct {
	Name   string           `json:"name"`
	Inputs []trainset.Input `json:"inputs"`
	*trainset.Rebuilt
}

// RebuildTrainingSet makes a training set, given by its name or lock, again from the definitions and files in its
// lock. If its content differs, it writes nothing unless Anyway is set, and Same is false.
func (p *Project) RebuildTrainingSet(ctx context.Context, arg string, o RebuildOptions) (*RebuiltSet, error) {
	if err := checkOut(o.Out); err != nil {
		return nil, about("out", err)
	}
	set, err := p.LockedSet(ctx, arg)
	if err != nil {
		return nil, err
	}
	if err := o.outIsFree(set); err != nil {
		return nil, about("out", err)
	}
	req := trainset.RebuildRequest{Lock: set.Lock, Text: set.Text, Now: p.now(), Progress: o.Progress}
	if o.Anyway {
		req.Mismatch = trainset.WriteMismatch
	}
	if req.Out, err = filepath.Abs(o.Out); err != nil {
		return nil, about("out", fmt.Errorf("%s: %w", o.Out, err))
	}
	engine, err := p.openedEngine()
	if err != nil {
		return nil, err
	}
	if err := p.checkLock(ctx, engine, set); err != nil {
		return nil, err
	}
	if req.Hash, err = p.keyHash(set.Lock.Served); err != nil {
		return nil, err
	}
	if req.Inputs, err = trainset.FindInputs(ctx, engine, set.Lock, p.search(set)); err != nil {
		return nil, fmt.Errorf("training set %s: %w", set.Lock.Name, err)
	}
	r, err := trainset.Rebuild(ctx, engine, req)
	if err != nil {
		return nil, err
	}
	return &RebuiltSet{set.Lock.Name, req.Inputs, r}, nil
}

// outIsFree refuses to overwrite any file but the training set itself, and that too unless Overwrite is set.
func (o *RebuildOptions) outIsFree(set *LockedSet) error {
	_, err := os.Lstat(o.Out)
	there := !errors.Is(err, fs.ErrNotExist)
	beside, err := lockBeside(o.Out)
	switch {
	case err != nil:
		return err
	case !there && (beside == nil || set.isLockedBy(beside)):
		return nil
	case !there:
		return fstore.Errorf(fstore.ErrConflict, "%s: its lock would replace that of training set %s", o.Out, beside.Name).WithHint("name a new file")
	case beside == nil || !set.isLockedBy(beside):
		return fstore.Errorf(fstore.ErrConflict, "%s is there already, and is not this training set: the lock beside it is not", o.Out).
			WithHint("name a new file, or remove it")
	case !o.Overwrite:
		return fstore.Errorf(fstore.ErrConflict, "%s is there already", o.Out).WithHint("name a new file, or pass --overwrite to replace it")
	}
	return nil
}
