package main

import (
	"context"
	"fmt"
	"slices"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/internal/terminal"
	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/project"
	"github.com/spf13/cobra"
)

func (a *app) gcCommand() *cobra.Command {
	var dry bool
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "Delete data that nothing uses",
		Long: `Delete unused data from the online store and the state folder: view versions that head, serving and model pins have
not used for the grace period, old generations, and records that belong to nothing. Delete snapshots of inputs that no
lock needs. gc first lists what it will delete. Definitions always stay.

gc works in small steps and does not disturb runs and readers. It skips a view that is being materialized.`,
		Example: "  fstore gc --dry-run\n  fstore gc --grace 12h --output json",
		Args:    usage.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), func(p *project.Project) error { return a.gc(cmd.Context(), p, dry) })
		},
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "list what would be deleted, and delete nothing")
	cmd.Flags().String("grace", "", "keep data this long after its version stopped being live, such as 12h (setting gc.grace)")
	settingFlag(cmd, "grace", "gc.grace")
	return cmd
}

func (a *app) gc(ctx context.Context, p *project.Project, dry bool) error {
	progress, known := a.progress(), 0
	out, err := p.GC(ctx, project.GCOptions{
		DryRun: dry,
		Found: func(g *project.Garbage) error {
			if known = len(g.Kept); a.json() {
				return nil
			}
			return a.printGarbage(g)
		},
		Progress: func(dropped, total int64) { progress.Show("gc", dropped, total) },
	})
	progress.Clear()
	if err != nil {
		return err
	}
	if a.json() {
		return a.printJSON(out)
	}
	return a.printCollected(out, known)
}

// printGarbage lists what can be deleted, and what must stay for now.
func (a *app) printGarbage(c *project.Garbage) error {
	if len(c.Items)+len(c.Snapshots) > 0 {
		t := terminal.NewTable("DELETE", "VIEW", "GENERATION", "RECORDS", "WHY")
		for _, w := range c.Items {
			t.Row(string(w.Kind), viewText(w.View), orDash(string(w.Generation)), english.Thousands(w.Records), w.Why)
		}
		for _, b := range c.Snapshots {
			t.Row("snapshot", "-", b.SHA256[:16], "-", "no lock needs it: "+english.Thousands(b.Size)+" bytes")
		}
		if err := t.Print(a.stdout); err != nil {
			return err
		}
	}
	return a.printKept(c.Kept)
}

func (a *app) printKept(kept []materialize.Kept) error {
	if len(kept) == 0 {
		return nil
	}
	t := terminal.NewTable("KEEP", "GENERATION", "WHY")
	for _, k := range kept {
		t.Row(viewText(k.View), orDash(string(k.Generation)), k.Why)
	}
	return t.Print(a.stdout)
}

func viewText(ref fstore.ViewRef) string {
	if ref.Name == "" {
		return "-"
	}
	return ref.String()
}

// printCollected lists what was deleted, and what was kept although the survey listed it as garbage.
func (a *app) printCollected(c *project.Garbage, known int) error {
	if err := a.printKept(c.Kept[min(known, len(c.Kept)):]); err != nil || c.DryRun && len(c.Items)+len(c.Snapshots) > 0 {
		return err
	}
	if len(c.Items)+len(c.Snapshots) == 0 {
		_, err := fmt.Fprintf(a.stdout, "Nothing to delete (grace period %s).\n", c.Grace)
		return err
	}
	records, views := int64(0), []fstore.ViewRef{}
	for _, w := range c.Items {
		records += w.Records
		if w.Kind == materialize.DeadVersion && !slices.Contains(views, w.View) {
			views = append(views, w.View)
		}
	}
	also := ""
	if n := len(c.Snapshots); n > 0 {
		also = " and " + english.Count(n, "snapshot")
	}
	fmt.Fprintf(a.stdout, "Deleted %s%s.\n", recordCount(records), also)
	if len(views) > 0 {
		fmt.Fprintf(a.stdout, "Gone from the store: %s\n", project.Joined(views))
	}
	return nil
}

func recordCount(n int64) string {
	if n == 1 {
		return "1 record"
	}
	return english.Thousands(n) + " records"
}
