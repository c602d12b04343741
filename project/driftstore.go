package project

import (
	"context"
	"fmt"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/monitor/drift"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/registry"
)

// driftOfStore compares what is published: the values of every key as of each view's published instant, as the engine computes
// them. The store has no rows of keys without a value, so those of the training set are taken out.
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
	counter, err := p.driftCounter(ctx, set, publishedColumn, drift.Whole)
	if err != nil {
		return nil, err
	}
	s := &publishedRows{counter: counter, lock: set.Lock, rev: rev}
	var refs []fstore.ViewRef
	for _, v := range set.Lock.Views {
		refs = append(refs, v.Ref)
	}
	if s.pointers, err = p.pointers(ctx, refs); err != nil {
		return nil, err
	}
	for i := range set.Lock.Features {
		if err := s.takeOut(&set.Lock.Features[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", set.File, lock.Contradiction(err))
		}
	}
	for _, ref := range refs {
		if err := s.count(ctx, engine, ref, r.Progress); err != nil {
			return nil, fmt.Errorf("current: %w", err)
		}
	}
	for i := range set.Lock.OnDemand {
		s.leaveOut(set.Lock.OnDemand[i].Ref, "The store has no values of it: it is computed for each request.")
	}
	out, err := p.compared(ctx, counter, r, set, drift.Side{Kind: drift.Store, Name: DriftStore})
	if err != nil {
		return nil, err
	}
	out.OnlyWithValue = true
	return out, nil
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

// takeOut takes the rows for which a feature's view had no value out of the reference. There the feature is null, or has its default.
// A lock of format 2 does not say how many these are.
func (s *publishedRows) takeOut(f *lock.Feature) error {
	if f.Use == nil {
		return nil
	}
	standIn := s.lock.View(f.View).View.Feature(f.Feature).Default
	with := s.lock.Uses[*f.Use].WithValue
	switch {
	case with != nil:
		return s.counter.TakeOut(f.Name, standIn, s.lock.Output.Rows-*with)
	case standIn != nil:
		s.counter.LeaveOut(f.Name, "It has a default, and this lock does not say how many rows have it because there was no value.")
	default:
		s.counter.IgnoreNulls(f.Name, "The share of nulls is not judged: this lock does not say how many rows are null because there was no value.")
	}
	return nil
}

// leaveOut says why the features of a view are not compared.
func (s *publishedRows) leaveOut(ref fstore.ViewRef, reason string) {
	for _, f := range s.lock.Features {
		if f.View == ref {
			s.counter.LeaveOut(f.Name, reason)
		}
	}
}

// lack says why the features of a view are not compared, although the store should have them.
func (s *publishedRows) lack(ref fstore.ViewRef, reason string) {
	for _, f := range s.lock.Features {
		if f.View == ref {
			s.counter.Lack(f.Name, reason)
		}
	}
}

// count counts the values of a view version as of its published instant.
func (s *publishedRows) count(ctx context.Context, engine *offline.Engine, ref fstore.ViewRef, progress func(int64)) error {
	v := s.rev.View(ref)
	switch {
	case v == nil || v.Fingerprint != s.lock.View(ref).Fingerprint:
		s.lack(ref, fmt.Sprintf("The registry does not have %s of the reference.", ref))
		return nil
	case !s.pointers[ref].Serves(v):
		s.lack(ref, fmt.Sprintf("%s is not published in the store.", ref))
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
