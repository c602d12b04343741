package main

import (
	"context"
	"io"
	"math"
	"strconv"

	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/internal/terminal"
	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/monitor/drift"
	"github.com/fstore-dev/fstore/monitor/performance"
	"github.com/fstore-dev/fstore/monitor/report"
	"github.com/fstore-dev/fstore/project"
	"github.com/spf13/cobra"
)

func (a *app) performanceCommand() *cobra.Command {
	var r project.PerformanceRequest
	var by, task, html string
	cmd := &cobra.Command{
		Use:   "performance SET",
		Short: "Say how good predictions were, over time",
		Long: `Compare predictions with their labels in a training set that outcomes join has made, or in any Parquet or CSV file. SET is the
name of a training set, its lock or a file.

Of binary labels (0 and 1, or false and true), performance gives accuracy, precision, recall, the area under the ROC curve,
log loss, Brier score and the calibration: 10 bins and the expected calibration error. Of amounts it gives MAE, RMSE and
bias. Binary is what has only labels of 0 and 1, unless --task says otherwise. The figures are those of scikit-learn.

--by day, week or month also judges each period alone, by the instants of the predictions. --reference compares with another
set, such as the training set's own validation rows. Fewer than --min-rows rows are too few to judge.

--label and --prediction default to what the lock records. Rows without a label or a prediction are left out and counted.`,
		Example: `  fstore outcomes performance churn_served --by week
  fstore outcomes performance scored.parquet --label churned --prediction score --reference validation.parquet --html report.html`,
		Args:              usage.Args(cobra.ExactArgs(1)),
		ValidArgsFunction: a.completeLocks,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			r.Set = args[0]
			if r.Options.MinRows < 1 {
				return usage.Errorf(nil, "--min-rows %d: it must be at least 1", r.Options.MinRows)
			}
			if t := r.Options.Threshold; math.IsNaN(t) || math.IsInf(t, 0) {
				return usage.Errorf(nil, "--threshold %v: it must be a finite number", t)
			}
			if by != "" {
				if r.Options.By, err = drift.ParsePeriod(by); err != nil {
					return usage.Flagged("--by", err)
				}
			}
			switch r.Options.Task = performance.Task(task); r.Options.Task {
			case "", performance.Binary, performance.Regression:
			default:
				return usage.Errorf(nil, "--task %s is unknown", task).WithHint("binary or regression")
			}
			sets := []string{r.Set}
			if r.Reference != "" {
				sets = append(sets, r.Reference)
			}
			if err := checkPage(html); err != nil {
				return err
			}
			return a.withLocks(cmd.Context(), func(p *project.Project) error { return a.performance(cmd.Context(), p, r, html) }, sets...)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&r.Label, "label", "", "column with the labels (default: the target in the lock)")
	flags.StringVar(&r.Prediction, "prediction", "", "column with the predictions (default: the one in the lock)")
	flags.StringVar(&r.Timestamp, "timestamp", "", "column with the instant of a prediction (default: that of the training set)")
	flags.StringVar(&r.Reference, "reference", "", "training set or file to compare with, with the same columns")
	flags.StringVar(&by, "by", "", "also judge each hour, day, week or month")
	flags.StringVar(&task, "task", "", "binary or regression (default: binary if every label is 0 or 1)")
	flags.Float64Var(&r.Options.Threshold, "threshold", performance.DefaultThreshold, "a score that is as large predicts 1")
	flags.Int64Var(&r.Options.MinRows, "min-rows", performance.DefaultMinRows, "fewer rows than this are too few to judge")
	flags.StringVar(&html, "html", "", "also write an HTML report to this file, whose name ends in .html")
	_ = cmd.RegisterFlagCompletionFunc("by", cobra.FixedCompletions([]string{"hour", "day", "week", "month"}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("task", cobra.FixedCompletions([]string{string(performance.Binary), string(performance.Regression)}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("reference", a.completeLocks)
	a.engineFlags(cmd)
	return cmd
}

func (a *app) performance(ctx context.Context, p *project.Project, r project.PerformanceRequest, html string) error {
	progress := a.progress()
	r.Progress = func(rows int64) { progress.Show("read", rows, 0) }
	result, err := p.Performance(ctx, r)
	progress.Clear()
	if err != nil {
		return asFlags(err)
	}
	if err := writePage(html, func(w io.Writer) error { return report.WritePerformance(w, result) }); err != nil {
		return err
	}
	if a.json() {
		return a.printJSON(result)
	}
	return a.printPerformance(result)
}

// figure writes a metric, or its difference.
func figure(x *float64, sign string) string {
	if x == nil {
		return "-"
	}
	if *x < 0 {
		sign = ""
	}
	return sign + strconv.FormatFloat(*x, 'g', 4, 64)
}

func (a *app) printPerformance(r *performance.Result) error {
	task := "binary, 1 from a score of " + strconv.FormatFloat(deref(r.Threshold), 'g', -1, 64)
	if r.Task == performance.Regression {
		task = "regression"
	}
	facts := terminal.NewTable("label", r.Label)
	facts.Row("prediction", r.Prediction)
	facts.Row("task", task)
	facts.Row("rows", judged(&r.Current))
	if r.Reference != nil {
		facts.Row("reference", judged(r.Reference))
	}
	if err := facts.Print(a.stdout); err != nil {
		return err
	}
	parts := []*performance.Metrics{r.Current.Metrics}
	if r.Reference != nil {
		parts = append(parts, r.Reference.Metrics)
	}
	for i := range r.Windows {
		parts = append(parts, r.Windows[i].Metrics)
	}
	shown := performance.Shown(parts...)
	header := []string{"", "ROWS"}
	for _, i := range shown {
		header = append(header, performance.Titles[i])
	}
	t := terminal.NewTable(header...)
	t.Row(metricsRow("all", &r.Current.Part, shown)...)
	if r.Reference != nil {
		t.Row(metricsRow("reference", &r.Reference.Part, shown)...)
		t.Row(differenceRow("difference", r.Difference, shown)...)
	}
	for i := range r.Windows {
		w := &r.Windows[i]
		t.Row(metricsRow(w.From.Format("2006-01-02T15:04Z"), &w.Part, shown)...)
		if w.Difference != nil {
			t.Row(differenceRow("  difference", w.Difference, shown)...)
		}
	}
	return a.printAfter(true, t)
}

// judged says how many rows were judged.
func judged(s *performance.Side) string {
	text := english.Thousands(s.Rows)
	if s.LeftOut > 0 {
		text += ", and " + english.Thousands(s.LeftOut) + " without a label or a prediction left out"
	}
	if s.TooFew {
		text += ": too few to judge"
	}
	return text
}

func metricsRow(name string, p *performance.Part, shown []int) []string {
	row := []string{name, english.Thousands(p.Rows)}
	for n, i := range shown {
		switch {
		case p.Metrics != nil:
			row = append(row, figure(p.Metrics.Values()[i], ""))
		case n == 0:
			row = append(row, "too few")
		default:
			row = append(row, "-")
		}
	}
	return row
}

func differenceRow(name string, d *performance.Metrics, shown []int) []string {
	row := []string{name, ""}
	for _, i := range shown {
		if d == nil {
			row = append(row, "-")
			continue
		}
		row = append(row, figure(d.Values()[i], "+"))
	}
	return row
}

func deref(x *float64) float64 {
	if x == nil {
		return 0
	}
	return *x
}
