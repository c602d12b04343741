package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/fstore-dev/fstore/internal/terminal"
	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/monitor/drift"
	"github.com/fstore-dev/fstore/monitor/report"
	"github.com/fstore-dev/fstore/project"
	"github.com/fstore-dev/fstore/project/github"
	"github.com/spf13/cobra"
)

// driftFlags are the flags of drift.
type driftFlags struct {
	request    project.DriftRequest
	window     string
	to         string
	by         string
	thresholds []string
	failOn     string
	html       string
	missing    bool // features that the current side lacks do not fail
	model      string
}

func (a *app) driftCommand() *cobra.Command {
	var f driftFlags
	cmd := &cobra.Command{
		Use:   "drift --reference NAME|LOCKFILE --current FILE|NAME|LOCKFILE|store|served",
		Short: "Compare current values with those that a model was trained on",
		Long: `Compare the distributions of current values with those of a training set, feature by feature. The lock of the training set has
its statistics, so its file is not needed. The current values are those of a Parquet or CSV file with columns named like the
features, of another training set, what is published in the online store (store), or what servers answered (served). The store
only has keys with a value, so rows of the training set for which a view had none are left out then.

served reads the served log (serve --served-log): the answers of --model, of --service, or of the one model that is pinned to the
training set. Values count as callers were given them, defaults included.

For each feature, drift gives the share of nulls, unseen categories and values out of range, the Wasserstein distance, PSI and
the Jensen-Shannon distance, and a verdict. A score is an alarm if it reaches its threshold and chance does not explain it. Fewer
than 200 rows or values are too few to judge. docs/drift.md has the formulas and defaults.

Thresholds come from drift in the definitions of features and views, unless --threshold says otherwise. auto takes them from windows
of the training set's own file: mean and three standard deviations of the score.

The Kolmogorov-Smirnov statistic is that of the rows, with a p-value, if the training set's file is there and both sides together have at
most 1,000,000 rows, or with --exact. Otherwise it is what the bins say: bounds.

--window takes the last rows of a file, --by also compares each hour, day, week or month alone. --fail-on makes the exit status 4
if more than this share of the judged features has drifted; 0 means any. It is also 4 if no feature could be judged, or if the
current side lacks a feature; --allow-missing accepts the latter.

--html also writes a report for a browser: one file that loads nothing, with both distributions of each feature drawn.`,
		Example: `  fstore drift --reference churn_2025 --current churn_2024
  fstore drift --reference churn_2025 --current churn.parquet --window 90d --by month --html report.html
  fstore drift --reference churn_2025 --current store --fail-on 0.5
  fstore drift --reference churn_2025 --current served --service churn --log served --window 7d --by day
  fstore drift --reference churn.lock.json --current churn_2024.parquet --threshold psi=0.25 --threshold order_value.js=off`,
		Args: usage.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.request.Reference == "" || f.request.Current == "" {
				return usage.Errorf(cmd, "--reference and --current say what to compare")
			}
			if err := f.parse(); err != nil {
				return err
			}
			args := []string{f.request.Reference}
			if f.request.Current == project.DriftStore || f.request.Current == project.DriftServed || !project.IsLockFile(f.request.Current) {
				args = append(args, f.request.Current) // it needs a repo
			}
			return a.withLocks(cmd.Context(), func(p *project.Project) error { return a.drift(cmd.Context(), p, &f) }, args...)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.request.Reference, "reference", "", "training set to compare with, by its name or its lock")
	flags.StringVar(&f.request.Current, "current", "", "file of rows, training set, store: what is published, or served: what servers answered")
	flags.StringVarP(&f.model, "model", "m", "", "with served: answers of this model, such as fraud@3, or an alias")
	flags.StringVarP(&f.request.Service, "service", "s", "", "with served: answers of this service, in any version")
	flags.StringVar(&f.request.Log, "log", "", "with served: folder of the log (default: the setting serve.log.path)")
	flags.StringVar(&f.request.Timestamp, "timestamp", "", "column with the instant of a current row (default: that of the training set)")
	flags.StringVar(&f.window, "window", "", "only rows of this length of time up to the last, such as 7d")
	flags.StringVar(&f.to, "to", "", "only rows up to this instant, where --window ends")
	flags.StringVar(&f.by, "by", "", "also compare the rows of each hour, day, week or month")
	flags.BoolVar(&f.request.Exact, "exact", false, "compute the Kolmogorov-Smirnov statistic from the rows of both sides, however many they are")
	flags.StringArrayVar(&f.thresholds, "threshold", nil, "threshold of a check: CHECK=NUMBER or FEATURE.CHECK=NUMBER; auto or off in place of a number, or alone (repeatable)")
	flags.Int64Var(&f.request.Options.MinRows, "min-rows", drift.DefaultMinRows, "fewer rows or values than this are too few to judge")
	flags.StringVar(&f.html, "html", "", "also write an HTML report to this file, whose name ends in .html")
	flags.StringVar(&f.failOn, "fail-on", "", "exit with status 4 if more than this share of the features has drifted, from 0 to 1")
	flags.BoolVar(&f.missing, "allow-missing", false, "with --fail-on: features that the current side lacks do not fail")
	a.outputFlag(cmd, flags, outputTable, outputJSON, outputMarkdown)
	_ = cmd.RegisterFlagCompletionFunc("by", cobra.FixedCompletions([]string{"hour", "day", "week", "month"}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("reference", a.completeLocks)
	_ = cmd.RegisterFlagCompletionFunc("service", a.completeServices)
	_ = cmd.RegisterFlagCompletionFunc("model", a.completeModels)
	a.engineFlags(cmd)
	return cmd
}

// parse reads the flags that are text.
func (f *driftFlags) parse() (err error) {
	r := &f.request
	r.Options.ShareLimit = drift.DefaultShareLimit
	if f.failOn != "" {
		limit, err := strconv.ParseFloat(f.failOn, 64)
		if err != nil || !(limit >= 0 && limit < 1) {
			return usage.Errorf(nil, "--fail-on %s: a share of the features, from 0 and below 1", f.failOn).WithHint("write 30 %% as 0.3; --fail-on 0 fails if any feature drifted")
		}
		r.Options.ShareLimit = limit
	}
	if err := checkPage(f.html); err != nil {
		return err
	}
	if r.Options.MinRows < 1 {
		return usage.Errorf(nil, "--min-rows %d: it must be at least 1", r.Options.MinRows)
	}
	if err := usage.Duration("--window", f.window, &r.Window); err != nil {
		return err
	}
	if f.to != "" {
		to, err := instant("--to", f.to)
		if err != nil {
			return err
		}
		r.To = &to
	}
	if f.by != "" {
		if r.By, err = drift.ParsePeriod(f.by); err != nil {
			return usage.Flagged("--by", err)
		}
	}
	if f.model != "" {
		if r.Model, err = modelNamed("--model", f.model); err != nil {
			return err
		}
	}
	for _, t := range f.thresholds {
		if err := r.Options.SetThreshold(t); err != nil {
			return usage.Flagged("--threshold", err)
		}
	}
	return nil
}

func (a *app) drift(ctx context.Context, p *project.Project, f *driftFlags) error {
	progress := a.progress()
	f.request.Progress = func(rows int64) { progress.Show("count", rows, 0) }
	c, err := p.Drift(ctx, f.request)
	progress.Clear()
	if err != nil {
		return usage.In("drift", err)
	}
	if err := writePage(f.html, func(w io.Writer) error { return report.Write(w, c) }); err != nil {
		return err
	}
	switch a.output {
	case outputJSON:
		err = a.printJSON(c)
	case outputMarkdown:
		_, err = fmt.Fprint(a.stdout, github.Drift(c, github.Comment("`fstore drift` shows the rest.")))
	default:
		err = a.printDrift(c)
	}
	if err == nil && f.failOn != "" && f.fails(c) {
		return exitCode(statusCheck)
	}
	return err
}

// fails reports whether --fail-on fails: features drifted, or it was not shown that they did not.
func (f *driftFlags) fails(c *drift.Comparison) bool {
	lacks := slices.ContainsFunc(c.Features, func(x drift.Feature) bool { return x.Missing })
	return c.Verdict != drift.Stable || lacks && !f.missing
}

func (a *app) printDrift(c *drift.Comparison) error {
	facts := terminal.NewTable("reference", project.DriftSideText(&c.Reference))
	facts.Row("current", project.DriftSideText(&c.Current))
	if rows := project.DriftRowsText(c); rows != "" {
		facts.Row("rows", rows)
	}
	for _, note := range project.DriftNotes(c) {
		facts.Row("note", note)
	}
	facts.Row("verdict", project.DriftVerdictText(c.Verdict)+": "+project.DriftSummary(c))
	if err := facts.Print(a.stdout); err != nil {
		return err
	}
	features := terminal.NewTable(append([]string{}, project.DriftHeader...)...)
	for _, row := range project.DriftRows(c) {
		features.Row(row...)
	}
	if err := a.printAfter(true, features); err != nil {
		return err
	}
	lookUps := terminal.NewTable(append([]string{}, project.DriftLookUpHeader...)...)
	for _, row := range project.DriftLookUpRows(c) {
		lookUps.Row(row...)
	}
	if err := a.printAfter(true, lookUps); err != nil {
		return err
	}
	windows := terminal.NewTable(append([]string{}, project.DriftWindowHeader...)...)
	for _, row := range project.DriftWindowRows(c) {
		windows.Row(row...)
	}
	return a.printAfter(true, windows)
}
