package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline"
	"github.com/spf13/cobra"
)

func (a *app) rebuildTrainingSetCommand() *cobra.Command {
	var f rebuildFlags
	cmd := &cobra.Command{
		Use:   "rebuild NAME|LOCKFILE",
		Short: "Rebuild a training set from its lock",
		Long: `Rebuild a training set from the definitions and files in its lock, whatever the registry and the sources hold now. A
lock file is enough; no registry is needed. The same build on the same platform gives the same bytes. Another one gives
the same content.

A file that has moved is found if its source's path matches it, or if it moved together with the training set. A file
that has changed or vanished is read from the snapshot (training-set create --snapshot). The result is compared with
the lock. If its content differs, rebuild writes nothing, names the columns, and exits with status 4.`,
		Example: "  fstore training-set rebuild churn_2025 --out again.parquet\n  fstore training-set rebuild churn.lock.json --out churn.parquet --overwrite",
		Args:    args(cobra.ExactArgs(1)), ValidArgsFunction: a.completeLocks,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkOut(cmd, f.out); err != nil {
				return err
			}
			return a.rebuildTrainingSet(cmd.Context(), args[0], &f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.out, "out", "", "Parquet file to write; the lock goes beside it")
	flags.BoolVar(&f.overwrite, "overwrite", false, "overwrite the training set itself or an earlier rebuild of it")
	flags.BoolVar(&f.anyway, "anyway", false, "write the file even if its content differs, without a lock")
	_ = cmd.MarkFlagFilename("out", "parquet")
	a.engineFlags(cmd)
	return cmd
}

type rebuildFlags struct {
	out               string
	overwrite, anyway bool
}

// checkOut checks the name of a file that a training set is written to.
func checkOut(cmd *cobra.Command, out string) error {
	switch {
	case out == "":
		return usagef(cmd, "--out is missing: the Parquet file to write")
	case !strings.HasSuffix(out, parquetSuffix) || filepath.Base(out) == parquetSuffix:
		return &usageError{message: fmt.Sprintf("--out %s: a training set is a Parquet file", out), hint: "give it a name that ends in " + parquetSuffix}
	}
	return nil
}

func (a *app) rebuildTrainingSet(ctx context.Context, arg string, f *rebuildFlags) error {
	set, err := a.lockedSet(ctx, arg)
	if err != nil {
		return err
	}
	if err := f.outIsFree(set); err != nil {
		return err
	}
	req := offline.RebuildRequest{Lock: set.lock, Text: set.text, Now: a.now()}
	if f.anyway {
		req.Anyway = offline.EvenOther
	}
	if req.Out, err = filepath.Abs(f.out); err != nil {
		return fmt.Errorf("--out %s: %w", f.out, err)
	}
	engine, err := a.openEngine(set.settings)
	if err != nil {
		return err
	}
	defer engine.Close()
	if err := set.check(ctx, engine); err != nil {
		return err
	}
	if req.Inputs, err = engine.Inputs(ctx, set.lock, set.search()); err != nil {
		return fmt.Errorf("training set %s: %w", set.lock.Name, err)
	}
	progress := a.progress()
	req.Progress = func(p offline.Progress) { progress.percent(p.Stage, p.Done) }
	r, err := engine.Rebuild(ctx, req)
	progress.clear()
	if err != nil {
		return err
	}
	if err := a.printRebuilt(set, req.Inputs, r); err != nil || r.Same {
		return err
	}
	return exitCode(statusCheck)
}

// outIsFree refuses to write over anything but the training set itself, and over that unless it was asked for.
func (f *rebuildFlags) outIsFree(set *lockedSet) error {
	_, err := os.Lstat(f.out)
	there := !errors.Is(err, fs.ErrNotExist)
	beside, err := lockBeside(f.out)
	switch {
	case err != nil:
		return err
	case !there && (beside == nil || set.isLockedBy(beside)):
		return nil
	case !there:
		return fstore.Errorf(fstore.ErrConflict, "--out %s: its lock would replace that of training set %s", f.out, beside.Name).WithHint("name a new file")
	case beside == nil || !set.isLockedBy(beside):
		return fstore.Errorf(fstore.ErrConflict, "--out %s is there already, and is not this training set: the lock beside it is not", f.out).
			WithHint("name a new file, or remove it")
	case !f.overwrite:
		return fstore.Errorf(fstore.ErrConflict, "--out %s is there already", f.out).WithHint("name a new file, or --overwrite to replace it")
	}
	return nil
}

// rebuiltSet is what rebuild --output json prints.
type rebuiltSet struct {
	Name   string          `json:"name"`
	Inputs []offline.Input `json:"inputs"`
	*offline.Rebuilt
}

func (a *app) printRebuilt(set *lockedSet, inputs []offline.Input, r *offline.Rebuilt) error {
	if a.json() {
		return a.printJSON(rebuiltSet{set.lock.Name, inputs, r})
	}
	t := newTable("CHECK", "RESULT", "WHAT")
	for _, in := range inputs {
		if in.State != offline.Unchanged && in.State != offline.Appeared {
			t.row("input", string(in.State), inputText(in))
		}
	}
	rebuiltRows(t, r)
	if err := t.print(a.stdout); err != nil {
		return err
	}
	switch {
	case r.Out == "":
		fmt.Fprintf(a.stdout, "Training set %s comes out different: nothing was written.\n", set.lock.Name)
		fmt.Fprintln(a.stderr, "hint: --anyway writes it all the same")
	case r.Same:
		fmt.Fprintf(a.stdout, "Training set %s again: %s.\n  %s\n  %s\n", set.lock.Name, count(int(r.Rows), "row"), shortPath(r.Out), shortPath(r.LockFile))
	default:
		fmt.Fprintf(a.stdout, "Training set %s comes out different: %s.\n  %s\n", set.lock.Name, count(int(r.Rows), "row"), shortPath(r.Out))
	}
	return nil
}
