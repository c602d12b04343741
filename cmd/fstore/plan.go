package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/fstore-dev/fstore/internal/terminal"
	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/project"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/registry/definition"
	"github.com/spf13/cobra"
)

func (a *app) planCommand() *cobra.Command {
	var detailed bool
	var leaks int
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what apply would change",
		Long: `Compare the definitions with the registry, and show what apply would do: what is added, changed and removed, which new
versions that makes and why, what depends on them, and what must be materialized. plan writes nothing.

--check-leaks also computes each new version that has SQL, and checks that it does not see the future, as
fstore verify --causal does. The exit status is then 4 if one does.`,
		Example: "  fstore plan\n  fstore plan --check-leaks\n  fstore plan --detailed-exitcode     0: no changes, 2: changes, 1: an error",
		Args:    usage.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), func(p *project.Project) error { return a.plan(cmd.Context(), p, detailed, leaks) })
		},
	}
	cmd.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit with 2 if there are changes, and with 1 for any error")
	cmd.Flags().IntVar(&leaks, "check-leaks", 0, "check at this many instants that new versions do not see the future (4 if no number is given)")
	cmd.Flags().Lookup("check-leaks").NoOptDefVal = "4"
	a.engineFlags(cmd)
	return cmd
}

// planChanged is the exit status of plan --detailed-exitcode if there are changes.
const planChanged = exitCode(2)

func (a *app) plan(ctx context.Context, p *project.Project, detailed bool, leaks int) error {
	plan, err := p.Plan(ctx)
	if err != nil {
		return err
	}
	checked, err := p.CheckPlan(ctx, plan, leaks)
	if err != nil {
		return err
	}
	if a.json() {
		plan.Changes, plan.Warnings = append([]registry.Change{}, plan.Changes...), a.masked(plan.Warnings)
		err = a.printJSON(struct {
			*registry.Plan
			Causality []project.CheckedView `json:"causality,omitempty"`
		}{plan, checked})
	} else {
		err = errors.Join(a.printPlan(plan), a.printChecked(checked, true))
	}
	if err == nil {
		err = project.LeakError(checked)
	}
	if err == nil && detailed && !plan.Empty() {
		return planChanged
	}
	return err
}

// printPlan prints a plan like terraform: a sign for each change, its fields beneath it, and a count at the end.
func (a *app) printPlan(p *registry.Plan) error {
	a.printWarnings(p.Warnings)
	if p.Empty() {
		_, err := fmt.Fprintf(a.stdout, "No changes: project %s is as defined (revision %d).\n", p.Project, p.Revision)
		return err
	}
	fmt.Fprintf(a.stdout, "Project %s at revision %d:\n\n", p.Project, p.Revision)
	counts := map[registry.Action]int{}
	for _, c := range p.Changes {
		counts[c.Action]++
		a.printChange(c)
	}
	heading := "\nTo materialize before they serve:"
	for i, ref := range p.Materialize {
		a.printUnder(&heading)
		fmt.Fprintf(a.stdout, "    %s%s\n", ref, project.CostNote(p.Costs, i))
	}
	heading = "\nStays live although head moves on:"
	for _, k := range p.Retained {
		a.printUnder(&heading)
		fmt.Fprintf(a.stdout, "    %s (%s)\n", k.Ref, strings.Join(k.Why, ", "))
	}
	a.printServices(p)
	a.printModels(p.Models)
	a.printNotes(p.Notes)
	_, err := fmt.Fprintf(a.stdout, "\nPlan: %d to add, %d to change, %d to remove.\n",
		counts[registry.Add], counts[registry.Modify], counts[registry.Remove])
	return err
}

// printServices prints what changes for callers of serving services: with the apply, and later.
func (a *app) printServices(p *registry.Plan) {
	heading := "\nChanges for callers, once this is applied:"
	for _, s := range p.Services {
		if s.To == 0 {
			a.printUnder(&heading)
			a.printPainted(red, fmt.Sprintf("    %s@%d is removed: its callers get NOT_FOUND   # BREAKING", s.Service, s.From))
		}
	}
	heading = "\nChanges for callers, once the new versions serve:"
	for _, name := range p.Forgotten {
		a.printUnder(&heading)
		a.printPainted(red, fmt.Sprintf("    requests with column %s are refused: nothing needs it any longer   # BREAKING", name))
	}
	for _, s := range p.Services {
		if s.To == 0 {
			continue
		}
		a.printUnder(&heading)
		fmt.Fprintf(a.stdout, "    %s@%d → @%d\n", s.Service, s.From, s.To)
		for _, c := range s.Changes {
			if c.Breaking {
				a.printPainted(red, fmt.Sprintf("      %s   # BREAKING", c))
			} else {
				fmt.Fprintf(a.stdout, "      %s\n", c)
			}
		}
	}
}

// printUnder prints a heading before the first line beneath it.
func (a *app) printUnder(heading *string) {
	if *heading != "" {
		fmt.Fprintln(a.stdout, *heading)
	}
	*heading = ""
}

// printModels says that pinned models are not affected, and what they keep live.
func (a *app) printModels(models []registry.ModelImpact) {
	heading := "\nPinned models:"
	for _, m := range models {
		a.printUnder(&heading)
		fmt.Fprintf(a.stdout, "    %s %s\n", m.Model, project.ModelNote(m))
	}
}

// printNotes prints assumptions.
func (a *app) printNotes(notes []string) {
	heading := "\nAssumptions:"
	for _, n := range project.PlanNotes(notes) {
		a.printUnder(&heading)
		fmt.Fprintf(a.stdout, "    %s\n      %s\n", n.Text, strings.Join(n.Views, ", "))
	}
}

func (a *app) printChange(c registry.Change) {
	sign, color := "~", yellow
	switch c.Action {
	case registry.Add:
		sign, color = "+", green
	case registry.Remove:
		sign, color = "-", red
	case registry.Modify: // as above
	}
	a.paint(color, fmt.Sprintf("  %s %s %s", sign, c.Kind, c.Name))
	fmt.Fprintln(a.stdout, project.VersionNote(c))
	for _, f := range c.Fields {
		a.printField(f)
	}
	if len(c.Request) > 0 {
		fmt.Fprintf(a.stdout, "      callers send beside the keys: %s\n", project.RequestText(c.Request))
	}
	if len(c.Dependents) > 0 && c.Action != registry.Add {
		fmt.Fprintf(a.stdout, "      used by %s\n", strings.Join(c.Dependents, ", "))
	}
}

// printField shows one field of a definition, before and after.
func (a *app) printField(f definition.FieldChange) {
	old, now := strings.TrimSpace(f.Old), strings.TrimSpace(f.New)
	why := ""
	if f.Why != "" {
		why = "   # " + f.Why
	}
	if strings.Contains(old+now, "\n") {
		fmt.Fprintf(a.stdout, "      %s:%s\n", f.Field, why)
		a.printLines(old, now)
		return
	}
	switch {
	case old == "":
		fmt.Fprintf(a.stdout, "      %s: %s%s\n", f.Field, now, why)
	case now == "":
		fmt.Fprintf(a.stdout, "      %s: %s → none%s\n", f.Field, old, why)
	default:
		fmt.Fprintf(a.stdout, "      %s: %s → %s%s\n", f.Field, old, now, why)
	}
}

// printLines prints a diff of a text: removed lines, added lines, and the number of unchanged ones.
func (a *app) printLines(old, now string) {
	for _, l := range terminal.LineDiff(strings.Split(old, "\n"), strings.Split(now, "\n")) {
		switch l[0] {
		case '-':
			a.printPainted(red, "        "+l)
		case '+':
			a.printPainted(green, "        "+l)
		}
	}
}
