package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/project"
	"github.com/spf13/cobra"
)

func (a *app) rebuildTrainingSetCommand() *cobra.Command {
	var o project.RebuildOptions
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
			if err := checkOut(cmd, o.Out); err != nil {
				return err
			}
			rebuild := func(p *project.Project) error { return a.rebuildTrainingSet(cmd.Context(), p, args[0], o) }
			return a.withLocks(cmd.Context(), rebuild, args[0])
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Out, "out", "", "Parquet file to write; the lock goes beside it")
	flags.BoolVar(&o.Overwrite, "overwrite", false, "overwrite the training set itself or an earlier rebuild of it")
	flags.BoolVar(&o.Anyway, "anyway", false, "write the file even if its content differs, without a lock")
	_ = cmd.MarkFlagFilename("out", "parquet")
	a.engineFlags(cmd)
	return cmd
}

// checkOut checks the name of a file that a training set is written to.
func checkOut(cmd *cobra.Command, out string) error {
	switch {
	case out == "":
		return usagef(cmd, "--out is missing: the Parquet file to write")
	case filepath.Ext(out) != ".parquet" || filepath.Base(out) == ".parquet":
		return usagef(nil, "--out %s: a training set is a Parquet file", out).WithHint("give it a name that ends in .parquet")
	}
	return nil
}

func (a *app) rebuildTrainingSet(ctx context.Context, p *project.Project, arg string, o project.RebuildOptions) error {
	progress := a.progress()
	o.Progress = func(p offline.Progress) { progress.percent(p.Stage, p.Done) }
	r, err := p.RebuildTrainingSet(ctx, arg, o)
	progress.clear()
	if err != nil {
		return asFlags(err)
	}
	if err := a.printRebuilt(r); err != nil || r.Same {
		return err
	}
	return exitCode(statusCheck)
}

func (a *app) printRebuilt(r *project.RebuiltSet) error {
	if a.json() {
		return a.printJSON(r)
	}
	t := newTable("CHECK", "RESULT", "WHAT")
	for _, in := range r.Inputs {
		if in.State != offline.Unchanged && in.State != offline.Appeared {
			t.row("input", string(in.State), inputText(in))
		}
	}
	rebuiltRows(t, r.Rebuilt)
	if err := t.print(a.stdout); err != nil {
		return err
	}
	switch {
	case r.Out == "":
		fmt.Fprintf(a.stdout, "Training set %s comes out different: nothing was written.\n", r.Name)
		fmt.Fprintln(a.stderr, "hint: --anyway writes it all the same")
	case r.Same:
		fmt.Fprintf(a.stdout, "Training set %s again: %s.\n  %s\n  %s\n", r.Name, english.Count(int(r.Rows), "row"), project.ShortPath(r.Out), project.ShortPath(r.LockFile))
	default:
		fmt.Fprintf(a.stdout, "Training set %s comes out different: %s.\n  %s\n", r.Name, english.Count(int(r.Rows), "row"), project.ShortPath(r.Out))
	}
	return nil
}
