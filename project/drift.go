package project

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/monitor/drift"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/sqltype"
)

// DriftStore names the online store as the current side of a comparison.
const DriftStore = "store"

// DriftRequest says which rows to compare with which training set.
type DriftRequest struct {
	Reference string // a training set, by its name or the path of its lock
	Current   string // DriftStore, a training set by its name or the path of its lock, or a file of rows

	// Timestamp is the column with the instant of a current row. "" means that of the training set; without that column, rows have
	// no instants.
	Timestamp string

	Window time.Duration // only current rows less than this long before To; 0: all
	To     *time.Time    // only current rows up to this instant; nil: up to the last
	By     drift.Period  // also compare the current rows of each hour, day, week or month

	Options  drift.Options
	Progress func(rows int64)
}

// Drift compares current rows with what a training set was made of, in the bins of its lock. The training set's file is not read.
// It returns ErrNotFound if a side does not exist, and ErrInvalid if the current rows have a column of a type that cannot be
// compared.
func (p *Project) Drift(ctx context.Context, r DriftRequest) (*drift.Comparison, error) {
	set, err := p.LockedSet(ctx, r.Reference)
	if err != nil {
		return nil, fmt.Errorf("reference: %w", err)
	}
	if r.Progress == nil {
		r.Progress = func(int64) {}
	}
	if err := r.checkColumns(set.Lock); err != nil {
		return nil, err
	}
	current := drift.Side{Kind: drift.File, Name: r.Current, File: r.Current, Timestamp: set.Lock.Labels.Timestamp}
	switch {
	case r.Current == DriftStore:
		return p.driftOfStore(ctx, &r, set)
	case !IsLockFile(r.Current), strings.HasSuffix(r.Current, lock.Suffix):
		of, err := p.LockedSet(ctx, r.Current)
		if err != nil {
			return nil, fmt.Errorf("current: %w", err)
		}
		current = setSide(of)
		current.Timestamp = of.Lock.Labels.Timestamp
		current.File = of.Out
	}
	if r.Timestamp != "" {
		current.Timestamp = r.Timestamp
	}
	out, err := p.driftOfFile(ctx, &r, set, current)
	if err != nil {
		return nil, fmt.Errorf("current: %w", err)
	}
	return out, nil
}

// checkColumns returns an error if a threshold is for a column that is not compared.
func (r *DriftRequest) checkColumns(l *lock.Lock) error {
	var known []string
	for _, c := range driftColumns(l) {
		known = append(known, c.Name)
	}
	for name := range r.Options.ByColumn {
		if !slices.Contains(known, name) {
			return fstore.Errorf(fstore.ErrUsage, "threshold for %s: the training set has no such feature", name).WithHint("%s", fstore.DidYouMean(name, known))
		}
	}
	return nil
}

// setSide describes a training set.
func setSide(set *LockedSet) drift.Side {
	side := drift.Side{Kind: drift.TrainingSet, Name: set.Lock.Name, File: set.File, Created: set.Lock.Created}
	if set.Lock.Service != nil {
		side.Service = set.Lock.Service.String()
	}
	return side
}

// driftOfFile compares the rows of a file.
func (p *Project) driftOfFile(ctx context.Context, r *DriftRequest, set *LockedSet, current drift.Side) (*drift.Comparison, error) {
	counter, err := drift.NewCounter(driftColumns(set.Lock), current.Timestamp, r.By)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", set.File, lock.Contradiction(err))
	}
	engine, err := p.openedEngine()
	if err != nil {
		return nil, err
	}
	req := offline.ColumnsRequest{
		Path: current.File, Timestamp: current.Timestamp, To: r.To, Window: r.Window,
		Required: r.Timestamp != "" || r.To != nil || r.Window > 0 || r.By != drift.Whole,
	}
	req.Columns, req.Nulls = counter.Wanted()
	reader, err := engine.Columns(ctx, req)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	rows := int64(0)
	if err := reader.Each(ctx, func(b *fstore.Batch) error {
		rows += int64(b.Len)
		r.Progress(rows)
		return counter.Add(b)
	}); err != nil {
		return nil, err
	}
	current.File, current.From, current.To = reader.File(), reader.From, reader.To
	if !reader.HasTimestamp() {
		current.Timestamp = ""
	}
	return compared(counter, r, set, current), nil
}

// compared finishes a comparison.
func compared(counter *drift.Counter, r *DriftRequest, set *LockedSet, current drift.Side) *drift.Comparison {
	out := counter.Compare(r.Options)
	current.Rows = out.Current.Rows
	out.Current, out.Reference = current, setSide(set)
	out.Reference.Rows = set.Lock.Output.Rows
	return out
}

// driftColumns returns the columns of a lock that are compared: the features, and the columns to predict.
func driftColumns(l *lock.Lock) []drift.Column {
	var out []drift.Column
	for i := range l.Output.Columns {
		c := &l.Output.Columns[i]
		if at := slices.IndexFunc(l.Features, func(f lock.Feature) bool { return f.Name == c.Name }); at >= 0 {
			f := &l.Features[at]
			out = append(out, drift.Column{Name: c.Name, Role: drift.RoleFeature, View: f.View, Source: f.Feature, Type: f.Type, Statistics: &c.Statistics})
			continue
		}
		if typ := countedAs(c.Type); typ != fstore.Invalid && slices.Contains(l.Labels.Targets, c.Name) {
			out = append(out, drift.Column{Name: c.Name, Role: drift.RoleTarget, Type: typ, Statistics: &c.Statistics})
		}
	}
	return out
}

// countedAs returns the type in which the values of an engine's type are counted, or Invalid.
func countedAs(engineType string) fstore.Type {
	t := sqltype.Parse(engineType)
	for _, typ := range fstore.Scalars() {
		if t.Converts(typ) {
			return typ
		}
	}
	return fstore.Invalid
}

// driftOfStore compares what is published: the values of every key as of each view's published instant, as the engine computes
// them.
func (p *Project) driftOfStore(ctx context.Context, r *DriftRequest, set *LockedSet) (*drift.Comparison, error) {
	if r.Timestamp != "" || r.To != nil || r.Window > 0 || r.By != drift.Whole {
		return nil, fstore.Errorf(fstore.ErrUsage, "the store has one value for each key: it has no windows").
			WithHint("leave out --timestamp, --to, --window and --by")
	}
	rev, err := p.Revision(ctx)
	if err != nil {
		return nil, err
	}
	engine, err := p.openedEngine()
	if err != nil {
		return nil, err
	}
	counter, err := drift.NewCounter(driftColumns(set.Lock), publishedColumn, drift.Whole)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", set.File, lock.Contradiction(err))
	}
	s := &publishedRows{counter: counter, lock: set.Lock, rev: rev}
	var refs []fstore.ViewRef
	for _, v := range set.Lock.Views {
		refs = append(refs, v.Ref)
	}
	if s.pointers, err = p.pointers(ctx, refs); err != nil {
		return nil, err
	}
	for _, ref := range refs {
		if err := s.count(ctx, engine, ref, r.Progress); err != nil {
			return nil, fmt.Errorf("current: %w", err)
		}
	}
	for i := range set.Lock.OnDemand {
		s.leaveOut(set.Lock.OnDemand[i].Ref, "The store has no values of it: it is computed for each request.")
	}
	return compared(counter, r, set, drift.Side{Kind: drift.Store, Name: DriftStore}), nil
}

// publishedColumn is the name of the column with the published instant, which no feature can have.
const publishedColumn = "(published)"

// publishedRows counts what is published.
type publishedRows struct {
	counter  *drift.Counter
	lock     *lock.Lock
	rev      *registry.Revision
	pointers map[fstore.ViewRef]fstore.Pointer
	rows     int64
}

// leaveOut says why the features of a view are not compared.
func (s *publishedRows) leaveOut(ref fstore.ViewRef, reason string) {
	for _, f := range s.lock.Features {
		if f.View == ref {
			s.counter.LeaveOut(f.Name, reason)
		}
	}
}

// count counts the values of a view version as of its published instant.
func (s *publishedRows) count(ctx context.Context, engine *offline.Engine, ref fstore.ViewRef, progress func(int64)) error {
	v := s.rev.View(ref)
	switch {
	case v == nil || v.Fingerprint != s.lock.View(ref).Fingerprint:
		s.leaveOut(ref, fmt.Sprintf("The registry does not have %s of the reference.", ref))
		return nil
	case !s.pointers[ref].Serves(v):
		s.leaveOut(ref, fmt.Sprintf("%s is not published in the store.", ref))
		return nil
	case v.View.Sawtooth():
		s.leaveOut(ref, fmt.Sprintf("The windows of %s end at the clock of each request: compare what was served.", ref))
		return nil
	}
	at := s.pointers[ref].Published
	for b, err := range engine.AsOf(ctx, v, at) {
		if err != nil {
			return err
		}
		if err := s.counter.Add(s.named(b, v, at)); err != nil {
			return err
		}
		s.rows += int64(b.Len)
		progress(s.rows)
	}
	return nil
}

// named returns the columns of an as-of batch under the names that they have in the reference, with the defaults of look-ups.
func (s *publishedRows) named(b *fstore.Batch, v *fstore.ViewVersion, at time.Time) *fstore.Batch {
	out := &fstore.Batch{Len: b.Len}
	published := fstore.NewColumn(publishedColumn, fstore.Timestamp, b.Len)
	for range b.Len {
		published.AppendInt64(fstore.Micros(at))
	}
	out.Columns = append(out.Columns, published)
	for _, f := range s.lock.Features {
		if f.View != v.Ref {
			continue
		}
		for i := len(v.View.Keys) + 1; i < len(b.Columns); i++ {
			if b.Columns[i].Name == f.Feature {
				c := withDefault(&b.Columns[i], v.View.Feature(f.Feature).Default)
				c.Name = f.Name
				out.Columns = append(out.Columns, c)
			}
		}
	}
	return out
}

// withDefault returns a column with a default in place of nulls.
func withDefault(c *fstore.Column, value *fstore.Value) fstore.Column {
	if value == nil || c.Valid == nil {
		return *c
	}
	out := fstore.NewColumn(c.Name, c.Type, c.Len)
	for i := range c.Len {
		if c.IsNull(i) {
			out.AppendFrom(&value.Column, 0)
		} else {
			out.AppendFrom(c, i)
		}
	}
	return out
}
