package main

import (
	"context"
	"fmt"
	"strconv"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/internal/terminal"
	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/monitor/expect"
	"github.com/fstore-dev/fstore/project"
	"github.com/fstore-dev/fstore/registry"
	"github.com/spf13/cobra"
)

func (a *app) checkCommand() *cobra.Command {
	var to, failing string
	var history bool
	cmd := &cobra.Command{
		Use:   "check [SOURCE|VIEW[@VERSION]…]",
		Short: "Check what definitions expect of sources and views",
		Long: `Check the expectations of sources, views and features on the rows that a run of materialize would publish, and publish
nothing. Without names, it checks every source and view that expects something. A view comes with its sources and with the
views with online: false that it reads, all as of the instant that the run would publish. A source alone is checked as of --to.
The exit status is 4 if an expectation of severity error fails.

materialize checks the same before its first write. The registry keeps the latest outcomes of both; --history shows them. Targets
of "notify" in fstore.yaml are told when an expectation begins to fail, and when it holds again (docs/notify.md).`,
		Example: `  fstore check
  fstore check customer_orders --to 2025-12-01
  fstore check lines --failing failing.parquet
  fstore check --history customer_orders`,
		ValidArgsFunction: a.completeChecked,
		RunE: func(cmd *cobra.Command, args []string) error {
			if history && usage.Given(to != "", failing != "") > 0 {
				return usage.Errorf(cmd, "--history shows what was checked before: it takes names and no other flag")
			}
			r := project.CheckRequest{Names: args, Keep: keepRows(failing)}
			if to != "" {
				var err error
				if r.To, err = instant("--to", to); err != nil {
					return err
				}
			}
			return a.with(cmd.Context(), func(p *project.Project) error {
				if history {
					return a.checkHistory(cmd.Context(), p, args)
				}
				return a.check(cmd.Context(), p, r, failing)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&to, "to", "", "check what a run for this instant would publish (default: now)")
	flags.BoolVar(&history, "history", false, "show the outcomes that the registry keeps, instead of checking")
	failingFlag(cmd, &failing)
	a.engineFlags(cmd)
	return cmd
}

// failingFlag adds --failing to a command that checks expectations.
func failingFlag(cmd *cobra.Command, failing *string) {
	cmd.Flags().StringVar(failing, "failing", "", fmt.Sprintf("write up to %s bad rows of each failed expectation to this Parquet file", english.Thousands(expect.MostFailing)))
}

// keepRows returns how many bad rows are kept of each expectation.
func keepRows(failing string) int {
	if failing == "" {
		return 0
	}
	return expect.MostFailing
}

func writeFailing(path string, all []*project.Checked) error {
	if path == "" || len(all) == 0 { // nothing was checked, so a file of another run stays
		return nil
	}
	if err := project.WriteFailing(path, all); err != nil {
		return fmt.Errorf("write the failing rows to %s: %w", path, err)
	}
	return nil
}

func (a *app) check(ctx context.Context, p *project.Project, r project.CheckRequest, failing string) error {
	progress := a.progress()
	r.Progress = func(of string, rows int64) { progress.Show(of+" check", rows, 0) }
	found, err := p.Check(ctx, r)
	progress.Clear()
	if found == nil {
		return usage.In("check", asFlags(err))
	}
	a.batch.checked(found.Checks)
	if wrong := writeFailing(failing, found.Checks); err == nil {
		err = wrong
	}
	if printed := a.printExpected(found); err == nil {
		err = printed
	}
	if !a.json() {
		a.printSamples(found.Checks, failing)
	}
	if err == nil && !found.OK {
		return exitCode(statusCheck)
	}
	return usage.In("check", err)
}

func (a *app) printExpected(found *project.Checks) error {
	if a.json() {
		for i := range found.Unchecked {
			found.Unchecked[i].Error = a.mask(found.Unchecked[i].Error)
		}
		return a.printJSON(found)
	}
	if len(found.Checks)+len(found.Unchecked) == 0 {
		a.remark("Nothing is expected of any source or view: see docs/expectations.md.")
		return nil
	}
	if len(found.Checks) == 0 {
		return nil // the error says why
	}
	t := terminal.NewTable("OF", "AS OF", "EXPECTATION", "SEVERITY", "OUTCOME", "CHECKED", "BAD", "")
	for _, c := range found.Checks {
		for i := range c.Results {
			r := &c.Results[i]
			note := r.Why
			if at := r.Pos.String(); r.Outcome == expect.Failed && at != "" {
				note += " (" + at + ")"
			}
			t.Row(c.Subject(), fstore.FormatTime(c.At), r.Expectation, string(r.Severity), string(r.Outcome), english.Thousands(r.Checked), english.Thousands(r.Bad), note)
		}
	}
	return t.Print(a.stdout)
}

// printSamples prints some of the bad rows if a person sees them. Anything else that takes stdout, such as cron or systemd, may
// keep it as a log, which must not have keys and values.
func (a *app) printSamples(all []*project.Checked, failing string) {
	lines := project.Samples(all)
	switch {
	case len(lines) == 0:
	case terminal.IsTerminal(a.stdout):
		for _, line := range lines {
			fmt.Fprintf(a.stdout, "bad rows of %s\n", terminal.Indented(line))
		}
	case failing == "":
		a.remark("Bad rows are shown on a terminal only. --failing FILE writes them to a Parquet file.")
	}
}

func (a *app) checkHistory(ctx context.Context, p *project.Project, names []string) error {
	all, err := p.CheckHistory(ctx, names)
	if err != nil {
		return usage.In("check", err)
	}
	if a.json() {
		return a.printJSON(struct {
			History []project.CheckHistory `json:"history"`
		}{all})
	}
	t := terminal.NewTable("OF", "CHECKED", "AS OF", "BY", "OUTCOME", "")
	for _, h := range all {
		of := &project.Checked{Kind: h.Kind, Name: h.Name, Version: h.Version}
		for _, run := range h.Runs {
			outcome, note, err := project.HistoryText(run)
			if err != nil {
				return err
			}
			t.Row(of.Subject(), fstore.FormatTime(run.Time), fstore.FormatTime(run.At), run.By, outcome, note)
		}
	}
	if t.Empty() {
		a.remark("Nothing has been checked yet.")
	}
	return t.Print(a.stdout)
}

// checked records how expectations came out.
func (b *batch) checked(all []*project.Checked) {
	if b == nil {
		return
	}
	by := []string{"source", "view", "version", "feature", "check", "severity"}
	result := b.gauge("fstore_check_result", "1 if an expectation failed in the last run, else 0. Those that were skipped have none.", by...)
	bad := b.gauge("fstore_check_bad_rows", "Rows that failed an expectation in the last run.", by...)
	worst := map[[6]string][2]float64{} // expectations that differ only in their bounds share their labels
	for _, c := range all {
		view, source, version := c.Name, "", strconv.Itoa(c.Version)
		if c.Kind == registry.KindSource {
			view, source, version = "", c.Name, ""
		}
		for i := range c.Results {
			r := &c.Results[i]
			if r.Outcome == expect.Skipped {
				continue
			}
			labels := [6]string{source, view, version, r.Column, string(r.Check), string(r.Severity)}
			failed := worst[labels][0]
			if r.Outcome == expect.Failed {
				failed = 1
			}
			worst[labels] = [2]float64{failed, max(worst[labels][1], float64(r.Bad))}
		}
	}
	for labels, values := range worst {
		result.WithLabelValues(labels[:]...).Set(values[0])
		bad.WithLabelValues(labels[:]...).Set(values[1])
	}
}
