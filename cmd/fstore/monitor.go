package main

import (
	"context"
	"errors"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/terminal"
	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/project"
	"github.com/spf13/cobra"
)

// monitorFlags are the flags of monitor.
type monitorFlags struct {
	reports string
	every   time.Duration // 0: once
}

func (a *app) monitorCommand() *cobra.Command {
	var f monitorFlags
	var history, once bool
	var every string
	cmd := &cobra.Command{
		Use:   "monitor [SERVICE…]",
		Short: "Check, compare and time everything that live models use",
		Long: `Look at everything that live models use: whether expectations hold (as fstore check), whether current values have drifted from what
each model was trained on (as fstore drift), and whether what is published is fresh (as fstore freshness). Without names, it looks at
every pinned model, every service, and every other live view and source.

A model is compared with the training set that it is pinned to; "monitor" in the service's definition can name another one, and choose
between what is published and what servers answered. docs/monitoring.md says what each line means and what to do.

The exit status is 4 if anything fires: an expectation of severity error does not hold, more features drifted than fail_on allows, or
a view is late or not published. The registry keeps the latest rounds; --history shows them. One round runs at a time: while another
one is under way, the command says so, does nothing, and the status is 0.

With --every it goes on until a signal: a round that fails is a warning, and the exit status of each round is in the metrics. The first
signal lets the round in flight end, the second one ends the program.`,
		Example: `  fstore monitor
  fstore monitor churn --output json
  fstore monitor --reports reports --metrics-file monitor.prom
  fstore monitor --every 1h --reports reports
  fstore monitor --history churn`,
		ValidArgsFunction: a.completeServices,
		RunE: func(cmd *cobra.Command, args []string) error {
			a.batch.keepsFile()
			if history && usage.Given(once, every != "", f.reports != "", a.batch != nil) > 0 {
				return usage.Errorf(cmd, "--history shows earlier rounds: it takes names and no other flag")
			}
			if once && every != "" {
				return usage.Errorf(cmd, "--once and --every exclude each other")
			}
			if err := usage.Duration("--every", every, &f.every); err != nil {
				return err
			}
			if every != "" && f.every < time.Second {
				return usage.Errorf(nil, "--every %s: it must be at least 1s", every)
			}
			return a.with(cmd.Context(), func(p *project.Project) error {
				switch {
				case history:
					return a.monitorHistory(cmd.Context(), p, args)
				case f.every > 0:
					return a.monitorEvery(cmd.Context(), p, args, &f)
				}
				return a.monitor(cmd.Context(), p, args, &f)
			})
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&once, "once", false, "look once and end (the default)")
	flags.StringVar(&every, "every", "", "look again and again, with this time from one beginning to the next, such as 1h")
	flags.StringVar(&f.reports, "reports", "", "write an HTML report of each model, and an index.html, to this folder")
	flags.BoolVar(&history, "history", false, "show the rounds that the registry keeps, instead of looking")
	_ = cmd.MarkFlagDirname("reports")
	a.engineFlags(cmd)
	return cmd
}

// monitor runs one round.
func (a *app) monitor(ctx context.Context, p *project.Project, services []string, f *monitorFlags) error {
	progress := a.progress()
	found, err := p.Monitor(ctx, project.MonitorRequest{
		Services: services, Progress: func(of string, rows int64) { progress.Show(of, rows, 0) },
	})
	progress.Clear()
	if found == nil {
		return usage.In("monitor", err)
	}
	if found.Cut {
		return usage.In("monitor", err) // what the last round wrote stays
	}
	a.batch.monitored(found)
	if f.reports != "" && found.Skipped == "" {
		if lost := p.WriteReports(f.reports, found); err == nil && lost != nil {
			err = usage.Flagged("--reports", lost)
		}
	}
	if printed := a.printMonitored(found); err == nil {
		err = printed
	}
	if err == nil && !found.OK {
		return exitCode(statusCheck)
	}
	return usage.In("monitor", err)
}

// monitorEvery runs rounds until a signal. A round that began before the signal ends; the program does not wait for the next one.
func (a *app) monitorEvery(ctx context.Context, p *project.Project, services []string, f *monitorFlags) error {
	if _, err := p.MonitorHistory(ctx, services); err != nil {
		return usage.In("monitor", err) // a name that is wrong stays wrong
	}
	a.drains.Store(true)
	first := a.now()
	for {
		began := a.now()
		if a.batch != nil {
			a.batch.silent = false
			a.batch.keepsFile()
		}
		err := a.monitor(context.WithoutCancel(ctx), p, services, f)
		var fired exitCode
		if err != nil && !errors.As(err, &fired) {
			message, _ := fstore.Explain(err)
			a.warn(message + "; the next round begins at " + fstore.FormatTime(nextRound(first, a.now(), f.every)))
		}
		a.writeMetrics(context.WithoutCancel(ctx), began, err) // who reads the exit status finds the warning
		now := a.now()
		if fstore.Sleep(ctx, nextRound(first, now, f.every).Sub(now)) != nil {
			return nil //nolint:nilerr // a signal is how this ends
		}
	}
}

// nextRound returns the first instant after now that is a whole number of steps after the first round. A round that takes longer than a
// step takes the place of those that it misses, and the others keep their times.
func nextRound(first, now time.Time, every time.Duration) time.Time {
	return first.Add((now.Sub(first)/every + 1) * every)
}

func (a *app) printMonitored(m *project.Monitored) error {
	if a.json() {
		return a.printJSON(m)
	}
	if m.Skipped != "" {
		a.remark("Another round is under way, so this one did nothing: " + m.Skipped)
		return nil
	}
	t := m.Table()
	if t.Empty() {
		a.remark("There is nothing to monitor.")
		return nil
	}
	if err := t.Print(a.stdout); err != nil {
		return err
	}
	return a.printAfter(true, m.FiringTable())
}

func (a *app) monitorHistory(ctx context.Context, p *project.Project, services []string) error {
	all, err := p.MonitorHistory(ctx, services)
	if err != nil {
		return usage.In("monitor", err)
	}
	if a.json() {
		return a.printJSON(struct {
			History []project.MonitorHistory `json:"history"`
		}{all})
	}
	t := terminal.NewTable("OF", "WHEN", "BY", "OUTCOME", "CHECKS", "DRIFT", "FRESHNESS", "")
	for _, h := range all {
		for i := range h.Rounds {
			t.Row(append([]string{h.String()}, h.Rounds[i].HistoryRow()...)...)
		}
	}
	if t.Empty() {
		a.remark("Nothing has been monitored yet.")
	}
	return t.Print(a.stdout)
}
