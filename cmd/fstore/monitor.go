package main

import (
	"context"

	"github.com/fstore-dev/fstore/internal/terminal"
	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/project"
	"github.com/spf13/cobra"
)

func (a *app) monitorCommand() *cobra.Command {
	var history bool
	cmd := &cobra.Command{
		Use:   "monitor [SERVICE…]",
		Short: "Check, compare and time everything that live models use",
		Long: `Look at everything that live models use, once: whether expectations hold (as fstore check), whether what is published has drifted
from what each model was trained on (as fstore drift --current store), and whether it is fresh (as fstore freshness). Without names,
it looks at every pinned model, every service, and every other live view and source.

A model is compared with the training set that it is pinned to, or with that of "monitor" in the service's definition. docs/monitoring.md
says what each line means and what to do.

The exit status is 4 if anything fires: an expectation of severity error does not hold, more features drifted than fail_on allows, or
a view is late or not published. The registry keeps the latest rounds; --history shows them. One round runs at a time: while another
one is under way, the command says so, does nothing, and the status is 0.`,
		Example: `  fstore monitor
  fstore monitor churn --output json
  fstore monitor --metrics-file monitor.prom
  fstore monitor --history churn`,
		ValidArgsFunction: a.completeServices,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd.Context(), func(p *project.Project) error {
				if history {
					return a.monitorHistory(cmd.Context(), p, args)
				}
				return a.monitor(cmd.Context(), p, args)
			})
		},
	}
	cmd.Flags().BoolVar(&history, "history", false, "show the rounds that the registry keeps, instead of looking")
	a.engineFlags(cmd)
	return cmd
}

// monitor runs one round.
func (a *app) monitor(ctx context.Context, p *project.Project, services []string) error {
	progress := a.progress()
	found, err := p.Monitor(ctx, project.MonitorRequest{
		Services: services, Progress: func(of string, rows int64) { progress.Show(of, rows, 0) },
	})
	progress.Clear()
	if found == nil {
		return usage.In("monitor", err)
	}
	a.batch.monitored(found)
	if printed := a.printMonitored(found); err == nil {
		err = printed
	}
	if err == nil && !found.OK {
		return exitCode(statusCheck)
	}
	return usage.In("monitor", err)
}

func (a *app) printMonitored(m *project.Monitored) error {
	if a.json() {
		for _, of := range m.Models {
			for i := range of.Errors {
				of.Errors[i] = a.mask(of.Errors[i])
			}
		}
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
		a.remark("Nothing was monitored yet.")
	}
	return t.Print(a.stdout)
}
