package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/fstore-dev/fstore/internal/terminal"
	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/project"
	"github.com/fstore-dev/fstore/project/github"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/registry/definition"
	"github.com/spf13/cobra"
)

func (a *app) planCommand() *cobra.Command {
	var f planFlags
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what apply would change",
		Long: `Compare the definitions with the registry, and show what apply would do: what is added, changed and removed, which new
versions that makes and why, what depends on them, and what must be materialized. plan writes nothing.

--check-leaks also computes each new version that has SQL, and checks that it does not see the future, as
fstore verify --causal does. The exit status is then 4 if one does.

--output markdown prints the plan, or why there is none, for a comment on a pull request: at most 65,535 characters. The
first line is a hidden marker with the project's name, by which a workflow finds its comment again. --summary FILE also
adds the plan to a file, up to 1 MiB.`,
		Example: `  fstore plan
  fstore plan --check-leaks
  fstore plan --detailed-exitcode     0: no changes, 2: changes, 1: an error
  fstore plan --output markdown --summary summary.md > comment.md`,
		Args: usage.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.summary != "" && a.output != outputMarkdown {
				return usage.Errorf(cmd, "--summary needs --output markdown")
			}
			return a.with(cmd.Context(), func(p *project.Project) error { return a.plan(cmd.Context(), p, f) })
		},
	}
	cmd.Flags().BoolVar(&f.detailed, "detailed-exitcode", false, "exit with 2 if there are changes, and with 1 for any error")
	cmd.Flags().IntVar(&f.leaks, "check-leaks", 0, "check at this many instants that new versions do not see the future (4 if no number is given)")
	cmd.Flags().Lookup("check-leaks").NoOptDefVal = "4"
	cmd.Flags().StringVar(&f.summary, "summary", "", "with --output markdown: file to add the plan to, such as $GITHUB_STEP_SUMMARY")
	a.outputFlag(cmd, cmd.Flags(), outputTable, outputJSON, outputMarkdown)
	a.engineFlags(cmd)
	return cmd
}

// planFlags are the flags of plan.
type planFlags struct {
	detailed bool
	leaks    int    // instants
	summary  string // file
}

// planChanged is the exit status of plan --detailed-exitcode if there are changes.
const planChanged = exitCode(2)

func (a *app) plan(ctx context.Context, p *project.Project, f planFlags) error {
	plan, checked, err := planned(ctx, p, f.leaks)
	switch {
	case a.output == outputMarkdown && err != nil:
		problems := a.masked(github.ProblemsOf(err))
		return errors.Join(err, a.printMarkdown(f.summary, func(l github.Limit) string { return github.Failure(p.Settings.Project, problems, l) }))
	case err != nil:
		return err
	case a.output == outputMarkdown:
		plan.Warnings = a.masked(plan.Warnings)
		err = a.printMarkdown(f.summary, func(l github.Limit) string { return github.Plan(plan, checked, l) })
	case a.json():
		plan.Changes, plan.Warnings = append([]registry.Change{}, plan.Changes...), a.masked(plan.Warnings)
		err = a.printJSON(struct {
			*registry.Plan
			Causality []project.CheckedView `json:"causality,omitempty"`
		}{plan, checked})
	default:
		err = errors.Join(a.printPlan(plan), a.printChecked(checked, true))
	}
	if err == nil {
		err = project.LeakError(checked)
	}
	if err == nil && f.detailed && !plan.Empty() {
		return planChanged
	}
	return err
}

// planned returns the plan, and whether its new versions see the future.
func planned(ctx context.Context, p *project.Project, leaks int) (*registry.Plan, []project.CheckedView, error) {
	plan, err := p.Plan(ctx)
	if err != nil {
		return nil, nil, err
	}
	checked, err := p.CheckPlan(ctx, plan, leaks)
	return plan, checked, err
}

// printMarkdown prints a page for a comment. If a file is named, the page is added to it too, and may be longer there.
func (a *app) printMarkdown(summary string, page func(github.Limit) string) error {
	const text = "`fstore plan` shows the rest."
	rest := text
	if summary != "" {
		rest = "The summary of the job has the rest."
		file, err := os.OpenFile(summary, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err == nil {
			_, err = file.WriteString(page(github.Summary(text)))
			err = errors.Join(err, file.Close())
		}
		if err != nil {
			return fmt.Errorf("--summary: %w", err)
		}
	}
	_, err := fmt.Fprint(a.stdout, page(github.Comment(rest)))
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
