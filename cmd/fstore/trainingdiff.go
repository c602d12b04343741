package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/registry"
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
		Args:    args(cobra.ExactArgs(2)), ValidArgsFunction: a.completeLocks,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.diffTrainingSets(cmd.Context(), args[0], args[1])
		},
	}
	return cmd
}

// setDifference is what diff prints.
type setDifference struct {
	Old         string           `json:"old"`
	New         string           `json:"new"`
	Same        bool             `json:"same"`         // nothing differs
	SameContent bool             `json:"same_content"` // the rows and columns do not
	Definitions []viewDifference `json:"definitions"`
	*offline.LockDifference
}

// viewDifference is a view that two training sets were made from different versions of.
type viewDifference struct {
	View   string                 `json:"view"`
	Old    int                    `json:"old,omitempty"` // version; 0: it is not used
	New    int                    `json:"new,omitempty"`
	Fields []registry.FieldChange `json:"fields"`
}

func (a *app) diffTrainingSets(ctx context.Context, first, second string) error {
	old, err := a.lockedSet(ctx, first)
	if err != nil {
		return err
	}
	now, err := a.lockedSet(ctx, second)
	if err != nil {
		return err
	}
	engine, err := a.openEngine(old.settings)
	if err != nil {
		return err
	}
	defer engine.Close()
	for _, set := range []*lockedSet{old, now} {
		if err := set.check(ctx, engine); err != nil {
			return err
		}
	}
	d := &setDifference{
		Old: first, New: second, SameContent: old.lock.Output.Content == now.lock.Output.Content,
		Definitions: viewDifferences(ctx, engine, old.lock.Views, now.lock.Views), LockDifference: offline.CompareLocks(old.lock, now.lock),
	}
	d.Same = d.SameContent && len(d.Definitions)+len(d.About)+len(d.Settings)+len(d.Labels)+len(d.Features)+len(d.Inputs)+len(d.Columns) == 0
	return a.printDifference(d)
}

// viewDifferences compares the views of one name. Where a training set has several versions of one, those that are the same
// in both are taken to be each other's, then the others in their order.
func viewDifferences(ctx context.Context, engine *offline.Engine, old, now []*fstore.ViewVersion) []viewDifference {
	out := []viewDifference{}
	names := []string{}
	for _, v := range append(slices.Clone(old), now...) {
		if !slices.Contains(names, v.Ref.Name) {
			names = append(names, v.Ref.Name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		was, is := versionsOf(old, name), versionsOf(now, name)
		for _, v := range slices.Clone(was) {
			if i := slices.IndexFunc(is, func(o *fstore.ViewVersion) bool { return sameVersion(ctx, engine, v, o) }); i >= 0 {
				is = slices.Delete(is, i, i+1)
				was = slices.DeleteFunc(was, func(o *fstore.ViewVersion) bool { return o == v })
			}
		}
		for i := range max(len(was), len(is)) {
			d := viewDifference{View: name}
			var a, b *fstore.ViewVersion
			if i < len(was) {
				a, d.Old = was[i], was[i].Ref.Version
			}
			if i < len(is) {
				b, d.New = is[i], is[i].Ref.Version
			}
			if d.Fields = registry.CompareVersions(ctx, engine, a, b); d.Fields == nil {
				d.Fields = []registry.FieldChange{}
			}
			out = append(out, d)
		}
	}
	return out
}

// sameVersion reports whether two versions give the same values, by their fingerprints and by their definitions: in the lock
// of another build the two may contradict each other.
func sameVersion(ctx context.Context, engine *offline.Engine, a, b *fstore.ViewVersion) bool {
	return a.Fingerprint == b.Fingerprint &&
		!slices.ContainsFunc(registry.CompareVersions(ctx, engine, a, b), func(c registry.FieldChange) bool { return c.Counts })
}

func versionsOf(views []*fstore.ViewVersion, name string) []*fstore.ViewVersion {
	return slices.DeleteFunc(slices.Clone(views), func(v *fstore.ViewVersion) bool { return v.Ref.Name != name })
}

func (a *app) printDifference(d *setDifference) error {
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
	t := newTable("WHAT", "", d.Old, d.New)
	for _, group := range []struct {
		name string
		all  []offline.Difference
	}{{"made", d.About}, {"setting", d.Settings}, {"labels", d.Labels}, {"feature", d.Features}} {
		for _, x := range group.all {
			t.row(group.name, x.Name, orDash(oneLine(x.Old)), orDash(oneLine(x.New)))
		}
	}
	if err := a.printAfter(len(d.Definitions) > 0, t); err != nil {
		return err
	}
	files := newTable("INPUT", "CHANGE", "FILE")
	for _, in := range d.Inputs {
		path := shortPath(in.Path)
		if in.From != "" {
			path = shortPath(in.From) + " → " + path
		}
		files.row(orElse(in.Source, "labels"), in.Change, path)
	}
	if err := a.printAfter(true, files); err != nil {
		return err
	}
	columns := newTable("COLUMN", "DIFFERENCE")
	for _, c := range d.Columns {
		columns.row(c.Name, c.What)
	}
	if err := a.printAfter(true, columns); err != nil {
		return err
	}
	if d.SameContent {
		fmt.Fprintln(a.stdout, "\nThe content is the same.")
	}
	return nil
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// printAfter prints a table that has rows, behind an empty line where there is something before it.
func (a *app) printAfter(something bool, t *table) error {
	if something && len(t.rows) > 0 {
		fmt.Fprintln(a.stdout)
	}
	return t.print(a.stdout)
}

func (a *app) printViewDifference(v viewDifference) {
	switch {
	case v.Old == 0:
		a.printPainted(green, fmt.Sprintf("+ feature_view %s@%d", v.View, v.New))
		return
	case v.New == 0:
		a.printPainted(red, fmt.Sprintf("- feature_view %s@%d", v.View, v.Old))
		return
	}
	a.printPainted(yellow, fmt.Sprintf("~ feature_view %s@%d → @%d", v.View, v.Old, v.New))
	for _, c := range v.Fields {
		a.printField(c)
	}
}

// oneLine writes a text on one line.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
