package main

import (
	"context"
	"fmt"

	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/internal/terminal"
	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/offline/trainset"
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
		Args:    usage.Args(cobra.ExactArgs(1)), ValidArgsFunction: a.completeLocks,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.Out == "" {
				return usage.Errorf(cmd, "--out is missing: the Parquet file to write")
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

func (a *app) rebuildTrainingSet(ctx context.Context, p *project.Project, arg string, o project.RebuildOptions) error {
	progress := a.progress()
	o.Progress = func(p trainset.Progress) { progress.Percent(p.Stage, p.Done) }
	r, err := p.RebuildTrainingSet(ctx, arg, o)
	progress.Clear()
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
	t := terminal.NewTable("CHECK", "RESULT", "WHAT")
	for _, in := range r.Inputs {
		if in.State != trainset.Unchanged && in.State != trainset.Appeared {
			t.Row("input", string(in.State), inputText(in))
		}
	}
	rebuiltRows(t, r.Rebuilt)
	if err := t.Print(a.stdout); err != nil {
		return err
	}
	switch {
	case r.Out == "":
		fmt.Fprintf(a.stdout, "The rebuild of training set %s differs: nothing was written.\n", r.Name)
		a.hint("--anyway writes it nevertheless")
	case r.Same:
		fmt.Fprintf(a.stdout, "Rebuilt training set %s: %s.\n  %s\n  %s\n", r.Name, english.Count(int(r.Rows), "row"), project.ShortPath(r.Out), project.ShortPath(r.LockPath))
	default:
		fmt.Fprintf(a.stdout, "The rebuild of training set %s differs: %s.\n  %s\n", r.Name, english.Count(int(r.Rows), "row"), project.ShortPath(r.Out))
	}
	return nil
}
