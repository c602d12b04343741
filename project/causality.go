package project

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/registry"
)

// LeakInstants is at how many instants views are compared unless something else is asked for.
const LeakInstants = 4

// ParseInstants reads at how many instants views are compared: a number, or all.
func ParseInstants(text string) (int, error) {
	if text == "all" {
		return offline.AllInstants, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, fstore.Errorf(fstore.ErrUsage, "%q is not a number of instants", text).WithHint("for example 16, or all")
	}
	return n, nil
}

// CheckedView is what a check for leaks found of a view version.
type CheckedView struct {
	lock.Causality
	Problem string        `json:"problem,omitempty"` // why the check failed
	Hint    string        `json:"hint,omitempty"`    // what would fix it
	Leak    *offline.Leak `json:"leak,omitempty"`    // the rows that see the future; nil: none, or the view is not deterministic

	static []string // the sources without an event time that the view reads
}

// failed is the verdict of a view whose check failed.
const failed = "failed"

// OK reports whether the check found nothing.
func (v *CheckedView) OK() bool { return v.Problem == "" }

// CheckCausality checks the views that Verify would compare: whether their rows see the future. That a view leaks is a
// finding, not an error. Views that take a source's rows as they are cannot leak, and are left out.
func (p *Project) CheckCausality(ctx context.Context, r VerifyRequest) ([]CheckedView, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	rev, err := p.Revision(ctx)
	if err != nil {
		return nil, err
	}
	views, err := r.views(rev)
	if err != nil {
		return nil, err
	}
	progress := func(view fstore.ViewRef) {
		if r.Progress != nil {
			r.Progress(view, 0)
		}
	}
	checked, _, err := p.checkLeaks(ctx, leakCheck{views: views, readers: readers(rev), instants: r.Instants, progress: progress})
	return checked, err
}

// CheckPlan checks the view versions that a plan adds, as CheckCausality does; at no instants, it checks nothing.
func (p *Project) CheckPlan(ctx context.Context, plan *registry.Plan, instants int) ([]CheckedView, error) {
	if instants == 0 {
		return nil, nil
	}
	rev, err := p.Revision(ctx)
	if err != nil && !errors.Is(err, fstore.ErrNotReady) { // nothing may be applied yet
		return nil, err
	}
	added, all := plan.Views()
	if rev != nil {
		all = append(all, rev.Live()...)
	}
	checked, _, err := p.checkLeaks(ctx, leakCheck{views: added, readers: all, instants: instants})
	return checked, err
}

// readers returns the view versions whose look-ups may read rows of other views: those of head and those that are live.
func readers(rev *registry.Revision) []*fstore.ViewVersion {
	out := rev.Live()
	for _, v := range rev.Views() {
		out = append(out, &v.ViewVersion)
	}
	return out
}

// leakCheck asks whether views see the future.
type leakCheck struct {
	views    []*fstore.ViewVersion
	readers  []*fstore.ViewVersion // that may read them
	instants int                   // 0: LeakInstants
	asOf     *time.Time
	until    *time.Time           // the last label's instant; nil: there may be labels at any
	progress func(fstore.ViewRef) // nil: no progress
}

// checkLeaks checks views, or finds the verdicts that are kept. It returns the verdicts, which are saved if they can be.
func (p *Project) checkLeaks(ctx context.Context, c leakCheck) ([]CheckedView, *verdicts, error) {
	engine, err := p.openedEngine()
	if err != nil {
		return nil, nil, err
	}
	if c.instants == 0 {
		c.instants = LeakInstants
	}
	verdicts := p.verdicts(engine.Digests())
	out := []CheckedView{}
	for _, v := range c.views {
		if !lock.NeedsCheck(v) {
			continue
		}
		if c.progress != nil {
			c.progress(v.Ref)
		}
		checked, err := p.checkView(ctx, engine, verdicts, c, v)
		if err != nil {
			p.saveVerdicts(verdicts)
			return nil, verdicts, err
		}
		checked.static = staticSources(v)
		out = append(out, *checked)
	}
	p.saveVerdicts(verdicts)
	return out, verdicts, nil
}

func (p *Project) checkView(ctx context.Context, engine *offline.Engine, verdicts *verdicts, c leakCheck, v *fstore.ViewVersion) (*CheckedView, error) {
	key := verdictKey{Fingerprint: v.Fingerprint, Build: buildIdentity(p.options.Version), AsOf: c.asOf, Read: isRead(v, c.readers)}
	files := engine.SourceFiles(ctx, v)
	answer, known, added := verdicts.find(ctx, key, c.until, c.instants, files)
	if answer != nil {
		answer.View = v.Ref
		return &CheckedView{Causality: *answer}, nil
	}
	found, err := engine.CheckCausality(ctx, v, offline.CausalityRequest{
		Instants: c.instants, AsOf: c.asOf, Until: c.until, Read: key.Read, Known: known, Added: added,
	})
	if err != nil {
		return failedView(v.Ref, err)
	}
	if reflect.DeepEqual(files, engine.SourceFiles(ctx, v)) { // otherwise the check may have read either
		verdicts.keep(keptVerdict{
			Key: key, Until: c.until, Whole: found.Whole, Files: files, Asked: c.instants, Verdict: found.Causality, Cuts: found.Cuts,
		})
	}
	return &CheckedView{Causality: found.Causality}, nil
}

// failedView returns the finding that a view leaks or is not deterministic; any other error as it is.
func failedView(ref fstore.ViewRef, err error) (*CheckedView, error) {
	if !errors.Is(err, fstore.ErrCheck) {
		return nil, err
	}
	out := &CheckedView{Causality: lock.Causality{View: ref, Verdict: failed}}
	_ = errors.As(err, &out.Leak)
	out.Problem = fstore.MessageOf(err)
	if _, hints := fstore.Explain(err); len(hints) > 0 {
		out.Hint = hints[0]
	}
	return out, nil
}

// isRead reports whether a version among others reads the rows of a view.
func isRead(v *fstore.ViewVersion, others []*fstore.ViewVersion) bool {
	rows := rowsOf(v.View)
	return slices.ContainsFunc(others, func(other *fstore.ViewVersion) bool {
		return slices.ContainsFunc(other.Views, func(up fstore.View) bool { return reflect.DeepEqual(rowsOf(up), rows) })
	})
}

// rowsOf returns what a reader of a view's rows depends on. Schedules and defaults belong to look-ups.
func rowsOf(v fstore.View) fstore.View {
	out := fstore.View{Name: v.Name, Source: v.Source, SQL: v.SQL, Event: v.Event, Created: v.Created, Available: v.Available}
	for _, k := range v.Keys {
		out.Keys = append(out.Keys, fstore.Field{Name: k.Name, Type: k.Type})
	}
	for _, f := range v.Features {
		out.Features = append(out.Features, fstore.Feature{Name: f.Name, Type: f.Type, Column: f.Column})
	}
	return out
}

// LeakError returns the errors of the views whose check failed; nil if all passed. It is of kind fstore.ErrCheck.
func LeakError(views []CheckedView) error {
	var all []error
	for i := range views {
		if v := &views[i]; !v.OK() {
			all = append(all, fstore.Errorf(fstore.ErrCheck, "%s", v.Problem).WithHint("%s", v.Hint))
		}
	}
	return errors.Join(all...)
}

// firstCheck returns the check of a view before it is materialized for the first time.
func (p *Project) firstCheck(rev *registry.Revision, leakCheckText string) (func(context.Context, *fstore.ViewVersion) (string, error), error) {
	instants, err := parseLeakCheck(leakCheckText)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, v *fstore.ViewVersion) (string, error) {
		switch {
		case !lock.NeedsCheck(v):
			return "", nil
		case instants == 0:
			return lock.Unchecked, nil
		}
		checked, _, err := p.checkLeaks(ctx, leakCheck{views: []*fstore.ViewVersion{v}, readers: readers(rev), instants: instants})
		if err != nil {
			return "", err
		}
		return checked[0].Verdict, LeakError(checked)
	}, nil
}

// parseLeakCheck reads at how many instants views are checked for leaks: a number, all, or off, which is 0. Empty is
// LeakInstants.
func parseLeakCheck(text string) (int, error) {
	switch text {
	case "":
		return LeakInstants, nil
	case "off":
		return 0, nil
	}
	n, err := ParseInstants(text)
	return n, about("leak-check", err)
}

// checkLeaks returns the verdicts for the lock, before anything is written. It is an error if a view leaks.
func (c *creation) checkLeaks(ctx context.Context, last *time.Time) ([]lock.Causality, error) {
	instants, err := parseLeakCheck(c.r.LeakCheck)
	if err != nil {
		return nil, err
	}
	var views []*fstore.ViewVersion
	var out []lock.Causality
	for _, u := range c.req.List.Uses {
		v := u.Version
		if lock.NeedsCheck(v) && !slices.Contains(views, v) {
			views, out = append(views, v), append(out, lock.Causality{View: v.Ref, Verdict: lock.Unchecked})
		}
	}
	if instants == 0 || len(views) == 0 {
		return out, nil
	}
	var checked []CheckedView
	checked, c.verdicts, err = c.p.checkLeaks(ctx, leakCheck{views: views, readers: readers(c.rev), instants: instants, asOf: c.r.AsOf, until: last})
	if err == nil {
		err = LeakError(checked)
	}
	if err != nil {
		return nil, err
	}
	for i := range checked {
		out[i] = checked[i].Causality
	}
	return out, nil
}
