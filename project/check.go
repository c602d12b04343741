package project

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/monitor/expect"
	"github.com/fstore-dev/fstore/registry"
)

// CheckRequest says whose expectations to check, and as of when.
type CheckRequest struct {
	Names []string  // sources, and views as NAME or NAME@VERSION; empty: everything in head and every live view version
	To    time.Time // each view is checked as a run for this instant would publish it; zero: now
	Keep  int       // how many bad rows are kept of each expectation that does not hold; 0: a few, to show

	Progress func(of string, rows int64) // nil: nobody looks
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
	x, err := p.newChecks(ctx, db, "check", r.Keep)
	if err != nil {
		return nil, err
	}
	out, err := x.all(ctx, sources, views, r)
	p.Alert(ctx, checkAlerts(out.Checks))
	return out, err
}

// all checks sources and view versions.
func (x *checks) all(ctx context.Context, sources []fstore.Source, views []*fstore.ViewVersion, r CheckRequest) (*Checks, error) {
	x.once = true
	defer x.close()
	out := &Checks{At: r.To}
	var failed []error
	unchecked := func(kind registry.Kind, of fstore.ViewRef, err error) {
		if err != nil {
			failed = append(failed, err)
			out.Unchecked = append(out.Unchecked, Unchecked{kind, of.Name, of.Version, err.Error()})
		}
	}
	for i := range sources {
		_, err := x.source(ctx, &sources[i], fstore.FromMicros(fstore.Micros(r.To)))
		unchecked(registry.KindSource, fstore.ViewRef{Name: sources[i].Name}, err)
	}
	for _, v := range views {
		unchecked(registry.KindView, v.Ref, x.checkView(ctx, v, r))
	}
	out.OK, out.Checks = len(failed) == 0, append([]*Checked{}, x.found...)
	for _, c := range out.Checks {
		out.OK = out.OK && c.OK
	}
	return out, errors.Join(failed...)
}

// checkView computes a view version as of its instant and checks it and what it reads.
func (x *checks) checkView(ctx context.Context, v *fstore.ViewVersion, r CheckRequest) error {
	at := v.View.Publish.Latest(r.To)
	c, err := x.view(v, at)
	if err != nil {
		return fmt.Errorf("check %s: %w", v.Ref, err)
	}
	if len(c.rules) > 0 {
		rows := int64(0)
		for b, err := range x.engine.AsOf(ctx, v, at) {
			if err == nil {
				err = c.Rows(b)
			}
			if err != nil {
				return err
			}
			if rows += int64(b.Len); r.Progress != nil {
				r.Progress(v.Ref.String(), rows)
			}
		}
	}
	_, err = c.finish(ctx, expect.Facts{At: at, Unknown: "only a run of materialize compares with the last publication"})
	return err
}

// checkedNames returns the sources and view versions with certain names that expect something, or all of them if there are no
// names. A view comes with the sources that it reads.
func checkedNames(rev *registry.Revision, names []string) (sources []fstore.Source, views []*fstore.ViewVersion, err error) {
	all := allViews(rev)
	if len(names) == 0 {
		return slices.DeleteFunc(rev.Sources(), func(s fstore.Source) bool { return len(s.Expect) == 0 }),
			slices.DeleteFunc(all, func(v *fstore.ViewVersion) bool { return expect.Digest(v) == "" }), nil
	}
	for _, name := range names {
		if i := slices.IndexFunc(rev.Sources(), func(s fstore.Source) bool { return s.Name == name }); i >= 0 {
			sources = append(sources, rev.Sources()[i])
			continue
		}
		ref, err := fstore.ParseRef(name)
		if err != nil {
			return nil, nil, usage(err)
		}
		found := false
		for _, v := range all {
			if v.Ref == ref || ref.Version == 0 && v.Ref.Name == ref.Name {
				found = true
				if !slices.Contains(views, v) {
					views = append(views, v)
				}
			}
		}
		if v := rev.View(ref); !found && v != nil {
			found, views = true, append(views, v)
		}
		if !found {
			return nil, nil, noSubject(rev, all, ref)
		}
	}
	for _, s := range sources {
		if len(s.Expect) == 0 {
			return nil, nil, nothingExpected("source " + s.Name)
		}
	}
	for _, v := range views {
		if expect.Digest(v) == "" {
			return nil, nil, nothingExpected(v.Ref.String())
		}
	}
	return sources, views, nil
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
	return fstore.Errorf(fstore.ErrNotFound, "there is no source and no view %s", ref).WithHint("%s", fstore.DidYouMean(ref.Name, slices.Compact(names)))
}

// CheckHistory is what the registry keeps of the checks of a source or of a view version.
type CheckHistory struct {
	Kind    registry.Kind     `json:"kind"`
	Name    string            `json:"name"`
	Version int               `json:"version,omitempty"`
	Runs    []registry.Checks `json:"runs"` // the newest first
}

// CheckHistory returns what is kept of the checks of sources and view versions, by the names of CheckRequest.
func (p *Project) CheckHistory(ctx context.Context, names []string) ([]CheckHistory, error) {
	db, rev, err := p.openApplied(ctx)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	sources, views, err := checkedNames(rev, names)
	if err != nil {
		return nil, err
	}
	out := []CheckHistory{}
	for _, s := range sources {
		out = append(out, CheckHistory{Kind: registry.KindSource, Name: s.Name})
	}
	for _, v := range views {
		out = append(out, CheckHistory{Kind: registry.KindView, Name: v.Ref.Name, Version: v.Ref.Version})
	}
	for i := range out {
		h := &out[i]
		if h.Runs, err = db.Checks(ctx, p.Settings.Project, h.Kind, fstore.ViewRef{Name: h.Name, Version: h.Version}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// HistoryText says how kept checks came out: the outcome, and what did not hold.
func HistoryText(run registry.Checks) (outcome, note string, err error) {
	var results []expect.Result
	if err := json.Unmarshal(run.Result, &results); err != nil {
		return "", "", fstore.Errorf(fstore.ErrCorrupt, "the registry is damaged: the results of checks: %s", err).WithHint("restore it from a backup")
	}
	outcome = "passed"
	var notes []string
	for i := range results {
		switch r := &results[i]; {
		case r.Blocks():
			outcome = "failed"
			notes = append(notes, r.Expectation+": "+r.Why)
		case r.Warns():
			notes = append(notes, "warning: "+r.Expectation+": "+r.Why)
		}
	}
	return outcome, strings.Join(notes, "; "), nil
}
