package project

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/monitor/expect"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/registry"
)

// inputChecks checks what a view version reads: its sources, and the views that are kept offline. It reads files that the
// computation of the view reads too, before or after, and proves that they are the same.
type inputChecks struct {
	*checks
	v     *fstore.ViewVersion
	at    time.Time
	files *offline.Inputs // as they were when the checks began; nil: nothing is expected of what the view reads
}

// movedInputs says that files have changed since checks began, so that nobody knows whether the rows that were checked are those
// that were computed.
type movedInputs struct{ error }

func (m *movedInputs) Unwrap() error { return m.error }

// inputs begins the checks of what a view reads. It is called before the view is computed.
func (x *checks) inputs(ctx context.Context, v *fstore.ViewVersion, at time.Time) (*inputChecks, error) {
	c := &inputChecks{checks: x, v: v, at: at}
	expected := fstore.ExpectationsOf(v)
	sources := v.Sources
	if len(expected.Views) == 0 {
		sources = slices.DeleteFunc(slices.Clone(sources), func(s fstore.Source) bool { return len(s.Expect) == 0 })
	}
	var err error
	if len(sources) > 0 {
		c.files, err = x.engine.Inputs(ctx, sources)
	}
	return c, err
}

// finish returns how the inputs came out, once the view has been computed. The error is a movedInputs if their files have changed
// since inputs was called.
func (c *inputChecks) finish(ctx context.Context) ([]*Checked, error) {
	if c.files == nil {
		return nil, nil
	}
	var all []judged
	err := c.check(ctx, &all)
	if moved := c.files.CheckUnchanged(ctx); moved != nil && ctx.Err() == nil {
		return nil, &movedInputs{moved}
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	var out []*Checked
	for _, o := range all {
		if c.known[o.key] == nil {
			if err := c.record(ctx, o); err != nil {
				return nil, err
			}
			c.known[o.key] = o.Checked
		}
		out = append(out, c.known[o.key])
	}
	return out, err
}

// check checks each input of which something is expected. One that cannot be checked does not stop the others.
func (c *inputChecks) check(ctx context.Context, all *[]judged) error {
	var errs []error
	for i := range c.v.Sources {
		s := &c.v.Sources[i]
		if len(s.Expect) == 0 {
			continue
		}
		errs = append(errs, c.once(all, []any{s, s.Expect}, []fstore.Source{*s}, func() (judged, error) { return c.source(ctx, s, c.at) }))
	}
	expected := fstore.ExpectationsOf(c.v).Views
	for i := range c.v.Views {
		of, ok := expected[c.v.Views[i].Name]
		if !ok {
			continue
		}
		up := upstreamVersion(c.rev, c.v, i)
		errs = append(errs, c.once(all, []any{up, of}, up.Sources, func() (judged, error) { return c.upstream(ctx, up) }))
	}
	return errors.Join(errs...)
}

// once checks something unless the same was checked before as of the same instant, from the same files. Several views may read it.
func (c *inputChecks) once(all *[]judged, what []any, sources []fstore.Source, check func() (judged, error)) error {
	names := make([]string, len(sources))
	for i := range sources {
		names[i] = sources[i].Name
	}
	key, err := json.Marshal(append(what, c.at, c.files.ID(names...)))
	if err != nil {
		return err
	}
	o := judged{Checked: c.known[string(key)]}
	if o.Checked == nil {
		if o, err = check(); err != nil {
			return err
		}
	}
	o.key = string(key)
	*all = append(*all, o)
	return nil
}

// source checks the rows of a source that are visible at an instant.
func (x *checks) source(ctx context.Context, s *fstore.Source, at time.Time) (o judged, err error) {
	rows, err := x.engine.OpenSource(ctx, s, at)
	if err != nil {
		return o, err
	}
	defer rows.Close()
	rules := expect.OfSource(s)
	columns := expect.SourceColumns(rules, s, rows.Columns())
	run, err := expect.Begin(rules, columns, x.keep)
	if err != nil {
		return o, fmt.Errorf("check source %s: %w", s.Name, err)
	}
	names := make([]string, len(columns.All))
	for i, f := range columns.All {
		names[i] = f.Name
	}
	for b, err := range rows.Each(ctx, names) {
		if err != nil {
			return o, err
		}
		run.Rows(b)
	}
	results, err := run.Results(ctx, expect.Facts{At: at, Unknown: "a source is not published", BadRows: x.badRows(rows, s.Name)})
	if err != nil {
		return o, fmt.Errorf("check source %s: %w", s.Name, err)
	}
	return judged{Checked: &Checked{Kind: registry.KindSource, Name: s.Name, At: at, Results: results}, run: run}, nil
}

// upstream checks the rows of a view that is kept offline.
func (c *inputChecks) upstream(ctx context.Context, up *fstore.ViewVersion) (judged, error) {
	rows, err := c.view(up, c.at)
	if err != nil {
		return judged{}, fmt.Errorf("check %s: %w", up.Ref, err)
	}
	defer rows.close()
	if err := rows.compute(ctx); err != nil {
		return judged{}, err
	}
	return rows.outcome(ctx, expect.Facts{At: c.at, Unknown: "the view is kept offline"})
}

// upstreamVersion returns the i-th view that a version reads as a version of its own, with what it takes to compute it. The number is
// that of the registry, or 0 if the registry no longer has this definition.
func upstreamVersion(rev *registry.Revision, v *fstore.ViewVersion, i int) *fstore.ViewVersion {
	out := &fstore.ViewVersion{Ref: fstore.ViewRef{Name: v.Views[i].Name}, View: v.Views[i]}
	reads := map[string]bool{}
	for k := i; k >= 0; k-- { // each comes after those that it reads
		if k == i || reads[v.Views[k].Name] {
			for _, name := range v.Views[k].Inputs {
				reads[name] = true
			}
		}
	}
	for _, s := range v.Sources {
		if reads[s.Name] {
			out.Sources = append(out.Sources, s)
		}
	}
	for _, up := range v.Views[:i] {
		if reads[up.Name] {
			out.Views = append(out.Views, up)
		}
	}
	computes := computationOf(out)
	for _, stored := range rev.Versions(out.Ref.Name) {
		if reflect.DeepEqual(computationOf(stored), computes) {
			out.Ref, out.Fingerprint = stored.Ref, stored.Fingerprint
			break
		}
	}
	return out
}

// computation is what the values of a view version depend on. Descriptions and expectations are no part of it.
type computation struct {
	ttl      *fstore.Duration
	publish  *fstore.Publish
	features []fstore.Feature // by name; with defaults and windows
	views    []fstore.View    // the rows of the view, and those of the views that it reads
	sources  []fstore.Source
}

func computationOf(v *fstore.ViewVersion) computation {
	view := v.View
	view.Features = view.ByName()
	out := computation{ttl: view.TTL, publish: view.Publish, views: []fstore.View{rowsOf(view)}}
	for _, f := range view.Features {
		out.features = append(out.features, fstore.Feature{Default: f.Default, Window: f.Window})
	}
	for _, up := range v.Views {
		out.views = append(out.views, rowsOf(up))
	}
	for _, s := range v.Sources {
		s.Expect, s.Meta = nil, fstore.Meta{}
		out.sources = append(out.sources, s)
	}
	return out
}
