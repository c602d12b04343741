package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/internal/terminal"
	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/project"
	"github.com/fstore-dev/fstore/stats"
	"github.com/spf13/cobra"
)

func (a *app) listTrainingSetsCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the training sets",
		Example: "  fstore training-set list\n  fstore training-set list --output json",
		Args:    usage.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), func(p *project.Project) error { return a.listTrainingSets(cmd.Context(), p) })
		},
	}
}

func (a *app) listTrainingSets(ctx context.Context, p *project.Project) error {
	records, err := p.TrainingSets(ctx)
	if err != nil {
		return err
	}
	if a.json() {
		return a.printJSON(records)
	}
	t := terminal.NewTable("NAME", "CREATED", "SERVICE", "ROWS", "FILE")
	for _, r := range records {
		name, service := r.Name, r.Service
		if !r.Retired.IsZero() {
			name += " (retired)"
		}
		if service == "" {
			service = "-"
		}
		t.Row(name, shortTime(r.Created), service, english.Thousands(r.Rows), project.ShortPath(r.Out))
	}
	if len(records) == 0 {
		a.remark("There are no training sets. fstore training-set create makes one.")
	}
	return t.Print(a.stdout)
}

func (a *app) showTrainingSetCommand() *cobra.Command {
	metrics := false
	cmd := &cobra.Command{
		Use:   "show NAME|LOCKFILE",
		Short: "Show a training set and its lock",
		Long: `Show a training set and its lock.

--metrics prints rows, and for each feature and each column to predict the share of missing values, the distinct values,
the mean and the standard deviation, or the share of true values, as JSON that dvc metrics reads.`,
		Example: `  fstore training-set show churn_2025
  fstore training-set show churn.lock.json
  fstore training-set show churn_2025 --output json
  fstore training-set show churn.lock.json --metrics > churn.metrics.json`,
		Args:              usage.Args(cobra.ExactArgs(1)),
		ValidArgsFunction: a.completeLocks,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withLocks(cmd.Context(), func(p *project.Project) error {
				set, err := p.LockedSet(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				switch {
				case metrics:
					return a.printJSON(set.Lock.Metrics())
				case a.json():
					return a.printJSON(set.AsRecord())
				}
				return a.printTrainingSet(set)
			}, args[0])
		},
	}
	cmd.Flags().BoolVar(&metrics, "metrics", false, "print the statistics that change from revision to revision, as JSON for dvc metrics")
	return cmd
}

func (a *app) printTrainingSet(set *project.LockedSet) error {
	r, l := set.AsRecord(), set.Lock
	labels := oneLine(l.Labels.SQL)
	if l.Labels.File != nil {
		labels = project.ShortPath(l.Labels.File.Path)
	}
	from := fmt.Sprintf("project %s, revision %d", l.Registry.Project, l.Registry.Revision)
	if l.Registry.GitRevision != "" {
		from += ", git " + l.Registry.GitRevision
		if l.Registry.Dirty {
			from += " and changes to it"
		}
	}
	facts := terminal.NewTable("training set", r.Name)
	facts.Row("created", shortTime(r.Created)+" by fstore "+l.Build.Fstore+", DuckDB "+l.Build.DuckDB+" on "+l.Build.Platform)
	facts.Row("service", orDash(r.Service))
	facts.Row("file", project.ShortPath(r.Out))
	facts.Row("sha256", l.Output.SHA256)
	facts.Row("md5", l.Output.MD5)
	facts.Row("content", l.Output.Content)
	facts.Row("rows", english.Thousands(r.Rows))
	facts.Row("labels", labels+", at "+l.Labels.Timestamp)
	if s := l.Served; s != nil {
		facts.Row("served", s.String()+", from "+english.Count(len(s.Files), "file")+" of the log")
		facts.Row("joined", s.Counts.String())
	}
	if len(l.Labels.Targets) > 0 {
		facts.Row("target", strings.Join(l.Labels.Targets, ", "))
	}
	if text := l.RequestText(); text != "" {
		facts.Row("request columns", text)
	}
	if s := l.Labels.Sample; s != nil {
		facts.Row("sample", fmt.Sprintf("%s of %s, seed %d", english.Thousands(l.Output.Rows), english.Count(int(l.Labels.Rows), "row"), s.Seed))
	}
	facts.Row("known by", shortTime(l.AsOf))
	facts.Row("definitions", from)
	for _, s := range l.Sources {
		size := int64(0)
		for _, f := range s.Files {
			size += f.Size
		}
		facts.Row("source "+s.Name, english.Count(len(s.Files), "file")+", "+english.Thousands(size)+" bytes")
	}
	for _, f := range l.Faults {
		facts.Row("no result", project.FaultText(f))
	}
	if len(l.Continuous) > 0 {
		facts.Row("assumes", "continuous publication of "+project.Joined(l.Continuous))
	}
	if l.Snapshot {
		facts.Row("snapshot", "its inputs are kept")
	}
	if err := facts.Print(a.stdout); err != nil {
		return err
	}
	fmt.Fprintln(a.stdout)
	t := terminal.NewTable("FEATURE", "TYPE", "VIEW", "FEATURE IN VIEW", "NULLS", "DISTINCT", "MIN", "MEAN", "MAX")
	for _, f := range l.Features {
		var s stats.Statistics
		for _, c := range l.Output.Columns {
			if c.Name == f.Name {
				s = c.Statistics
			}
		}
		t.Row(append([]string{f.Name, f.Type.String(), f.View.String(), f.Feature}, statisticsCells(&s)...)...)
	}
	return t.Print(a.stdout)
}

// statisticsCells formats nulls, distinct values, minimum, mean and maximum.
func statisticsCells(s *stats.Statistics) []string {
	distinct, mean := "-", "-"
	if s.Distinct != nil {
		distinct = english.Thousands(*s.Distinct)
		if s.Approximate {
			distinct = "~" + distinct
		}
	}
	if s.Mean != nil {
		mean = strconv.FormatFloat(*s.Mean, 'g', 6, 64)
	}
	return []string{english.Thousands(s.Nulls), distinct, orDash(valueText(s.Min)), mean, orDash(valueText(s.Max))}
}

// valueText formats a JSON value for a table: text without quotes.
func valueText(v json.RawMessage) string {
	var text string
	if json.Unmarshal(v, &text) == nil {
		return oneLine(text)
	}
	return string(v)
}
