package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/internal/terminal"
	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/offline/trainset"
	"github.com/fstore-dev/fstore/project"
	"github.com/spf13/cobra"
)

func (a *app) verifyTrainingSetCommand() *cobra.Command {
	var o project.VerifySetOptions
	cmd := &cobra.Command{
		Use:   "verify NAME|LOCKFILE",
		Short: "Check a training set against its lock",
		Long: `Check a training set against its lock: are the inputs unchanged, is its own file unchanged, and does a rebuild give the
same content? It also repeats the check for leaks. The exit status is 4 if an input has changed or vanished and no
snapshot has it, if the training set's own file has changed, if the rebuild differs, or if a view sees the future.

A lock file is enough; no registry and no definitions are needed. New files in a source and files that have moved are
listed and do not count as failures.`,
		Example: "  fstore training-set verify churn_2025\n  fstore training-set verify churn.lock.json --no-rebuild\n  fstore training-set verify churn_2025 --output json",
		Args:    usage.Args(cobra.ExactArgs(1)), ValidArgsFunction: a.completeLocks,
		RunE: func(cmd *cobra.Command, args []string) error {
			verify := func(p *project.Project) error { return a.verifyTrainingSet(cmd.Context(), p, args[0], o) }
			return a.withLocks(cmd.Context(), verify, args[0])
		},
	}
	cmd.Flags().BoolVar(&o.NoRebuild, "no-rebuild", false, "check the files only")
	cmd.Flags().BoolVar(&o.Rehash, "rehash", false, "read every input again, even if its size and times are unchanged")
	a.engineFlags(cmd)
	return cmd
}

func (a *app) verifyTrainingSet(ctx context.Context, p *project.Project, arg string, o project.VerifySetOptions) error {
	progress := a.progress()
	o.Progress = func(p trainset.Progress) { progress.Percent(p.Stage, p.Done) }
	v, err := p.VerifyTrainingSet(ctx, arg, o)
	progress.Clear()
	if err != nil {
		return err
	}
	if err := a.printLockVerified(v); err != nil || v.OK {
		return err
	}
	return exitCode(statusCheck)
}

func (a *app) printLockVerified(v *project.VerifiedSet) error {
	if a.json() {
		return a.printJSON(v)
	}
	t := terminal.NewTable("CHECK", "RESULT", "WHAT")
	unchanged := 0
	for _, in := range v.Inputs {
		if in.State == trainset.Unchanged {
			unchanged++
		}
	}
	t.Row("inputs", fmt.Sprintf("%d of %s unchanged", unchanged, english.Count(len(v.Inputs)-appeared(v.Inputs), "file")))
	for _, in := range v.Inputs {
		if in.State != trainset.Unchanged {
			t.Row("", string(in.State), inputText(in))
		}
	}
	t.Row("file", string(v.File.State), project.ShortPath(v.File.Path))
	if v.LockFile != nil {
		t.Row("lock", string(v.LockFile.State), project.ShortPath(v.LockFile.Path))
	}
	switch {
	case v.Problem != "":
		t.Row("rebuild", "impossible", v.Problem)
	case v.Rebuild != nil:
		rebuiltRows(t, v.Rebuild)
	}
	for _, c := range v.Causality {
		t.Row("leaks", string(c.Result), c.String())
	}
	if err := t.Print(a.stdout); err != nil {
		return err
	}
	if v.File.State == trainset.Vanished {
		a.hint("if it was moved with its lock, name the lock instead: …/" + filepath.Base(lock.Path(v.File.Path)))
	}
	matches := map[bool]string{true: "matches", false: "does not match"}[v.OK]
	fmt.Fprintf(a.stdout, "Training set %s %s its lock.\n", v.Name, matches)
	return nil
}

func appeared(inputs []trainset.Input) int {
	n := 0
	for _, in := range inputs {
		if in.State == trainset.Appeared {
			n++
		}
	}
	return n
}

func inputText(in trainset.Input) string {
	text := "labels "
	switch in.Source {
	case "":
	case lock.ServedLog:
		text = in.Source + " "
	default:
		text = "source " + in.Source + " "
	}
	text += project.ShortPath(in.Path)
	if in.Found != "" {
		text += " to " + project.ShortPath(in.Found)
	}
	if in.InSnapshot && in.Found == "" {
		text += " (the snapshot has it)"
	}
	return text
}

// rebuiltRows prints how a rebuilt training set compares.
func rebuiltRows(t *terminal.Table, r *trainset.Rebuilt) {
	switch {
	case r.Same && r.SameBytes:
		t.Row("rebuild", "same", "content and bytes")
	case r.Same:
		t.Row("rebuild", "same", "content; other bytes, made by fstore "+r.Build.Fstore+", DuckDB "+r.Build.DuckDB+" on "+r.Build.Platform)
	case r.BuildChanged != "":
		t.Row("rebuild", "build changed", r.BuildChanged)
	default:
		t.Row("rebuild", "different", english.Count(len(r.Columns), "column"))
	}
	for _, c := range r.Columns {
		t.Row("", c.Name, c.What)
	}
	for _, s := range r.Settings {
		t.Row("", "setting", s)
	}
}
