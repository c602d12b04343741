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
	"github.com/fstore-dev/fstore/monitor/skew"
	"github.com/fstore-dev/fstore/project"
	"github.com/spf13/cobra"
)

func (a *app) skewCommand() *cobra.Command {
	var r project.SkewRequest
	var model, since string
	cmd := &cobra.Command{
		Use:   "skew",
		Short: "Compare what was served with the offline result",
		Long: `Compare every value in the served log (serve --served-log) with what the engine computes now for the same publication,
bit for bit. Each request is replayed: the values of its keys as of the published instant, its clock, its request columns.

A value that differs is explained if the inputs of that publication have changed since. With the same inputs and the
same build, it is wrong. If nobody knows, it is not provable. The exit status is 4 if a value is wrong, or differs without
an explanation, or if nothing could be compared (docs/skew.md).`,
		Example: `  fstore skew --service churn --log served
  fstore skew --model fraud@champion --log served --since 24h --sample 0
  fstore skew --service churn --log served --output json`,
		Args: usage.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if usage.Given(r.Service != "", model != "") != 1 {
				return usage.Errorf(cmd, "give --service or --model")
			}
			if r.Sample < 0 {
				return usage.Errorf(nil, "--sample %d is not a number of rows", r.Sample).WithHint("0 compares all rows")
			}
			if model != "" {
				if r.Model, err = modelNamed("--model", model); err != nil {
					return err
				}
			}
			if since != "" {
				if r.Since, err = a.sinceInstant(since); err != nil {
					return err
				}
			}
			return a.with(cmd.Context(), func(p *project.Project) error { return a.skew(cmd.Context(), p, r) })
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&r.Service, "service", "s", "", "compare answers of this service, in any version")
	flags.StringVarP(&model, "model", "m", "", "compare answers of this model: fraud@3, or an alias")
	flags.StringVar(&r.Log, "log", "", "folder of the served log (default: the setting serve.log.path)")
	flags.StringVar(&since, "since", "", "compare only answers since this instant, or of the last 24h")
	flags.Int64Var(&r.Sample, "sample", 10_000, "compare about this many rows, spread evenly; 0 compares all")
	_ = cmd.RegisterFlagCompletionFunc("service", a.completeServices)
	_ = cmd.RegisterFlagCompletionFunc("model", a.completeModels)
	a.engineFlags(cmd)
	return cmd
}

// sinceInstant returns the instant that --since gives: itself, or how long ago it is.
func (a *app) sinceInstant(text string) (time.Time, error) {
	if ago, err := fstore.ParseDuration(text); err == nil {
		return a.now().Add(-time.Duration(ago)), nil
	}
	return instant("--since", text)
}

func (a *app) skew(ctx context.Context, p *project.Project, r project.SkewRequest) error {
	progress := a.progress()
	done := int64(0)
	r.Progress = func(rows int64) {
		done += rows
		progress.Show("skew", done, 0)
	}
	result, err := p.Skew(ctx, r)
	progress.Clear()
	if err != nil {
		return usage.In("skew", err)
	}
	if a.json() {
		err = a.printJSON(result)
	} else {
		err = a.printSkew(result)
	}
	if err == nil && !result.OK {
		return exitCode(statusCheck)
	}
	return err
}

// printUncompared prints what of the log was not compared, and why.
func (a *app) printUncompared(r *skew.Result) error {
	if r.NotCompared > 0 {
		fmt.Fprintf(a.stdout, "%s cannot be compared.\n", english.Thousands(r.NotCompared))
	}
	if len(r.Reasons) > 0 {
		t := terminal.NewTable("ROWS", "NOT PROVABLE BECAUSE")
		for _, why := range r.Reasons {
			t.Row(english.Thousands(why.Rows), why.Reason)
		}
		if err := a.printAfter(true, t); err != nil {
			return err
		}
	}
	if r.UnreadableN == 0 {
		return nil
	}
	t := terminal.NewTable("FILE", "CANNOT BE READ TO ITS END")
	for _, f := range r.Unreadable {
		t.Row(f.File, f.Reason)
	}
	if err := a.printAfter(true, t); err != nil {
		return err
	}
	if more := r.UnreadableN - int64(len(r.Unreadable)); more > 0 {
		fmt.Fprintf(a.stdout, "and %s more\n", english.Thousands(more))
	}
	return nil
}

func (a *app) printSkew(r *skew.Result) error {
	fmt.Fprintf(a.stdout, "%s of %s logged rows were compared.\n", english.Thousands(r.Compared), english.Thousands(r.Logged))
	if err := a.printUncompared(r); err != nil || len(r.Views) == 0 {
		return err
	}
	t := terminal.NewTable("VIEW", "EQUAL", "EXPIRED", "SOURCE CHANGED", "NOT PROVABLE", "WRONG")
	for _, v := range r.Views {
		t.Row(v.View.String(), english.Thousands(v.Equal), english.Thousands(v.Expired), english.Thousands(v.SourceChanged), english.Thousands(v.NotProvable), english.Thousands(v.Wrong))
	}
	if err := a.printAfter(true, t); err != nil {
		return err
	}
	if len(r.Differences) == 0 {
		return nil
	}
	d := terminal.NewTable("OUTCOME", "AT", "REQUEST", "FEATURE", "SERVED", "OFFLINE", "PUBLISHED", "INPUTS")
	for _, x := range r.Differences {
		published := "-"
		if !x.Published.IsZero() {
			published = fstore.FormatTime(x.Published)
		}
		inputs := string(x.Inputs)
		if len(x.Changed) > 0 {
			inputs += ": " + strings.Join(x.Changed, ", ")
		}
		d.Row(string(x.Outcome), fstore.FormatTime(x.At), x.Sent, x.View.String()+" "+x.Feature, x.Served, x.Offline, published, inputs)
	}
	if err := a.printAfter(true, d); err != nil {
		return err
	}
	if more := r.Differing() - int64(len(r.Differences)); more > 0 {
		fmt.Fprintf(a.stdout, "and %s more\n", english.Thousands(more))
	}
	return nil
}
