package project

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/monitor/expect"
	"github.com/fstore-dev/fstore/registry"
)

// CheckRequest says whose expectations to check, and as of when.
type CheckRequest struct {
	Names []string  // sources, and views as NAME or NAME@VERSION; empty: everything in head and every live view version
	To    time.Time // each view is checked as a run for this instant would publish it; zero: now
	Keep  int       // how many bad rows are kept of each expectation that failed; 0: a few, to show

	Progress func(of string, rows int64) // nil: no progress is reported
}

// Checks are the outcomes of checks.
type Checks struct {
	At        time.Time   `json:"at"`                  // the instant that was asked for
	OK        bool        `json:"ok"`                  // everything was checked, and nothing failed at severity error
	Checks    []*Checked  `json:"checks"`              // of sources and of view versions
	Unchecked []Unchecked `json:"unchecked,omitempty"` // what could not be checked
}

// Unchecked is a source or a view version that could not be checked.
type Unchecked struct {
	Kind    registry.Kind `json:"kind"` // source or feature_view
	Name    string        `json:"name"`
	Version int           `json:"version,omitempty"` // of a view
	Error   string        `json:"error"`

	err error
}

// Check checks the expectations of sources and views on the rows that a run of materialize would publish, keeps the outcomes in
// the registry, and tells the targets of notify. It writes nothing else. An expectation that does not hold is a finding, not an
// error. The error says what could not be checked, with the checks of everything else.
func (p *Project) Check(ctx context.Context, r CheckRequest) (*Checks, error) {
	now := p.now()
	if r.To.IsZero() {
		r.To = now
	}
	if r.To.After(now) {
		return nil, about("to", fstore.Errorf(fstore.ErrUsage, "%s is after now, %s", fstore.FormatTime(r.To), fstore.FormatTime(now)).
			WithHint("future data cannot be checked"))
	}
	db, rev, err := p.openApplied(ctx)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	sources, views, err := checkedNames(rev, r.Names)
	if err != nil {
		return nil, err
	}
	x, err := p.newChecks(ctx, db, rev, "check", r.Keep)
	if err != nil {
		return nil, err
	}
	out, err := x.all(ctx, sources, views, r)
	p.Alert(ctx, checkAlerts(out.Checks))
	return out, err
}

// all checks sources and view versions.
func (x *checks) all(ctx context.Context, sources []fstore.Source, views []*fstore.ViewVersion, r CheckRequest) (*Checks, error) {
	if r.Progress != nil {
		x.progress = r.Progress
	}
	defer x.close()
	out := &Checks{At: r.To}
	var failed []error
	unchecked := func(kind registry.Kind, of fstore.ViewRef, err error) {
		if err != nil {
			failed = append(failed, err)
			out.Unchecked = append(out.Unchecked, Unchecked{kind, of.Name, of.Version, err.Error(), err})
		}
	}
	for i := range sources {
		alone := &fstore.ViewVersion{Sources: sources[i : i+1]}
		unchecked(registry.KindSource, fstore.ViewRef{Name: sources[i].Name}, x.checkInputs(ctx, alone, fstore.FromMicros(fstore.Micros(r.To))))
	}
	for _, v := range views {
		unchecked(registry.KindView, v.Ref, x.checkView(ctx, v, v.View.Publish.Latest(r.To)))
	}
	out.OK, out.Checks = len(failed) == 0, append([]*Checked{}, x.found...)
	for _, c := range out.Checks {
		out.OK = out.OK && c.OK
	}
	return out, errors.Join(failed...)
}

// checkInputs checks what a view reads as of an instant.
func (x *checks) checkInputs(ctx context.Context, v *fstore.ViewVersion, at time.Time) error {
	c, err := x.inputs(ctx, v, at)
	if err == nil {
		_, err = c.finish(ctx)
	}
	return err
}

// checkView computes a view version as of an instant and checks it and what it reads. A view that is kept offline is checked as its
// readers check it, once for all.
func (x *checks) checkView(ctx context.Context, v *fstore.ViewVersion, at time.Time) error {
	if v.View.Offline {
		reader := &fstore.ViewVersion{Sources: v.Sources, Views: append(slices.Clone(v.Views), v.View)}
		return x.checkInputs(ctx, reader, at)
	}
	inputs, err := x.inputs(ctx, v, at)
	if err != nil {
		return fmt.Errorf("check %s: %w", v.Ref, err)
	}
	c, err := x.view(v, at)
	if err != nil {
		err = fmt.Errorf("check %s: %w", v.Ref, err)
	} else {
		defer c.close()
		err = c.compute(ctx)
	}
	if _, wrong := inputs.finish(ctx); wrong != nil || err != nil { // a view that cannot be computed may read what does not hold
		return errors.Join(err, wrong)
	}
	if len(c.rules) == 0 {
		return nil
	}
	o, err := c.outcome(ctx, expect.Facts{At: at, Unknown: "only a run of materialize compares with the last publication"})
	if err != nil {
		return err
	}
	return x.record(ctx, o)
}

// checkedNames returns the sources and view versions with certain names, which must expect something. Without names it returns every
// view version that expects something of its rows or of what it reads, and every such source that none of them reads. A view comes
// with its sources.
func checkedNames(rev *registry.Revision, names []string) (sources []fstore.Source, views []*fstore.ViewVersion, err error) {
	if len(names) == 0 {
		views = slices.DeleteFunc(allViews(rev), func(v *fstore.ViewVersion) bool { return expect.Digest(v) == "" })
		return slices.DeleteFunc(rev.Sources(), func(s fstore.Source) bool { return len(s.Expect) == 0 || isSourceOf(views, s.Name) }), views, nil
	}
	for _, name := range names {
		source, named, err := namedSubjects(rev, name)
		if err != nil {
			return nil, nil, err
		}
		if source != nil {
			if len(source.Expect) == 0 {
				return nil, nil, nothingExpected("source " + source.Name)
			}
			sources = append(sources, *source)
		}
		for _, v := range named {
			if expect.Digest(v) == "" {
				return nil, nil, nothingExpected(v.Ref.String())
			}
			if !slices.Contains(views, v) {
				views = append(views, v)
			}
		}
	}
	return sources, views, nil
}

func isSourceOf(views []*fstore.ViewVersion, name string) bool {
	return slices.ContainsFunc(views, func(v *fstore.ViewVersion) bool { return v.Source(name) != nil })
}

// namedSubjects returns the source, or else the view versions, with a name.
func namedSubjects(rev *registry.Revision, name string) (*fstore.Source, []*fstore.ViewVersion, error) {
	if i := slices.IndexFunc(rev.Sources(), func(s fstore.Source) bool { return s.Name == name }); i >= 0 {
		return &rev.Sources()[i], nil, nil
	}
	ref, err := fstore.ParseRef(name)
	if err != nil {
		return nil, nil, usage(err)
	}
	all := allViews(rev)
	var views []*fstore.ViewVersion
	for _, v := range all {
		if v.Ref == ref || ref.Version == 0 && v.Ref.Name == ref.Name {
			views = append(views, v)
		}
	}
	if v := rev.View(ref); len(views) == 0 && v != nil {
		views = append(views, v)
	}
	if len(views) == 0 {
		return nil, nil, noSubject(rev, all, ref)
	}
	return nil, views, nil
}

// allViews returns the view versions that are live, and the intermediate views of head, by name and version.
func allViews(rev *registry.Revision) []*fstore.ViewVersion {
	all := rev.Live()
	for _, v := range rev.Views() {
		if !slices.ContainsFunc(all, func(o *fstore.ViewVersion) bool { return o.Ref == v.Ref }) {
			all = append(all, rev.View(v.Ref))
		}
	}
	slices.SortFunc(all, func(a, b *fstore.ViewVersion) int { return a.Ref.Compare(b.Ref) })
	return all
}

func nothingExpected(of string) error {
	return fstore.Errorf(fstore.ErrUsage, "nothing is expected of %s", of).WithHint("add expect to its definition and apply: see docs/expectations.md")
}

func noSubject(rev *registry.Revision, views []*fstore.ViewVersion, ref fstore.ViewRef) error {
	var names []string
	for _, s := range rev.Sources() {
		names = append(names, s.Name)
	}
	for _, v := range views {
		names = append(names, v.Ref.Name)
	}
	what := ref.Name
	if ref.Version > 0 {
		what = ref.String()
	}
	return fstore.Errorf(fstore.ErrNotFound, "there is no source or view named %s", what).WithHint("%s", fstore.DidYouMean(ref.Name, slices.Compact(names)))
}
