package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/regular"
	"github.com/spf13/cobra"
)

func (a *app) verifyTrainingSetCommand() *cobra.Command {
	var f lockVerifyFlags
	cmd := &cobra.Command{
		Use:   "verify NAME|LOCKFILE",
		Short: "Check a training set against its lock",
		Long: `Check a training set against its lock: are the inputs unchanged, is its own file unchanged, and does a rebuild give the
same content? The exit status is 4 if an input has changed or vanished and no snapshot has it, if the training set's own
file has changed, or if the rebuild differs.

A lock file is enough; no registry and no definitions are needed. New files in a source and files that have moved are
listed and do not count as failures.`,
		Example: "  fstore training-set verify churn_2025\n  fstore training-set verify churn.lock.json --no-rebuild\n  fstore training-set verify churn_2025 --output json",
		Args:    args(cobra.ExactArgs(1)), ValidArgsFunction: a.completeLocks,
		RunE: func(cmd *cobra.Command, args []string) error { return a.verifyTrainingSet(cmd.Context(), args[0], &f) },
	}
	cmd.Flags().BoolVar(&f.noRebuild, "no-rebuild", false, "check the files only")
	cmd.Flags().BoolVar(&f.rehash, "rehash", false, "read every input again, even if its size and times are unchanged")
	a.engineFlags(cmd)
	return cmd
}

// failedCheck makes an error the outcome of a check.
type failedCheck struct{ error }

func (e failedCheck) Unwrap() []error { return []error{e.error, errCheck} }

type lockVerifyFlags struct{ noRebuild, rehash bool }

// verified is what verify found, in the order in which it looked.
type verified struct {
	Name     string           `json:"name"`
	OK       bool             `json:"ok"`
	Inputs   []offline.Input  `json:"inputs"`
	File     fileState        `json:"file"`
	LockFile *fileState       `json:"lock_file,omitempty"` // of one that the registry has a lock of
	Rebuild  *offline.Rebuilt `json:"rebuild,omitempty"`
	Problem  string           `json:"problem,omitempty"` // why it cannot be made again
}

// fileState is a file and whether it is what it was.
type fileState struct {
	Path  string             `json:"path"`
	State offline.InputState `json:"state"` // unchanged, changed or vanished
}

func (a *app) verifyTrainingSet(ctx context.Context, arg string, f *lockVerifyFlags) error {
	set, err := a.lockedSet(ctx, arg)
	if errors.Is(err, fstore.ErrCorrupt) {
		return failedCheck{err}
	}
	if err != nil {
		return err
	}
	engine, err := a.openEngine(set.settings)
	if err != nil {
		return err
	}
	defer engine.Close()
	if err := set.check(ctx, engine); err != nil {
		return err
	}
	v := &verified{Name: set.lock.Name, OK: true}
	where := set.search()
	where.Rehash = f.rehash
	if v.Inputs, err = engine.Inputs(ctx, set.lock, where); err != nil {
		return fmt.Errorf("training set %s: %w", v.Name, err)
	}
	for i := range v.Inputs {
		v.OK = v.OK && !v.Inputs[i].Lost()
	}
	if v.File, err = stateOf(ctx, engine, set); err != nil {
		return err
	}
	v.OK = v.OK && v.File.State == offline.Unchanged
	if set.record != nil {
		if v.LockFile, err = lockState(set); err != nil {
			return err
		}
		v.OK = v.OK && v.LockFile.State == offline.Unchanged
	}
	if !f.noRebuild {
		if err := a.rebuildToVerify(ctx, engine, set, v); err != nil {
			return err
		}
	}
	if err := a.printLockVerified(v); err != nil || v.OK {
		return err
	}
	return exitCode(statusCheck)
}

// rebuildToVerify makes the training set again. That its inputs are not there, or do not fit any more, is a finding.
func (a *app) rebuildToVerify(ctx context.Context, engine *offline.Engine, set *lockedSet, v *verified) error {
	progress := a.progress()
	defer progress.clear()
	original := ""
	if v.File.State == offline.Unchanged {
		original = v.File.Path
	}
	var err error
	v.Rebuild, err = engine.Rebuild(ctx, offline.RebuildRequest{
		Lock: set.lock, Inputs: v.Inputs, Original: original, Now: a.now(), Progress: func(p offline.Progress) { progress.percent(p.Stage, p.Done) },
	})
	switch {
	case err == nil:
		v.OK = v.OK && v.Rebuild.Same
	case errors.Is(err, fstore.ErrNotFound), errors.Is(err, fstore.ErrInvalid):
		v.OK = false
		v.Problem, _ = explain(err)
	default:
		return err
	}
	return nil
}

// stateOf says whether a training set's file is what its lock says.
func stateOf(ctx context.Context, engine *offline.Engine, set *lockedSet) (fileState, error) {
	f := fileState{set.out, offline.Unchanged}
	same, err := engine.SameFile(ctx, set.lock.Output.LockFile, set.out)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.State = offline.Vanished
	case err != nil:
		return f, fmt.Errorf("training set %s: %w", set.lock.Name, err)
	case !same:
		f.State = offline.Changed
	}
	return f, nil
}

// lockState says whether the lock beside a training set is the one that the registry has.
func lockState(set *lockedSet) (*fileState, error) {
	f := &fileState{set.file, offline.Unchanged}
	text, err := regular.Read(set.file, offline.MaxLock)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.State = offline.Vanished
	case err != nil:
		return nil, fmt.Errorf("training set %s: %w", set.lock.Name, err)
	case !bytes.Equal(bytes.TrimSpace(text), bytes.TrimSpace(set.text)):
		f.State = offline.Changed
	}
	return f, nil
}

func (a *app) printLockVerified(v *verified) error {
	if a.json() {
		return a.printJSON(v)
	}
	t := newTable("CHECK", "RESULT", "WHAT")
	unchanged := 0
	for _, in := range v.Inputs {
		if in.State == offline.Unchanged {
			unchanged++
		}
	}
	t.row("inputs", fmt.Sprintf("%d of %s unchanged", unchanged, count(len(v.Inputs)-appeared(v.Inputs), "file")))
	for _, in := range v.Inputs {
		if in.State != offline.Unchanged {
			t.row("", string(in.State), inputText(in))
		}
	}
	t.row("file", string(v.File.State), shortPath(v.File.Path))
	if v.LockFile != nil {
		t.row("lock", string(v.LockFile.State), shortPath(v.LockFile.Path))
	}
	switch {
	case v.Problem != "":
		t.row("rebuild", "impossible", v.Problem)
	case v.Rebuild != nil:
		rebuiltRows(t, v.Rebuild)
	}
	if err := t.print(a.stdout); err != nil {
		return err
	}
	if v.File.State == offline.Vanished {
		fmt.Fprintf(a.stderr, "hint: if it was moved with its lock, name the lock instead: …/%s\n", filepath.Base(lockPath(v.File.Path)))
	}
	if v.OK {
		fmt.Fprintf(a.stdout, "Training set %s is what its lock says.\n", v.Name)
	} else {
		fmt.Fprintf(a.stdout, "Training set %s is not what its lock says.\n", v.Name)
	}
	return nil
}

func appeared(inputs []offline.Input) int {
	n := 0
	for _, in := range inputs {
		if in.State == offline.Appeared {
			n++
		}
	}
	return n
}

func inputText(in offline.Input) string {
	text := "labels "
	if in.Source != "" {
		text = "source " + in.Source + " "
	}
	text += shortPath(in.Path)
	if in.Found != "" {
		text += " to " + shortPath(in.Found)
	}
	if in.Kept && in.Found == "" {
		text += " (the snapshot has it)"
	}
	return text
}

// rebuiltRows says how a training set that was made again compares.
func rebuiltRows(t *table, r *offline.Rebuilt) {
	switch {
	case r.Same && r.SameBytes:
		t.row("rebuild", "same", "content and bytes")
	case r.Same:
		t.row("rebuild", "same", "content; other bytes, made by fstore "+r.Build.Fstore+", DuckDB "+r.Build.DuckDB+" on "+r.Build.Platform)
	default:
		t.row("rebuild", "different", count(len(r.Columns), "column"))
	}
	for _, c := range r.Columns {
		t.row("", c.Name, c.What)
	}
	for _, s := range r.Settings {
		t.row("", "setting", s)
	}
}
