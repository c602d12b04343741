package main

import (
	"context"
	"fmt"

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

func (a *app) outcomesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "outcomes",
		Short:   "Join labels that arrive later to what was served, and judge predictions",
		Example: "  fstore outcomes join --labels labels.parquet --service churn --log served --out churn_served.parquet",
		Args:    usage.NoCommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.measured(a.joinOutcomesCommand()), a.performanceCommand())
	return cmd
}

func (a *app) joinOutcomesCommand() *cobra.Command {
	var r project.OutcomesRequest
	var model, within string
	cmd := &cobra.Command{
		Use:   "join",
		Short: "Make a training set of labels and what was served",
		Long: `Make a training set of labels that arrived later and the features that were served, bit for bit, from the served log
(serve --served-log). A model can train on exactly what it is asked with.

Labels are a Parquet or CSV file. With a column request_id, a label belongs to the row of the log with that _request_id.
Otherwise it has the keys and the instant of the outcome, and belongs to the last row of these keys that was served at or
before it. No row that was served after an outcome gets its label, and none that was served more than --within before it.

The training set has the keys, event_timestamp (the instant of the prediction), the request columns, the columns of the
labels, and the features, as one of training-set create has them. The lock names the files of the log, and copies of
them are kept, so training-set verify and rebuild work when the log has deleted them.

A later label of the same row replaces an earlier one. Every label that is left out is counted (docs/outcomes.md).`,
		Example: `  fstore outcomes join --labels labels.parquet --service churn --log served --out churn_served.parquet
  fstore outcomes join --labels labels.csv --model churn@champion --log served --out churn_served.parquet --within 14d \
      --timestamp churned_at --label churned --prediction score`,
		Args: usage.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			switch {
			case r.Labels == "":
				return usage.Errorf(cmd, "--labels is missing: the file of labels")
			case r.Out == "":
				return usage.Errorf(cmd, "--out is missing: the Parquet file to write")
			case r.Service != "" && model != "":
				return usage.Errorf(cmd, "give --service or --model, not both")
			}
			if model != "" {
				if r.Model, err = fstore.ParseModelRef(model); err != nil {
					return usage.Of("--model: ", err)
				}
			}
			if r.Within, err = fstore.ParseDuration(within); err != nil || r.Within <= 0 {
				return usage.Errorf(nil, "--within %q is not a duration", within).WithHint("for example 30d or 12h")
			}
			return a.with(cmd.Context(), func(p *project.Project) error { return a.joinOutcomes(cmd.Context(), p, r) })
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&r.Labels, "labels", "", "Parquet or CSV file: request_id, or keys and the instant of the outcome")
	flags.StringVarP(&r.Service, "service", "s", "", "answers for this service: churn, or churn@2 if the log has several versions")
	flags.StringVarP(&model, "model", "m", "", "answers for this model: fraud@3, an alias, or fraud if the log has one version")
	flags.StringVar(&r.Log, "log", "", "folder of the served log (default: the setting serve.log.path)")
	flags.StringVar(&within, "within", project.DefaultWithin.String(), "longest time from answer to outcome, for labels with request_id as well")
	flags.StringVar(&r.Timestamp, "timestamp", "", "label column with the instant of the outcome (default: "+offline.DefaultTimestamp+")")
	flags.StringArrayVar(&r.Targets, "label", nil, "label column that the model learns to predict, recorded in the lock (repeatable)")
	flags.StringVar(&r.Prediction, "prediction", "", "label column with what the model predicted, recorded in the lock")
	flags.StringVar(&r.Out, "out", "", "Parquet file to write")
	flags.StringVar(&r.Name, "name", "", "name of the training set (default: that of the file)")
	flags.BoolVar(&r.Replace, "replace", false, "retire the training set that has this name")
	flags.BoolVar(&r.DVC, "dvc", false, "write the .dvc file by which DVC tracks the Parquet file")
	_ = cmd.MarkFlagFilename("labels", "parquet", "csv", "tsv", "gz")
	_ = cmd.MarkFlagFilename("out", "parquet")
	_ = cmd.RegisterFlagCompletionFunc("service", a.completeServices)
	_ = cmd.RegisterFlagCompletionFunc("model", a.completeModels)
	a.engineFlags(cmd)
	return cmd
}

func (a *app) joinOutcomes(ctx context.Context, p *project.Project, r project.OutcomesRequest) error {
	progress := a.progress()
	r.Progress = func(p trainset.Progress) { progress.Percent(p.Stage, p.Done) }
	r.Unreadable = func(file string, err error) {
		progress.Clear()
		a.warn(fmt.Sprintf("%s has rows that cannot be read and are left out, so a label may be joined to an earlier row: %v", project.ShortPath(file), err))
	}
	r.Warn = a.warn
	set, err := p.JoinOutcomes(ctx, r)
	progress.Clear()
	if err != nil {
		return asFlags(err)
	}
	return a.printCreated(set)
}

// printServed prints what became of the labels of a training set of what was served.
func (a *app) printServed(c *lock.ServedCounts) error {
	t := terminal.NewTable("LABELS", "")
	for _, row := range []struct {
		n    int64
		what string
	}{
		{c.Joined, "joined to the row that was served"},
		{c.Replaced, "replaced by a later label of the same row"},
		{c.NotServed, "not served: the log does not have the keys or the request"},
		{c.After, "served only after the outcome"},
		{c.TooOld, "served too long before the outcome"},
		{c.Ambiguous, "of a request with several rows, without the keys that tell which"},
	} {
		t.Row(english.Thousands(row.n), row.what)
	}
	if err := t.Print(a.stdout); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "\nRead %s", english.Count(int(c.Log), "log row"))
	if c.Repeated > 0 {
		fmt.Fprintf(a.stdout, ", %s of them repeated and ignored", english.Thousands(c.Repeated))
	}
	fmt.Fprintln(a.stdout, ".")
	return nil
}
