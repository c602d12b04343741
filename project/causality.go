package project

import (
	"context"
	"errors"
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
	return p.checkLeaks(ctx, leakCheck{views: views, readers: headViews(rev), instants: r.Instants, progress: progress})
}

// CheckPlan checks the view versions that a plan adds, as CheckCausality does; at no instants, it checks nothing.
func (p *Project) CheckPlan(ctx context.Context, plan *registry.Plan, instants int) ([]CheckedView, error) {
	if instants == 0 {
		return nil, nil
	}
	added, all := plan.Views()
	return p.checkLeaks(ctx, leakCheck{views: added, readers: all, instants: instants})
}

// headViews returns the versions of views in head.
func headViews(rev *registry.Revision) []*fstore.ViewVersion {
	var out []*fstore.ViewVersion
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
	progress func(fstore.ViewRef) // nil: nobody looks
}

func (p *Project) checkLeaks(ctx context.Context, c leakCheck) ([]CheckedView, error) {
	engine, err := p.openedEngine()
	if err != nil {
		return nil, err
	}
	if c.instants == 0 {
		c.instants = LeakInstants
	}
	verdicts := p.verdicts()
	out := []CheckedView{}
	for _, v := range c.views {
		if !offline.NeedsCheck(v) {
			continue
		}
		if c.progress != nil {
			c.progress(v.Ref)
		}
		checked, err := p.checkView(ctx, engine, verdicts, c, v)
		if err != nil {
			return nil, err
		}
		out = append(out, *checked)
	}
	return out, verdicts.save()
}

func (p *Project) checkView(ctx context.Context, engine *offline.Engine, verdicts *verdicts, c leakCheck, v *fstore.ViewVersion) (*CheckedView, error) {
	read := slices.ContainsFunc(c.readers, func(other *fstore.ViewVersion) bool {
		return slices.ContainsFunc(other.Views, func(up fstore.View) bool { return up.Name == v.Ref.Name })
	})
	key := verdictKey{Fingerprint: v.Fingerprint, Inputs: engine.Stamp(ctx, v), Build: buildIdentity(p.options.Version), AsOf: c.asOf, Read: read}
	if kept := verdicts.find(key, c.instants); kept != nil {
		kept.View = v.Ref
		return &CheckedView{Causality: *kept}, nil
	}
	found, err := engine.CheckCausality(ctx, v, offline.CausalityRequest{Instants: c.instants, AsOf: c.asOf, Read: read})
	switch {
	case errors.Is(err, fstore.ErrCheck):
		out := &CheckedView{Causality: lock.Causality{View: v.Ref, Verdict: failed}}
		_ = errors.As(err, &out.Leak)
		out.Problem = fstore.MessageOf(err)
		_, hints := fstore.Explain(err)
		if len(hints) > 0 {
			out.Hint = hints[0]
		}
		return out, nil
	case err != nil:
		return nil, err
	}
	verdicts.keep(key, c.instants, found)
	return &CheckedView{Causality: *found}, nil
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

// leakInstants returns at how many instants the views are checked; 0: they are not.
func (r *TrainingSetRequest) leakInstants() (int, error) {
	switch r.LeakCheck {
	case "":
		return LeakInstants, nil
	case "off":
		return 0, nil
	}
	return ParseInstants(r.LeakCheck)
}

// checkLeaks returns the verdicts for the lock, before anything is written. It is an error if a view leaks.
func (c *creation) checkLeaks(ctx context.Context) ([]lock.Causality, error) {
	instants, err := c.r.leakInstants()
	if err != nil {
		return nil, err
	}
	var views []*fstore.ViewVersion
	var out []lock.Causality
	for _, u := range c.req.List.Uses {
		v := u.Version
		if offline.NeedsCheck(v) && !slices.Contains(views, v) {
			views, out = append(views, v), append(out, lock.Causality{View: v.Ref, Verdict: lock.Unchecked})
		}
	}
	if instants == 0 || len(views) == 0 {
		return out, nil
	}
	checked, err := c.p.checkLeaks(ctx, leakCheck{views: views, readers: headViews(c.rev), instants: instants, asOf: c.r.AsOf})
	if err != nil {
		return nil, err
	}
	if err := LeakError(checked); err != nil {
		return nil, err
	}
	for i := range checked {
		out[i] = checked[i].Causality
	}
	return out, nil
}
