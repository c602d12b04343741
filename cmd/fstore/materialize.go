package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/registry"
	"github.com/spf13/cobra"
)

type materializeFlags struct {
	to           string
	full, rewind bool
	wait         string
}

func (a *app) materializeCommand() *cobra.Command {
	var f materializeFlags
	cmd := &cobra.Command{
		Use:   "materialize [VIEW[@VERSION]…]",
		Short: "Update the online store",
		Long: `Update the online store to an instant: compute each live view version (or those named), compare it with what the
store holds, write the differences, and publish. Running it again writes nothing. If files, definition and build have
not changed since the last publication, it does not even compute. Serving is never interrupted. Services switch to new
versions once all their views are published.

A view with a publish schedule is published at the last instant of its schedule up to --to, any other view at --to.`,
		Example: `  fstore materialize customer_orders --to 2025-12-01
  fstore materialize
  fstore materialize --wait 10m --output json      from a scheduler; one line of JSON per view`,
		ValidArgsFunction: a.completeViews,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.materialize(cmd.Context(), args, f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.to, "to", "", "instant to update to (default: now)")
	flags.BoolVar(&f.full, "full", false, "write everything to a new generation, whatever the store holds; replaces an unreadable pointer")
	flags.BoolVar(&f.rewind, "rewind", false, "allow an instant before the published one")
	flags.StringVar(&f.wait, "wait", "", "wait this long for another run of the same view, such as 10m (default: do not wait)")
	a.engineFlags(cmd)
	return cmd
}

// materialize runs the views, prints a summary of each and lets what is now published serve.
func (a *app) materialize(ctx context.Context, args []string, f materializeFlags) error {
	o := materialize.Options{Now: a.now, Build: buildIdentity(), Clock: clock{a.now}}
	if err := f.options(&o); err != nil {
		return err
	}
	s, db, err := a.openRegistry(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	snap, err := db.Snapshot(ctx, s.Project)
	if err != nil {
		return err
	}
	if snap.Revision == 0 {
		return nothingApplied(s)
	}
	if o.Views, err = viewsNamed(snap, args); err != nil {
		return err
	}
	store, err := openStore(s)
	if err != nil {
		return err
	}
	defer store.Close()
	if err := a.checkStore(ctx, store); err != nil {
		return err
	}
	engine, err := a.openEngine(s)
	if err != nil {
		return err
	}
	defer engine.Close()
	leases, err := newLeases(db, s.Project)
	if err != nil {
		return err
	}
	progress := a.progress()
	o.State, o.Store = filepath.Join(s.State, s.Project), s.Online.String()
	o.Source, o.Sink, o.Leases = engine, sink{store}, leases
	o.Progress = func(p materialize.Progress) { progress.show(p.View.String()+" "+string(p.Stage), p.Done, p.Total) }

	summaries, runErr := materialize.Run(ctx, o)
	progress.clear()
	if err := a.printSummaries(summaries); err != nil {
		return err
	}
	promoted, err := a.promote(context.WithoutCancel(ctx), s, db, store)
	if err == nil && !a.json() {
		a.printPromotions(promoted)
	}
	return errors.Join(runErr, err)
}

// options fills in what the flags say.
func (f materializeFlags) options(o *materialize.Options) error {
	if f.to != "" {
		to, err := instant("--to", f.to)
		if err != nil {
			return err
		}
		o.To = to
	}
	if f.full {
		o.Mode |= materialize.Full
	}
	if f.rewind {
		o.Mode |= materialize.Rewind
	}
	if f.wait != "" {
		wait, err := fstore.ParseDuration(f.wait)
		if err != nil {
			return usageOf("--wait: ", err)
		}
		o.Wait = time.Duration(wait)
	}
	return nil
}

// viewsNamed returns the live view versions of the names given; without names, all. A name with a version stands
// for that version alone.
func viewsNamed(snap *registry.Snapshot, args []string) ([]*fstore.ViewVersion, error) {
	live := snap.Live()
	if len(args) == 0 {
		return live, nil
	}
	var views []*fstore.ViewVersion
	for _, arg := range args {
		ref, err := fstore.ParseRef(arg)
		if err != nil {
			return nil, usageOf("materialize: ", err)
		}
		var named []*fstore.ViewVersion
		if ref.Version == 0 {
			named = slices.DeleteFunc(slices.Clone(live), func(v *fstore.ViewVersion) bool { return v.Ref.Name != ref.Name })
		} else if v := snap.View(ref); v != nil {
			named = append(named, v)
		}
		if len(named) == 0 {
			return nil, noLiveView(snap, ref)
		}
		for _, v := range named {
			if !slices.Contains(views, v) {
				views = append(views, v)
			}
		}
	}
	return views, nil
}

// noLiveView says that there is no such view to materialize.
func noLiveView(snap *registry.Snapshot, ref fstore.ViewRef) error {
	var names []string
	for _, v := range snap.Live() {
		names = append(names, v.Ref.Name)
	}
	switch {
	case ref.Version > 0 && slices.Contains(names, ref.Name):
		return fstore.Errorf(fstore.ErrNotFound, "there is no feature_view %s", ref).WithHint("run fstore show %s for its versions", ref.Name)
	case slices.ContainsFunc(snap.Services(), func(s registry.ServiceStatus) bool { return s.Ref.Name == ref.Name }):
		return fstore.Errorf(fstore.ErrNotFound, "there is no live view %s: it is a feature_service", ref.Name).
			WithHint("name its views, which fstore show service/%s lists; without names all are materialized", ref.Name)
	}
	hint := registry.DidYouMean(ref.Name, slices.Compact(names))
	if hint == "" {
		hint = "fstore list views shows those there are"
	}
	return fstore.Errorf(fstore.ErrNotFound, "there is no live view %s", ref.Name).WithHint("%s", hint)
}

// checkStore refuses a store that loses what it is given or takes nothing, and passes on its warning.
func (a *app) checkStore(ctx context.Context, store *online.Store) error {
	warning, err := store.Check(ctx)
	if err != nil {
		return fmt.Errorf("check the online store: %w", err)
	}
	if warning != "" {
		fmt.Fprintf(a.stderr, "warning: %s\n", warning)
	}
	return store.CheckWrite(ctx)
}

func (a *app) printSummaries(summaries []materialize.Summary) error {
	if a.json() {
		for _, s := range summaries {
			s.Error = a.mask(s.Error)
			line, err := json.Marshal(s)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(a.stdout, "%s\n", line); err != nil {
				return err
			}
		}
		return nil
	}
	t := newTable("VIEW", "PUBLISHED", "KEYS", "WRITTEN", "DELETED", "UNCHANGED", "BYTES", "SECONDS", "")
	for _, s := range summaries {
		published, note := fstore.FormatTime(s.Published), ""
		switch {
		case s.Published.IsZero():
			published, note = "-", "failed"
		case s.Skipped == materialize.Unchanged:
			note = "unchanged inputs: nothing to compute"
		case s.Skipped == materialize.PublishedLater:
			note = "published already, at a later instant than now"
		case s.NewGeneration != "":
			note = "new generation: " + s.NewGeneration
		case !s.Finished.IsZero():
			note = "finished the interrupted run for " + fstore.FormatTime(s.Finished)
		}
		seconds := s.Seconds.Finish + s.Seconds.Compute + s.Seconds.Write + s.Seconds.Publish + s.Seconds.Clean
		t.row(s.View.String(), published, thousands(s.Keys), thousands(s.Written), thousands(s.Deleted), thousands(s.Unchanged),
			thousands(s.Bytes), fmt.Sprintf("%.2f", seconds), note)
	}
	return t.print(a.stdout)
}

// sink is the write side of the online store as a run wants it.
type sink struct{ *online.Store }

func (s sink) Encoder(v *fstore.ViewVersion, g fstore.Generation) (materialize.Encoder, error) {
	return s.Store.Encoder(v, g)
}

// leases are those of this process in the registry of a project.
type leases struct {
	db      *registry.DB
	project string
	self    registry.Holder
}

func newLeases(db *registry.DB, project string) (*leases, error) {
	self, err := registry.Self()
	return &leases{db, project, self}, err
}

func (l *leases) Acquire(ctx context.Context, view fstore.ViewRef, ttl time.Duration, now time.Time) (string, error) {
	return l.db.AcquireLease(ctx, l.project, view.String(), l.self, ttl, now)
}

func (l *leases) Renew(ctx context.Context, view fstore.ViewRef, token string, ttl time.Duration, now time.Time) error {
	return l.db.RenewLease(ctx, l.project, view.String(), token, ttl, now)
}

func (l *leases) Release(ctx context.Context, view fstore.ViewRef, token string) error {
	return l.db.ReleaseLease(ctx, l.project, view.String(), token)
}

// clock is the machine's.
type clock struct{ now func() time.Time }

func (c clock) Now() time.Time { return c.now() }

func (c clock) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
