package project

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/monitor/drift"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/online/answers"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/server/servedlog"
)

// servedAt is the column with the instant of an answer.
const servedAt = "_at"

// driftOfServed compares what servers answered: the values that callers were given, defaults included, in every row that the log has.
func (p *Project) driftOfServed(ctx context.Context, r *DriftRequest, set *LockedSet) (*drift.Comparison, error) {
	if r.Timestamp != "" {
		return nil, fstore.Errorf(fstore.ErrUsage, "rows of the served log have the instant of their answer").WithHint("leave out --timestamp")
	}
	folder, err := p.servedFolder(r.Log)
	if err != nil {
		return nil, err
	}
	rev, err := p.Revision(ctx)
	if err != nil {
		return nil, err
	}
	of, err := p.servedWith(ctx, rev, r, set)
	if err != nil {
		return nil, err
	}
	counter, err := p.driftCounter(ctx, set, servedAt, r.By)
	if err != nil {
		return nil, err
	}
	s := &servedValues{counter: counter, lock: set.Lock, of: of, folder: folder, progress: r.Progress, after: math.MinInt64, upTo: math.MaxInt64}
	if err := s.limit(ctx, r); err != nil {
		return nil, err
	}
	if err := s.count(ctx); err != nil {
		return nil, err
	}
	s.explain(rev)
	side := drift.Side{Kind: drift.Served, Name: DriftServed, From: s.from, To: s.to, Timestamp: servedAt, Log: &s.log}
	if side.File, err = filepath.Abs(folder); err != nil {
		return nil, fmt.Errorf("%s: %w", folder, err)
	}
	out, err := p.compared(ctx, counter, r, set, side)
	if err != nil {
		return nil, err
	}
	out.Current.Rows = s.rows
	return out, nil
}

// servedWith returns which answers are compared: those of the request, or else those of the one model that is pinned to the training
// set.
func (p *Project) servedWith(ctx context.Context, rev *registry.Revision, r *DriftRequest, set *LockedSet) (*servedBy, error) {
	switch {
	case r.Service != "" && r.Model.Name != "":
		return nil, fstore.Errorf(fstore.ErrUsage, "answers are those of a service or of a model").WithHint("give --service or --model, not both")
	case r.Service != "" || r.Model.Name != "":
		return p.servedBy(rev, r.Service, r.Model)
	}
	var pinned []string
	recorded, err := p.recorded(ctx, set)
	if err != nil {
		return nil, err
	}
	for _, m := range rev.Models() {
		if recorded && m.TrainingSet == set.Lock.Name && !m.Retired {
			pinned = append(pinned, m.Ref.String())
			r.Model = m.Ref
		}
	}
	ask := "give --model NAME@VERSION"
	if set.Lock.Service != nil {
		ask += ", or --service " + set.Lock.Service.Name
	} else {
		ask += ", or --service NAME"
	}
	switch len(pinned) {
	case 1:
		return p.servedBy(rev, "", r.Model)
	case 0:
		return nil, fstore.Errorf(fstore.ErrUsage, "no model is pinned to training set %s, so it is not known whose answers to compare", set.Lock.Name).WithHint("%s", ask)
	}
	return nil, fstore.Errorf(fstore.ErrUsage, "training set %s is that of several models: %s", set.Lock.Name, strings.Join(pinned, ", ")).WithHint("%s", ask)
}

// recorded reports whether a training set is the one that the registry has under its name.
func (p *Project) recorded(ctx context.Context, set *LockedSet) (bool, error) {
	if set.Record != nil {
		return true, nil
	}
	known, err := p.recordedSet(ctx, set.Lock.Name)
	if errors.Is(err, fstore.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return known.isLockedBy(set.Lock), nil
}

// servedValues counts served values in the bins of a reference.
type servedValues struct {
	counter  *drift.Counter
	lock     *lock.Lock
	of       *servedBy
	folder   string
	progress func(int64)

	from, to    time.Time // what was asked for
	after, upTo int64     // in microseconds; rows count that are after the one, and up to the other

	log  drift.ServedLog
	rows int64

	info    *servedlog.Info // of the rows that were read last
	columns []servedColumn
	had     map[string]bool // columns of the reference that rows had
}

// servedColumn is a feature of served rows that the reference has.
type servedColumn struct {
	name    string // in the reference
	feature int    // of the served list
}

// limit says from when to when rows count. Without an end, a window ends with the last row.
func (s *servedValues) limit(ctx context.Context, r *DriftRequest) error {
	switch {
	case r.To != nil:
		s.to, s.upTo = *r.To, fstore.Micros(*r.To)
	case r.Window > 0:
		last := int64(math.MinInt64)
		if err := readServed(ctx, s.folder, servedlog.Reader{
			Chosen: s.of.chosen, Needs: func(*servedlog.Info) *servedlog.Needs { return &servedlog.Needs{} },
			Do: func(rows *servedlog.Rows) error {
				last = max(last, slices.Max(rows.At))
				return nil
			},
			Unreadable: func(string, error) {}, // count names it
		}); err != nil {
			return err
		}
		if last == math.MinInt64 { // there is no row
			return nil
		}
		s.to, s.upTo = fstore.FromMicros(last), last
	}
	if r.Window > 0 {
		s.from = s.to.Add(-r.Window)
		s.after = fstore.Micros(s.from)
	}
	return nil
}

// count reads the log.
func (s *servedValues) count(ctx context.Context) error {
	s.had = map[string]bool{}
	reader := servedlog.Reader{
		Chosen: s.of.chosen, Do: s.add, Unreadable: s.unreadable,
		Needs: func(i *servedlog.Info) *servedlog.Needs {
			needs := servedlog.Needs{Statuses: true}
			for _, c := range s.columnsOf(i) {
				needs.Features = append(needs.Features, c.feature)
			}
			return &needs
		},
		Since: s.from, Until: s.to,
	}
	return readServed(ctx, s.folder, reader)
}

// columnsOf returns the features of a list that the reference has: of the same view version, and by the same name. One of another
// name counts if it is the only one on both sides, and the list has the keys by which the reference looks it up.
func (s *servedValues) columnsOf(i *servedlog.Info) []servedColumn {
	var out []servedColumn
	for _, f := range s.lock.Features {
		named, all := -1, []int(nil)
		for at, served := range i.Features {
			if served.View != f.View || served.Feature != f.Feature || served.Type != f.Type {
				continue
			}
			if all = append(all, at); served.Name == f.Name {
				named = at
			}
		}
		if named < 0 && len(all) == 1 && s.usedOnce(f) && s.hasKeysOf(i, f) {
			named = all[0]
		}
		if named >= 0 {
			out = append(out, servedColumn{f.Name, named})
		}
	}
	return out
}

// usedOnce reports whether the reference has a feature of a view by one use only.
func (s *servedValues) usedOnce(f lock.Feature) bool {
	n := 0
	for _, of := range s.lock.Features {
		if of.View == f.View && of.Feature == f.Feature {
			n++
		}
	}
	return n == 1
}

// hasKeysOf reports whether a list has the key columns of a feature. Those of an on-demand feature are not known.
func (s *servedValues) hasKeysOf(i *servedlog.Info, f lock.Feature) bool {
	return f.Use == nil || !slices.ContainsFunc(s.lock.Uses[*f.Use].Keys, func(k fstore.KeyBinding) bool {
		return !slices.ContainsFunc(i.Columns, func(c fstore.Field) bool { return c.Name == k.Column })
	})
}

// add counts rows.
func (s *servedValues) add(rows *servedlog.Rows) error {
	if s.info != rows.Info {
		s.info, s.columns = rows.Info, s.columnsOf(rows.Info)
	}
	picked := s.pick(rows.At)
	b := &fstore.Batch{Len: len(picked)}
	if b.Len == 0 {
		return nil
	}
	at := fstore.NewColumn(servedAt, fstore.Timestamp, b.Len)
	for _, row := range picked {
		at.AppendInt64(rows.At[row])
	}
	b.Columns = append(b.Columns, at)
	names := make([]string, len(s.columns))
	for i, c := range s.columns {
		values := rows.Features[c.feature]
		if b.Len < rows.Len {
			values = pickedRows(&values, picked)
		}
		values.Name, names[i] = c.name, c.name
		s.had[c.name] = true
		b.Columns = append(b.Columns, values)
	}
	if err := s.counter.Add(b); err != nil {
		return err
	}
	s.counter.AddLookUps(names, b.Len, func(row, i int) drift.Status {
		switch answers.Status(rows.Statuses[picked[row]][s.columns[i].feature]) {
		case answers.NotFound:
			return drift.NotFound
		case answers.OutsideMaxAge:
			return drift.OutsideMaxAge
		case answers.Present, answers.NullValue:
		}
		return drift.Found
	})
	s.tell(rows.Info, int64(b.Len))
	s.rows += int64(b.Len)
	s.progress(s.rows)
	return nil
}

// pick returns the rows that count, by their instants.
func (s *servedValues) pick(at []int64) []int {
	out := make([]int, 0, len(at))
	for row, t := range at {
		if t > s.after && t <= s.upTo {
			out = append(out, row)
		}
	}
	return out
}

// pickedRows returns some rows of a column.
func pickedRows(c *fstore.Column, picked []int) fstore.Column {
	out := fstore.NewColumn(c.Name, c.Type, len(picked))
	for _, row := range picked {
		out.AppendFrom(c, row)
	}
	return out
}

// tell says of which list rows are, and how the log samples.
func (s *servedValues) tell(i *servedlog.Info, rows int64) {
	list := drift.ServedList{}
	if i.Service.Name != "" {
		list.Service = i.Service.String()
	}
	if i.Model.Name != "" {
		list.Model = i.Model.String()
	}
	at := slices.IndexFunc(s.log.Lists, func(l drift.ServedList) bool { return l.Service == list.Service && l.Model == list.Model })
	if at < 0 {
		at, s.log.Lists = len(s.log.Lists), append(s.log.Lists, list)
	}
	s.log.Lists[at].Rows += rows
	at = slices.IndexFunc(s.log.Samples, func(l drift.ServedSample) bool { return l.Share == i.Sample && l.By == string(i.By) })
	if at < 0 {
		at, s.log.Samples = len(s.log.Samples), append(s.log.Samples, drift.ServedSample{Share: i.Sample, By: string(i.By)})
	}
	s.log.Samples[at].Rows += rows
	for _, view := range s.otherVersions(i) {
		at := slices.IndexFunc(s.log.Versions, func(v drift.ServedVersion) bool { return v.View == view })
		if at < 0 {
			at, s.log.Versions = len(s.log.Versions), append(s.log.Versions, drift.ServedVersion{View: view})
		}
		s.log.Versions[at].Rows += rows
	}
}

// otherVersions returns the views of a list that the reference has in another version only.
func (s *servedValues) otherVersions(i *servedlog.Info) []fstore.ViewRef {
	var out []fstore.ViewRef
	for _, f := range i.Features {
		same := func(l lock.Feature) bool { return l.View == f.View }
		named := func(l lock.Feature) bool { return l.View.Name == f.View.Name }
		if !slices.ContainsFunc(s.lock.Features, same) && slices.ContainsFunc(s.lock.Features, named) && !slices.Contains(out, f.View) {
			out = append(out, f.View)
		}
	}
	return out
}

// shownFiles bounds the unreadable files that are named.
const shownFiles = 20

// unreadable counts a file of which rows are lost.
func (s *servedValues) unreadable(path string, err error) {
	s.log.UnreadableFiles++
	if rows, known := servedlog.LostRows(err); known {
		s.log.LostRows += rows
	}
	if len(s.log.Unreadable) < shownFiles {
		s.log.Unreadable = append(s.log.Unreadable, drift.ServedFile{File: path, Reason: err.Error()})
	}
}

// explain says of each feature why it is not compared, if it is not.
func (s *servedValues) explain(rev *registry.Revision) {
	if s.log.Lists == nil {
		s.log.Lists, s.log.Samples = []drift.ServedList{}, []drift.ServedSample{}
	}
	for _, f := range s.lock.Features {
		switch {
		case !s.same(rev, f.View):
			s.counter.Lack(f.Name, fmt.Sprintf("The registry does not have %s of the reference.", f.View))
		case s.rows > 0 && !s.had[f.Name]:
			s.counter.Lack(f.Name, fmt.Sprintf("No answer has %s of %s.", f.Feature, f.View))
		case s.rows == 0:
			_ = s.counter.Add(withoutRows([]fstore.Field{{Name: servedAt, Type: fstore.Timestamp}, {Name: f.Name, Type: f.Type}}))
		}
	}
}

// same reports whether the registry has a view version of the reference, with the same definition.
func (s *servedValues) same(rev *registry.Revision, ref fstore.ViewRef) bool {
	if v := rev.View(ref); v != nil {
		of := s.lock.View(ref)
		return of != nil && of.Fingerprint == v.Fingerprint
	}
	v := rev.OnDemandView(ref)
	return v != nil && slices.ContainsFunc(s.lock.OnDemand, func(of *fstore.OnDemandVersion) bool {
		return of.Ref == ref && of.Fingerprint == v.Fingerprint
	})
}
