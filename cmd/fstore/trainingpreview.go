package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/offline/trainset"
	"github.com/fstore-dev/fstore/project"
	"github.com/spf13/cobra"
)

func (a *app) previewTrainingSetCommand() *cobra.Command {
	var f trainingFlags
	var limit int
	cmd := &cobra.Command{
		Use:   "preview",
		Short: "Show labels with their features, without making a training set",
		Long: `Show labels with their features as known at each row's instant: the values that training-set create would write, by the
same rules and after the same check for leaks. Nothing is recorded, and there is no lock.

The first rows are shown. --out FILE writes all of them, as Parquet.`,
		Example: `  fstore training-set preview --service churn --labels data/labels.parquet
  fstore training-set preview --features 'customer_orders.*' --labels data/labels.parquet --sample 100 --out quick.parquet`,
		Args: usage.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(cmd); err != nil {
				return err
			}
			if limit < 1 {
				return usage.Errorf(cmd, "--limit %d: it must be at least 1", limit)
			}
			return a.with(cmd.Context(), func(p *project.Project) error { return a.previewTrainingSet(cmd.Context(), p, &f, limit) })
		},
	}
	a.trainingFlags(cmd, &f)
	cmd.Flags().StringVar(&f.Out, "out", "", "Parquet file to write, with all rows")
	cmd.Flags().IntVar(&limit, "limit", 20, "show at most this many rows")
	_ = cmd.MarkFlagFilename("out", "parquet")
	return cmd
}

func (a *app) previewTrainingSet(ctx context.Context, p *project.Project, f *trainingFlags, limit int) error {
	r, err := f.request()
	if err != nil {
		return err
	}
	progress := a.progress()
	r.Progress = func(p trainset.Progress) { progress.Percent(p.Stage, p.Done) }
	made, err := p.PreviewTrainingSet(ctx, r, limit)
	progress.Clear()
	if err != nil {
		return asFlags(err)
	}
	return a.printPreview(made)
}

func (a *app) printPreview(made *project.Preview) error {
	for _, warning := range project.SummaryWarnings(made.Summary) {
		a.warn(warning)
	}
	if a.json() {
		return a.printJSON(struct {
			*project.Preview
			First []json.RawMessage `json:"first"`
			More  bool              `json:"more"`
		}{made, rowsJSON(made.First.Rows), made.First.More})
	}
	if err := a.printRows(made.First); err != nil {
		return err
	}
	fmt.Fprintln(a.stdout)
	if made.Out != "" {
		fmt.Fprintf(a.stdout, "%s in %s\n\n", project.RowsText(made.Summary), project.ShortPath(made.Out))
	}
	return a.printCounts(made.Summary, made.List)
}
