package main

import (
	"context"
	"fmt"
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/terminal"
	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/project"
	"github.com/spf13/cobra"
)

func (a *app) notifyCommand() *cobra.Command {
	var test bool
	cmd := &cobra.Command{
		Use:   "notify [--test [TARGET…]]",
		Short: "Show what fires and who was told, or send a test message",
		Long: `Show the alerts that fire, since when, and which targets of "notify" in fstore.yaml were told. materialize, check, freshness and
monitor send a message when an alert begins to fire and when it is resolved, once for each. What could not be sent is sent by
the next of them.

With --test, send a test message to every target, or to those named. The exit status is 4 if one does not take it. PagerDuty
gets an incident of severity info, which is resolved at once.`,
		Example:           "  fstore notify\n  fstore notify --test\n  fstore notify --test pagerduty",
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !test && len(args) > 0 {
				return usage.Errorf(cmd, "only --test takes names of targets")
			}
			return a.with(cmd.Context(), func(p *project.Project) error {
				if test {
					return a.testAlerts(cmd.Context(), p, args)
				}
				return a.alerts(cmd.Context(), p)
			})
		},
	}
	cmd.Flags().BoolVar(&test, "test", false, "send a test message instead")
	return cmd
}

func (a *app) alerts(ctx context.Context, p *project.Project) error {
	all, err := p.Alerts(ctx)
	if err != nil {
		return err
	}
	if a.json() {
		return a.printJSON(all)
	}
	if len(all.Targets) == 0 {
		a.remark("Nobody is notified: fstore.yaml has no target of notify. See docs/notify.md.")
	}
	t := terminal.NewTable("EVENT", "SUBJECT", "FOUND BY", "STATE", "SINCE", "TOLD", "SUMMARY")
	for i := range all.Alerts {
		s := &all.Alerts[i]
		t.Row(string(s.Event), s.Subject.String(), s.By, string(s.State), fstore.FormatTime(s.Since), toldText(s.Targets), s.Summary)
	}
	if t.Empty() {
		a.remark("Nothing fires.")
	}
	return t.Print(a.stdout)
}

// toldText names the targets that know, and those that do not.
func toldText(all []project.AlertTold) string {
	var parts []string
	for _, t := range all {
		switch {
		case t.Told:
			parts = append(parts, t.Target)
		case t.Failed > 0:
			parts = append(parts, fmt.Sprintf("not %s (failed %d×)", t.Target, t.Failed))
		default:
			parts = append(parts, "not "+t.Target)
		}
	}
	if len(parts) == 0 {
		return "-"
	}
	return strings.Join(parts, ", ")
}

func (a *app) testAlerts(ctx context.Context, p *project.Project, names []string) error {
	all, err := p.TestAlerts(ctx, names)
	if err != nil {
		return err
	}
	ok := true
	for _, t := range all {
		ok = ok && t.OK
	}
	if a.json() {
		err = a.printJSON(struct {
			OK    bool                `json:"ok"`
			Tests []project.AlertTest `json:"tests"`
		}{ok, all})
	} else {
		t := terminal.NewTable("TARGET", "HOST", "FORMAT", "OUTCOME")
		for _, test := range all {
			outcome := "taken"
			if !test.OK {
				outcome = test.Error
			}
			t.Row(test.Name, test.Host, string(test.Format), outcome)
		}
		err = t.Print(a.stdout)
	}
	if err == nil && !ok {
		return exitCode(statusCheck)
	}
	return err
}
