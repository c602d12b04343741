package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/fstore-dev/fstore/internal/terminal"
	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/project"
	"github.com/fstore-dev/fstore/registry"
	"github.com/spf13/cobra"
)

func (a *app) applyCommand() *cobra.Command {
	var f applyFlags
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Register the definitions",
		Long: `Register the definitions, in one transaction. On a terminal, apply shows the plan and asks; elsewhere give --yes.
The old versions are served until the new ones have been materialized.

apply refuses a plan that breaks callers of a serving service, unless --breaking is given. A plan breaks callers if they
must send another key column or request column, if a column or an output changes its type, if an output or the service
is removed, or if a column that they may send becomes unknown.`,
		Example: "  fstore apply\n  fstore apply --yes --message 'returns count against the order'\n  fstore apply --yes --breaking",
		Args:    usage.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !f.yes && !terminal.IsTerminal(a.stdin) {
				return usage.Errorf(nil, "apply asks first, but this is not a terminal").WithHint("give --yes to apply without being asked")
			}
			if !f.yes && a.json() {
				return usage.Errorf(cmd, "--output json does not ask: give --yes too")
			}
			return a.with(cmd.Context(), func(p *project.Project) error { return a.apply(cmd.Context(), p, f) })
		},
	}
	cmd.Flags().BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVar(&f.breaking, "breaking", false, "apply even if callers of a serving service break")
	cmd.Flags().StringVarP(&f.message, "message", "m", "", "reason for the change, recorded with the commit")
	a.engineFlags(cmd)
	return cmd
}

// applyFlags are the flags of apply.
type applyFlags struct {
	yes, breaking bool
	message       string
}

func (a *app) apply(ctx context.Context, p *project.Project, f applyFlags) error {
	plan, err := p.Plan(ctx)
	if err != nil {
		return err
	}
	if !a.json() {
		if err := a.printPlan(plan); err != nil {
			return err
		}
	}
	if err := project.CheckBreaking(plan); err != nil && !f.breaking {
		return err
	}
	if !plan.Empty() && !f.yes && !a.confirm(ctx) {
		fmt.Fprintln(a.stdout, "Nothing was applied.")
		return exitCode(statusFailed)
	}
	applied, err := p.Apply(ctx, plan, project.ApplyOptions{Message: f.message, Breaking: f.breaking})
	if applied == nil {
		return err
	}
	return errors.Join(a.printApplied(applied), err) // the plan is applied even if a later step failed
}

// confirm asks. No answer means no, and so does a signal.
func (a *app) confirm(ctx context.Context) bool {
	fmt.Fprint(a.stderr, "\nApply this? Only yes applies it: ")
	answered := make(chan string, 1)
	go func() { // a read cannot be stopped: without an answer, the goroutine ends with the program
		answer, err := bufio.NewReader(a.stdin).ReadString('\n')
		if err != nil {
			fmt.Fprintln(a.stderr) // the answer did not end the line
		}
		answered <- strings.TrimSpace(answer)
	}()
	select {
	case answer := <-answered:
		return answer == "yes"
	case <-ctx.Done():
		fmt.Fprintln(a.stderr)
		return false
	}
}

func (a *app) printApplied(applied *project.Applied) error {
	if a.json() {
		applied.Plan.Changes = append([]registry.Change{}, applied.Plan.Changes...)
		return a.printJSON(applied)
	}
	if applied.Commit != nil {
		fmt.Fprintf(a.stdout, "Applied as commit %d.\n", applied.Commit.ID)
	}
	a.printPromotions(applied.Promotions)
	if applied.Commit != nil && len(applied.Plan.Materialize) > 0 {
		fmt.Fprintln(a.stdout, "Next: fstore materialize")
	}
	return nil
}

// printPromotions lists the versions that serve now and did not before.
func (a *app) printPromotions(promoted []registry.Promotion) {
	for _, kind := range []registry.Kind{registry.KindView, registry.KindOnDemand, registry.KindService} {
		var names []string
		for _, p := range promoted {
			switch {
			case p.Kind != kind:
			case p.From == 0:
				names = append(names, fmt.Sprintf("%s@%d", p.Name, p.To))
			default:
				names = append(names, fmt.Sprintf("%s@%d instead of @%d", p.Name, p.To, p.From))
			}
		}
		if len(names) > 0 {
			fmt.Fprintf(a.stdout, "Served now: %s %s\n", kind, strings.Join(names, ", "))
		}
	}
}
