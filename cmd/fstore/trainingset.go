package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/internal/terminal"
	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/offline/trainset"
	"github.com/fstore-dev/fstore/project"
	"github.com/spf13/cobra"
)

func (a *app) trainingSetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "training-set",
		Short:   "Create, verify, rebuild and compare training sets",
		Example: "  fstore training-set create churn_2025 --service churn --labels data/labels.parquet --out churn.parquet\n  fstore training-set list",
		Args:    usage.NoCommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		a.measured(a.createTrainingSetCommand()), a.previewTrainingSetCommand(), a.listTrainingSetsCommand(), a.showTrainingSetCommand(), a.verifyTrainingSetCommand(),
		a.rebuildTrainingSetCommand(), a.diffTrainingSetsCommand(),
	)
	return cmd
}

// trainingFlags are the flags of training-set create and preview.
type trainingFlags struct {
	selection
	project.TrainingSetRequest
	labelsSQL, asOf string
	failing         string // of create
	sample, seed    int64
}

func (a *app) createTrainingSetCommand() *cobra.Command {
	var f trainingFlags
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a training set",
		Long: `Create a training set: each label with the features as they were known at its instant, as Parquet. Every label appears
once, in its order. The lock file beside it records every input. The registry records both under NAME.

Labels are a Parquet or CSV file (.csv, .tsv, also with .gz), or a query over sources and views. The column
event_timestamp, or the one that --timestamp names, holds the instant of a row. The versions in head are used, published
or not; with --model, exactly those that a model is pinned to.

--label records which column the model learns to predict. --sample N takes N of the labels, in their order. The lock
records which ones, so verify and rebuild take the same.

Before anything is written, the views that have SQL are checked on the data: they must not see the future. The exit
status is 4 if one does (docs/causality.md). The lock records the verdicts. What the definitions expect is checked too
(docs/expectations.md): the status is 4 if an expectation of severity error fails.

If NAME has a training set that was made from the same definitions, labels, data and options, and its file is intact,
create returns that one and computes nothing. If something differs, the exit status is 5, and the error lists it.

--dvc also writes FILE.dvc, by which DVC tracks the Parquet file. dvc commit then takes the file into DVC's cache.`,
		Example: `  fstore training-set create churn_2025 --service churn --labels data/labels.parquet --out churn.parquet
  fstore training-set create quick --features 'customer_orders.*,shop.share_returned=returns' --labels data/labels.parquet --out quick.parquet
  fstore training-set create orders --service churn --out orders.parquet --timestamp at \
      --labels-sql 'select customer_id, invoice_date as at from lines where customer_id is not null'
  fstore training-set create kept --service churn --labels data/labels.parquet --out kept.parquet --snapshot
  fstore training-set create small --service churn --labels data/labels.parquet --out small.parquet --label reordered --sample 100
  fstore training-set create tracked --service churn --labels data/labels.parquet --out tracked.parquet --dvc`,
		Args: usage.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(cmd); err != nil {
				return err
			}
			if f.Name = args[0]; fstore.CheckName(f.Name) != nil {
				return usage.Of("training-set create: ", fstore.CheckName(f.Name))
			}
			return a.with(cmd.Context(), func(p *project.Project) error { return a.createTrainingSet(cmd.Context(), p, &f) })
		},
	}
	a.trainingFlags(cmd, &f)
	flags := cmd.Flags()
	flags.StringArrayVar(&f.Targets, "label", nil, "label column that the model learns to predict, recorded in the lock (repeatable)")
	flags.StringVar(&f.Out, "out", "", "Parquet file to write")
	_ = cmd.MarkFlagFilename("out", "parquet")
	flags.BoolVar(&f.Replace, "replace", false, "retire the training set that has this name")
	flags.BoolVar(&f.DVC, "dvc", false, "write the .dvc file by which DVC tracks the Parquet file")
	failingFlag(cmd, &f.failing)
	flags.BoolVar(&f.Snapshot, "snapshot", false, "keep a copy of every input, so that a rebuild is possible whatever happens to the sources")
	return cmd
}

// trainingFlags adds the flags that say which features of which labels are wanted.
func (a *app) trainingFlags(cmd *cobra.Command, f *trainingFlags) {
	f.flags(a, cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.Labels, "labels", "", "Parquet or CSV file with the rows to enrich")
	flags.StringVar(&f.labelsSQL, "labels-sql", "", "query over sources and views that yields the labels, or a .sql file with one")
	flags.StringVar(&f.Timestamp, "timestamp", offline.DefaultTimestamp, "label column with the instant of a row")
	flags.Int64Var(&f.sample, "sample", 0, "take only this many of the labels, always the same ones")
	flags.Int64Var(&f.seed, "sample-seed", 0, "take other labels, by another seed")
	flags.StringVar(&f.asOf, "as-of", "", "ignore rows that were created later (default: now)")
	leakCheckFlag(cmd, &f.LeakCheck)
	_ = cmd.MarkFlagFilename("labels", "parquet", "csv", "tsv", "gz")
	_ = cmd.RegisterFlagCompletionFunc("service", a.completeServices)
	a.engineFlags(cmd)
}

func (f *trainingFlags) check(cmd *cobra.Command) error {
	switch {
	case (f.Labels == "") == (f.labelsSQL == ""):
		return usage.Errorf(cmd, "name either --labels or --labels-sql")
	case cmd.Flags().Changed("sample") && f.sample < 1:
		return usage.Errorf(cmd, "--sample %d: a sample must have at least 1 row", f.sample)
	case f.Out == "" && cmd.Flags().Lookup("limit") == nil: // preview has --limit, and needs no file
		return usage.Errorf(cmd, "--out is missing: the Parquet file to write")
	case cmd.Flags().Changed("sample-seed") && f.sample == 0:
		return usage.Errorf(cmd, "--sample-seed goes with --sample")
	}
	return f.selection.check(cmd)
}

// request returns what the flags ask for.
func (f *trainingFlags) request() (project.TrainingSetRequest, error) {
	r := f.TrainingSetRequest
	r.Selection = f.selected
	if f.sample > 0 {
		r.Sample = &lock.Sample{Rows: f.sample, Seed: f.seed}
	}
	if f.asOf != "" {
		asOf, err := instant("--as-of", f.asOf)
		if err != nil {
			return r, err
		}
		r.AsOf = &asOf
	}
	if f.labelsSQL != "" {
		var err error
		if r.LabelsSQL, err = project.QueryText(f.labelsSQL); err != nil {
			return r, usage.Flagged("--labels-sql", err)
		}
	}
	return r, nil
}

func (a *app) createTrainingSet(ctx context.Context, p *project.Project, f *trainingFlags) error {
	r, err := f.request()
	if err != nil {
		return err
	}
	progress := a.progress()
	r.Progress = func(p trainset.Progress) { progress.Percent(p.Stage, p.Done) }
	var checked []*project.Checked
	r.Keep, r.Checked = keepRows(f.failing), func(all []*project.Checked) { checked = all }
	set, err := p.CreateTrainingSet(ctx, r)
	progress.Clear()
	a.batch.checked(checked)
	if !a.json() {
		a.printSamples(checked, f.failing)
	}
	if wrong := writeFailing(f.failing, checked); err == nil {
		err = wrong
	}
	if err != nil {
		return asFlags(err)
	}
	return a.printCreated(set)
}

func (a *app) printCreated(set *project.TrainingSet) error {
	sum, list := set.TrainingSummary, set.List
	for _, warning := range project.SummaryWarnings(sum) {
		a.warn(warning)
	}
	if a.json() {
		return a.printJSON(set)
	}
	made := ""
	if set.Existing {
		made = " exists already, from the same inputs"
	}
	fmt.Fprintf(a.stdout, "Training set %s%s: %s, %s.\n", sum.Name, made, project.RowsText(sum), english.Count(len(list.Outputs), "feature"))
	fmt.Fprintf(a.stdout, "  %s\n  %s\n", project.ShortPath(sum.Out), project.ShortPath(sum.LockPath))
	if set.DVCFile != "" {
		fmt.Fprintf(a.stdout, "  %s\n", project.ShortPath(set.DVCFile))
	}
	if !set.Existing {
		fmt.Fprintln(a.stdout)
		counts := func() error { return a.printCounts(sum, list) }
		if sum.Served != nil {
			counts = func() error { return a.printServed(sum.Served) }
		}
		if err := counts(); err != nil {
			return err
		}
	}
	if set.DVCFile != "" {
		fmt.Fprintf(a.stdout, "\nNext: dvc commit --force %s\n", project.ShortPath(set.DVCFile))
	}
	return nil
}

// printCounts prints, for each view, how many labels have a value and why the others have none.
func (a *app) printCounts(sum *offline.TrainingSummary, list *fstore.FeatureList) error {
	t := terminal.NewTable("VIEW", "KEYS", "WITH VALUE", "NO ROW", "STALE", "NOT AVAILABLE", "KNOWN LATE", "UNPUBLISHED")
	for _, v := range sum.Views {
		t.Row(v.View.String(), orDash(strings.Join(v.Keys, ", ")), english.Thousands(v.WithValue), english.Thousands(v.NoRow), english.Thousands(v.Stale), english.Thousands(v.NotAvailable), english.Thousands(v.Late), english.Thousands(v.Unpublished))
	}
	if err := t.Print(a.stdout); err != nil {
		return err
	}
	for _, note := range project.SummaryNotes(sum, list) {
		fmt.Fprintln(a.stdout, note)
	}
	return nil
}

// shortTime writes an instant for people: seconds are enough.
func shortTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }
