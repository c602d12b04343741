package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/registry"
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
		Args:    args(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.gc(cmd.Context(), dry) },
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "list what would be deleted, and delete nothing")
	cmd.Flags().String("grace", "", "keep data this long after its version stopped being live, such as 12h (setting gc.grace)")
	settingFlag(cmd, "grace", "gc.grace")
	return cmd
}

// collected is what gc prints as JSON.
type collected struct {
	DryRun bool   `json:"dry_run"`
	Grace  string `json:"grace"`
	*materialize.Garbage
	Snapshots []offline.Blob `json:"snapshots,omitempty"` // inputs of training sets that no lock needs any more
	Leases    []string       `json:"leases,omitempty"`    // that expired long ago and were forgotten
}

// leaseRest is how long an expired lease is left: a holder that was slow to renew it may still do so.
const leaseRest = 24 * time.Hour

func (a *app) gc(ctx context.Context, dry bool) error {
	s, db, err := a.openRegistry(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	store, err := openStore(s)
	if err != nil {
		return err
	}
	defer store.Close()
	leases, err := newLeases(db, s.Project)
	if err != nil {
		return err
	}
	if !dry {
		if err := db.NoteIdle(ctx, s.Project, a.now()); err != nil {
			return err
		}
	}
	progress := a.progress()
	o := materialize.CollectOptions{
		Lives: func(ctx context.Context) ([]materialize.Life, error) { return lives(ctx, db, s.Project) },
		Now:   a.now(), Grace: s.Grace, State: filepath.Join(s.State, s.Project), Storage: store, Leases: leases, Clock: clock{a.now},
	}
	found, err := materialize.Survey(ctx, o)
	if err != nil {
		return err
	}
	snapshots, err := unneededSnapshots(ctx, s, db)
	if err := keptSnapshots(found, err); err != nil {
		return err
	}
	defer snapshots.Close()
	out := collected{DryRun: dry, Grace: fstore.Duration(s.Grace).String(), Garbage: found, Snapshots: snapshots.Blobs()}
	if !a.json() {
		if err := a.printGarbage(out); err != nil {
			return err
		}
	}
	if !dry {
		total := int64(0)
		for _, w := range found.Items {
			total += w.Records
		}
		o.Progress = func(dropped int64) { progress.show("gc", dropped, total) }
		out.Garbage, err = materialize.Collect(ctx, o, found)
		progress.clear()
		if err != nil {
			return err
		}
		if err := snapshots.Remove(); err != nil {
			return err
		}
		if out.Leases, err = db.DropLeases(ctx, s.Project, a.now().Add(-leaseRest)); err != nil {
			return err
		}
	}
	if a.json() {
		return a.printJSON(out)
	}
	return a.printCollected(out, len(found.Kept))
}

// keptSnapshots says why no snapshot can be deleted now; what else there is to collect is collected all the same.
func keptSnapshots(found *materialize.Garbage, err error) error {
	for _, kind := range []error{fstore.ErrConflict, fstore.ErrInvalid, fstore.ErrCorrupt} {
		if errors.Is(err, kind) {
			message, hints := explain(err)
			found.Kept = append(found.Kept, materialize.Kept{Why: strings.Join(append([]string{"snapshots of training sets: " + message}, hints...), "; ")})
			return nil
		}
	}
	return err
}

// lives returns what the registry says of every view version, as a collection wants it.
func lives(ctx context.Context, db *registry.DB, project string) ([]materialize.Life, error) {
	all, err := db.Lives(ctx, project)
	out := make([]materialize.Life, len(all))
	for i, l := range all {
		out[i] = materialize.Life(l)
	}
	return out, err
}

// printGarbage says what can be deleted and what cannot be yet.
func (a *app) printGarbage(c collected) error {
	if len(c.Items)+len(c.Snapshots) > 0 {
		t := newTable("DELETE", "VIEW", "GENERATION", "RECORDS", "WHY")
		for _, w := range c.Items {
			t.row(string(w.Kind), viewText(w.View), orDash(string(w.Generation)), thousands(w.Records), w.Why)
		}
		for _, b := range c.Snapshots {
			t.row("snapshot", "-", b.SHA256[:16], "-", "no lock needs it: "+thousands(b.Size)+" bytes")
		}
		if err := t.print(a.stdout); err != nil {
			return err
		}
	}
	return a.printKept(c.Kept)
}

func (a *app) printKept(kept []materialize.Kept) error {
	if len(kept) == 0 {
		return nil
	}
	t := newTable("KEEP", "GENERATION", "WHY")
	for _, k := range kept {
		t.row(viewText(k.View), orDash(string(k.Generation)), k.Why)
	}
	return t.print(a.stdout)
}

func viewText(ref fstore.ViewRef) string {
	if ref.Name == "" {
		return "-"
	}
	return ref.String()
}

// printCollected says what was deleted, and what was kept that the survey took for garbage.
func (a *app) printCollected(c collected, known int) error {
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
		also = " and " + count(n, "snapshot")
	}
	fmt.Fprintf(a.stdout, "Deleted %s%s.\n", recordCount(records), also)
	if len(views) > 0 {
		fmt.Fprintf(a.stdout, "Gone from the store: %s\n", joined(views))
	}
	return nil
}

func recordCount(n int64) string {
	if n == 1 {
		return "1 record"
	}
	return thousands(n) + " records"
}
