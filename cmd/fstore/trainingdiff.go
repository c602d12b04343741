package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/fstore-dev/fstore/internal/terminal"
	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/project"
	"github.com/spf13/cobra"
)

func (a *app) diffTrainingSetsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "diff NAME|LOCKFILE NAME|LOCKFILE",
		Short: "Compare two training sets",
		Long: `Compare two training sets by their locks: builds, definitions field by field, features, labels, input files, settings,
and the columns by their statistics. The Parquet files are not read. The exit status is 0 whether they differ or not;
the JSON output says which.`,
		Example: "  fstore training-set diff churn_2025 churn_2024\n  fstore training-set diff churn_2025 churn_2024.lock.json --output json",
		Args:    usage.Args(cobra.ExactArgs(2)), ValidArgsFunction: a.completeLocks,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withLocks(cmd.Context(), func(p *project.Project) error {
				d, err := p.DiffTrainingSets(cmd.Context(), args[0], args[1])
				if err != nil {
					return err
				}
				return a.printDifference(d)
			}, args...)
		},
	}
	return cmd
}

func (a *app) printDifference(d *project.SetDifference) error {
	if a.json() {
		return a.printJSON(d)
	}
	if d.Same {
		fmt.Fprintf(a.stdout, "%s and %s do not differ.\n", d.Old, d.New)
		return nil
	}
	for _, v := range d.Definitions {
		a.printViewDifference(v)
	}
	t := terminal.NewTable("WHAT", "", d.Old, d.New)
	for _, group := range []struct {
		name string
		all  []lock.Difference
	}{{"made", d.About}, {"setting", d.Settings}, {"labels", d.Labels}, {"feature", d.Features}} {
		for _, x := range group.all {
			t.Row(group.name, x.Name, orDash(oneLine(x.Old)), orDash(oneLine(x.New)))
		}
	}
	if err := a.printAfter(len(d.Definitions) > 0, t); err != nil {
		return err
	}
	files := terminal.NewTable("INPUT", "CHANGE", "FILE")
	for _, in := range d.Inputs {
		path := project.ShortPath(in.Path)
		if in.From != "" {
			path = project.ShortPath(in.From) + " → " + path
		}
		files.Row(cmp.Or(in.Source, "labels"), in.Change, path)
	}
	if err := a.printAfter(true, files); err != nil {
		return err
	}
	columns := terminal.NewTable("COLUMN", "DIFFERENCE")
	for _, c := range d.Columns {
		columns.Row(c.Name, c.What)
	}
	if err := a.printAfter(true, columns); err != nil {
		return err
	}
	if d.SameContent {
		fmt.Fprintln(a.stdout, "\nThe content is the same.")
	}
	return nil
}

// printAfter prints a table that has rows, after an empty line if there is output before it.
func (a *app) printAfter(something bool, t *terminal.Table) error {
	if something && !t.Empty() {
		fmt.Fprintln(a.stdout)
	}
	return t.Print(a.stdout)
}

func (a *app) printViewDifference(v project.ViewDifference) {
	switch {
	case v.Old == 0:
		a.printPainted(green, fmt.Sprintf("+ %s %s@%d", cmp.Or(v.Kind, "feature_view"), v.View, v.New))
		return
	case v.New == 0:
		a.printPainted(red, fmt.Sprintf("- %s %s@%d", cmp.Or(v.Kind, "feature_view"), v.View, v.Old))
		return
	}
	a.printPainted(yellow, fmt.Sprintf("~ %s %s@%d → @%d", cmp.Or(v.Kind, "feature_view"), v.View, v.Old, v.New))
	for _, c := range v.Fields {
		a.printField(c)
	}
}

// oneLine writes a text on one line.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
