package project

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/openlineage"
	"github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/tracing"
)

// MaterializeRequest says which views to materialize, and as of when.
type MaterializeRequest struct {
	Views     []string         // NAME or NAME@VERSION; empty: every live view version
	To        time.Time        // zero: now
	Mode      materialize.Mode // Full, Rewind
	Wait      time.Duration    // for another run of the same view
	StoreWait time.Duration    // for an online store that cannot be reached any longer; zero: materialize.DefaultStoreWait, negative: not at all
	Accept    []string         // digests of results that are published although a run asked about them, from Summary.Refused
	LeakCheck string           // at how many instants a view is checked before its first run, as in TrainingSetRequest
	Progress  func(materialize.Progress)
	Keep      int                               // how many bad rows are kept of each expectation that failed; 0: a few, to show
	Ran       func([]materialize.Summary) error // called after the views have run, before serving changes
}

// Materialized is the result of a run.
type Materialized struct {
	Views      []materialize.Summary // in the order of their runs
	Promotions []registry.Promotion  // versions that now serve and did not before
	Checks     []*Checked            // how the expectations of the views and of what they read came out
}

// Materialize makes the online store hold views as of an instant, and then promotes versions whose views are
// published. A view that fails does not stop the others: the result says what was done, even beside an error.
func (p *Project) Materialize(ctx context.Context, r MaterializeRequest) (*Materialized, error) {
	out := &Materialized{}
	err := p.traced(ctx, "materialize", func(ctx context.Context, traces *tracing.Tracer) error {
		db, err := p.registry(ctx)
		if err != nil {
			return err
		}
		defer db.Close()
		return p.reported(ctx, "materialize", func(run *openlineage.Run) (err error) {
			run.Start()
			out, err = p.materialize(ctx, db, r, &runs{p, run, traces})
			return err
		})
	})
	return out, err
}

func (p *Project) materialize(ctx context.Context, db *registry.Store, r MaterializeRequest, run *runs) (*Materialized, error) {
	out := &Materialized{}
	o := materialize.Options{
		To: r.To, Mode: r.Mode, Wait: r.Wait, Progress: r.Progress, Now: p.options.Clock, Build: buildIdentity(p.options.Version),
		Clock: Clock{p.options.Clock}, State: p.stateDir(), Store: p.Settings.Online.String(),
	}
	o.Begin, o.BeginStage = run.view, run.stage
	rev, err := db.Revision(ctx, p.Settings.Project)
	if err != nil {
		return out, err
	}
	if rev.Number == 0 {
		return out, p.Settings.nothingApplied()
	}
	if o.Views, err = viewsNamed(rev, r.Views); err != nil {
		return out, err
	}
	if o.Check, err = p.firstCheck(rev, r.LeakCheck); err != nil {
		return out, err
	}
	o.Publications, o.Accept = publications{db, rev, p.Settings.Project, o.Store}, r.Accept
	if len(o.Views) == 0 {
		p.note("There are no feature views to materialize.")
	}
	store, err := p.openedStore()
	if err != nil {
		return out, err
	}
	o.StoreWait = cmp.Or(r.StoreWait, materialize.DefaultStoreWait)
	o.Waits = func(ref fstore.ViewRef, err error) { p.waits(ref.String()+": ", o.StoreWait, err) }
	// Where sentinels answer but their primary does not, they may be about to promote another. Anything else that is wrong with
	// the store at the start is an error at once.
	failover := materialize.Patience{
		Clock: o.Clock, Limit: o.StoreWait, For: online.ErrFailover, Waits: func(err error) { p.waits("", o.StoreWait, err) },
	}
	if err := failover.Retry(ctx, func() error { return p.checkStore(ctx, store) }); err != nil {
		return out, err
	}
	if o.Source, err = p.openedEngine(); err != nil {
		return out, err
	}
	o.Sink = Sink{store}
	o.Leases = NewLeases(db, p.Settings.Project)
	checks, err := p.newChecks(ctx, db, rev, "materialize", r.Keep)
	if err != nil {
		return out, err
	}
	defer checks.close()
	o.Inspectors = []materialize.Inspector{checks}
	var runErr error
	out.Views, runErr = materialize.Run(ctx, o)
	out.Checks = checks.found
	if r.Ran != nil {
		runErr = errors.Join(runErr, r.Ran(out.Views))
	}
	out.Promotions, err = p.promote(context.WithoutCancel(ctx), db) // before alerts, which may wait for a receiver
	p.Alert(ctx, runAlerts(out, o.Views, cmp.Or(r.To, p.now())))
	return out, errors.Join(runErr, err)
}

func (p *Project) waits(what string, limit time.Duration, err error) {
	message, _ := fstore.Explain(err)
	p.note("%swaiting for the online store, up to %s: %s", what, limit, message)
}

// checkStore refuses a store that loses data or cannot be written, and passes on its warnings. One that has lost records
// takes a run, which may be the one that fills it again.
func (p *Project) checkStore(ctx context.Context, store *online.Store) error {
	warnings, err := store.Check(ctx)
	if errors.Is(err, online.ErrLost) {
		message, hints := fstore.Explain(err)
		warnings, err = append(warnings, errors.New(message+"; only --full writes what the store should still have; "+strings.Join(hints, "; "))), nil
	}
	if err != nil {
		return fmt.Errorf("check the online store: %w", err)
	}
	for _, w := range warnings {
		p.warn("%v", w)
	}
	return store.CheckWrite(ctx)
}

// viewsNamed returns the live view versions with the given names, or all of them if there are no names. A name with a
// version means that version alone.
func viewsNamed(rev *registry.Revision, args []string) ([]*fstore.ViewVersion, error) {
	live := rev.Live()
	if len(args) == 0 {
		return live, nil
	}
	var views []*fstore.ViewVersion
	for _, arg := range args {
		ref, err := fstore.ParseRef(arg)
		if err != nil {
			return nil, usage(err)
		}
		var named []*fstore.ViewVersion
		if ref.Version == 0 {
			named = slices.DeleteFunc(slices.Clone(live), func(v *fstore.ViewVersion) bool { return v.Ref.Name != ref.Name })
		} else if v := rev.View(ref); v != nil {
			named = append(named, v)
		}
		if len(named) == 0 {
			return nil, noLiveView(rev, ref)
		}
		for _, v := range named {
			if !slices.Contains(views, v) {
				views = append(views, v)
			}
		}
	}
	return views, nil
}

// noLiveView returns the error for a view that does not exist or is not live.
func noLiveView(rev *registry.Revision, ref fstore.ViewRef) error {
	var names []string
	for _, v := range rev.Live() {
		names = append(names, v.Ref.Name)
	}
	switch {
	case ref.Version > 0 && slices.Contains(names, ref.Name):
		return fstore.Errorf(fstore.ErrNotFound, "there is no feature_view %s", ref).WithHint("run fstore show %s for its versions", ref.Name)
	case rev.OnDemandView(fstore.ViewRef{Name: ref.Name}) != nil:
		return fstore.Errorf(fstore.ErrNotFound, "there is no live view %s: it is an on_demand_view, which stores no rows", ref.Name).
			WithHint("name the views that it reads, which fstore show %s lists, or give no names for all", ref.Name)
	case slices.ContainsFunc(rev.Services(), func(s registry.ServiceStatus) bool { return s.Ref.Name == ref.Name }):
		return fstore.Errorf(fstore.ErrNotFound, "there is no live view %s: it is a feature_service", ref.Name).
			WithHint("name its views, which fstore show service/%s lists, or give no names to materialize all", ref.Name)
	}
	hint := fstore.DidYouMean(ref.Name, slices.Compact(names))
	if hint == "" {
		hint = "fstore list views shows what exists"
	}
	return fstore.Errorf(fstore.ErrNotFound, "there is no live view %s", ref.Name).WithHint("%s", hint)
}
