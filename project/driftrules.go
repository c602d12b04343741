package project

import (
	"context"
	"errors"
	"fmt"
	"slices"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/monitor/drift"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/offline/lock"
)

// driftCounter returns a counter for the columns of a training set, with the thresholds of their definitions.
func (p *Project) driftCounter(ctx context.Context, set *LockedSet, at string, by drift.Period) (*drift.Counter, error) {
	columns := driftColumns(set.Lock)
	if err := p.addDriftRules(ctx, set.Lock, columns); err != nil {
		return nil, fmt.Errorf("thresholds: %w", err)
	}
	counter, err := drift.NewCounter(columns, at, by)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", set.File, lock.Contradiction(err))
	}
	return counter, nil
}

// addDriftRules gives columns the thresholds with which the versions of their views were last applied. Without a registry, or with one
// whose version has another definition, they have the defaults.
func (p *Project) addDriftRules(ctx context.Context, l *lock.Lock, columns []drift.Column) error {
	rev, err := p.Revision(ctx)
	switch {
	case errors.Is(err, fstore.ErrNotReady):
		return nil
	case err != nil:
		return err
	}
	of := func(c *drift.Column, all, one *fstore.DriftRule) { c.ViewRule, c.Rule = all, one }
	for i := range columns {
		c := &columns[i]
		if used := l.View(c.View); used != nil {
			if v := rev.View(c.View); v != nil && v.Fingerprint == used.Fingerprint {
				of(c, v.View.Drift, v.View.Feature(c.Source).Drift)
			}
		}
		for _, used := range l.OnDemand {
			if v := rev.OnDemandView(c.View); used.Ref == c.View && v != nil && v.Fingerprint == used.Fingerprint {
				of(c, v.View.Drift, v.Feature(c.Source).Drift)
			}
		}
	}
	return nil
}

// learnAuto takes thresholds of auto from the file of the reference, if a column has one and the file is still that of its lock.
func (p *Project) learnAuto(ctx context.Context, counter *drift.Counter, r *DriftRequest, set *LockedSet) error {
	columns := counter.Auto(r.Options)
	if len(columns) == 0 {
		return nil
	}
	if err := p.checkSetFile(ctx, set); err != nil {
		if ctx.Err() != nil {
			return err
		}
		counter.CannotLearn("Auto needs the file of the training set, which is gone or has changed: the defaults hold.")
		return nil
	}
	rows, most := set.Lock.Output.Rows, int64(drift.AutoWindows)
	ends, err := p.windowsOf(ctx, set, int(min(most, rows/max(r.Options.MinRows, 1))))
	if err != nil {
		return err
	}
	at := set.Lock.Labels.Timestamp
	windows, err := drift.NewWindows(columns, at, ends)
	if err != nil {
		return err
	}
	if _, err := p.countFile(ctx, windows, offline.ColumnsRequest{Path: set.Out, Timestamp: at, Required: true}, func(int64) {}); err != nil {
		return err
	}
	counter.Learn(windows, r.Options.MinRows)
	return nil
}

// windowsOf cuts the rows of a training set into windows of about equal numbers of rows by their instants, at most n.
func (p *Project) windowsOf(ctx context.Context, set *LockedSet, n int) ([]int64, error) {
	if n == 0 {
		return nil, nil
	}
	engine, err := p.openedEngine()
	if err != nil {
		return nil, err
	}
	reader, err := engine.Columns(ctx, offline.ColumnsRequest{Path: set.Out, Timestamp: set.Lock.Labels.Timestamp, Required: true})
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	return reader.Quantiles(ctx, n)
}

// countFile counts the rows of a file. It returns the closed reader, for what it says of the file.
func (p *Project) countFile(ctx context.Context, counter *drift.Counter, req offline.ColumnsRequest, progress func(int64)) (*offline.ColumnReader, error) {
	engine, err := p.openedEngine()
	if err != nil {
		return nil, err
	}
	req.Columns, req.Nulls = counter.Wanted()
	reader, err := engine.Columns(ctx, req)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	wanted := slices.Clone(req.Columns)
	for _, name := range req.Nulls {
		wanted = append(wanted, fstore.Field{Name: name, Type: fstore.Bool})
	}
	if reader.HasTimestamp() {
		wanted = append(wanted, fstore.Field{Name: req.Timestamp, Type: fstore.Timestamp})
	}
	wanted = slices.DeleteFunc(wanted, func(f fstore.Field) bool { return !reader.Has(f.Name) })
	if err := counter.Add(withoutRows(wanted)); err != nil {
		return nil, err
	}
	rows := int64(0)
	return reader, reader.Each(ctx, func(b *fstore.Batch) error {
		rows += int64(b.Len)
		progress(rows)
		return counter.Add(b)
	})
}

// withoutRows returns a batch of no rows: columns that the current side has count as there, however few rows are taken.
func withoutRows(columns []fstore.Field) *fstore.Batch {
	b := &fstore.Batch{}
	for _, f := range columns {
		b.Columns = append(b.Columns, fstore.NewColumn(f.Name, f.Type, 0))
	}
	return b
}

// exactRows is up to how many rows of both sides together KS is computed from them without being asked for.
const exactRows = 1_000_000

// exactKS computes KS from the rows of both sides, if the file of the reference is still that of its lock and there are not too many rows.
// If it was asked for, a file that is not is an error.
func (p *Project) exactKS(ctx context.Context, counter *drift.Counter, r *DriftRequest, set *LockedSet, current offline.ColumnsRequest, rows int64) error {
	if set.Lock.Output.Rows+rows > exactRows && !r.Exact {
		return nil
	}
	if err := p.checkSetFile(ctx, set); err != nil {
		if r.Exact || ctx.Err() != nil {
			return fmt.Errorf("reference: %w", err)
		}
		return nil
	}
	engine, err := p.openedEngine()
	if err != nil {
		return err
	}
	current.Columns, current.Nulls = counter.Numbers(), nil
	found, err := engine.Kolmogorov(ctx, offline.ColumnsRequest{Path: set.Out, Columns: current.Columns}, current)
	if err != nil {
		return err
	}
	for name, ks := range found {
		counter.SetKS(name, ks.Statistic, ks.Reference, ks.Current)
	}
	return nil
}
