package project

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/offline/trainset"
)

// existing returns the training set that has the name already, if the request would make the same one: from the same
// features, labels, options and input files, with no row that has become known since, and with its own file intact. It returns
// nil if the name is free, and ErrConflict with what differs otherwise.
func (c *creation) existing(ctx context.Context) (*TrainingSet, error) {
	if c.r.Replace || c.outcomes != nil { // refuseName compares outcomes
		return nil, nil
	}
	set, err := c.p.LockedSet(ctx, c.r.Name)
	switch {
	case errors.Is(err, fstore.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	differs, err := c.differences(ctx, set)
	if err != nil {
		return nil, err
	}
	if len(differs) > 0 {
		return nil, fstore.Errorf(fstore.ErrConflict, "there is a training set %s, and it was made from something else:\n%s", c.r.Name, strings.Join(atMost(differs, 10), "\n")).
			WithHint("choose another name, or pass --replace to retire the old one")
	}
	if err := c.p.checkIntact(ctx, c.engine, set); err != nil {
		return nil, err
	}
	if b := set.Lock.Build; b.Fstore != c.p.options.Version || b.DuckDB != offline.DuckDBVersion() {
		c.p.note("training set %s was made by another build: fstore %s, DuckDB %s", c.r.Name, b.Fstore, b.DuckDB)
	}
	return &TrainingSet{TrainingSummary: summaryOf(set), List: c.req.List, Existing: true}, nil
}

// summaryOf returns what a lock says of a training set that was made before: not why values are missing.
func summaryOf(set *LockedSet) *offline.TrainingSummary {
	l := set.Lock
	sum := &offline.TrainingSummary{
		Name: l.Name, Out: set.Out, LockPath: lock.Path(set.Out), Rows: l.Output.Rows, Labels: l.Labels.Rows, Views: []offline.ViewSummary{},
		Request: l.Request, Faults: l.Faults, Causality: l.Causality, Seconds: []offline.StageDuration{}, Lock: set.Text,
	}
	if l.Served != nil {
		sum.Served = &l.Served.Counts
	}
	for _, ref := range l.Continuous {
		sum.Continuous = append(sum.Continuous, ref.String())
	}
	return sum
}

// checkIntact returns an error unless the file of a training set and the lock beside it are as they were written.
func (p *Project) checkIntact(ctx context.Context, engine *offline.Engine, set *LockedSet) error {
	state := trainset.Unchanged
	now, err := engine.Digests().Of(ctx, set.Out)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		state = trainset.Vanished
	case err != nil:
		return fmt.Errorf("training set %s: %w", set.Lock.Name, err)
	case now.SHA256 != set.Lock.Output.SHA256:
		state = trainset.Changed
	}
	path, file := set.Out, "its file"
	if state == trainset.Unchanged {
		beside, err := set.lockState()
		if err != nil {
			return err
		}
		path, file, state = beside.Path, "its lock", beside.State
	}
	if state == trainset.Unchanged {
		return nil
	}
	return fstore.Errorf(fstore.ErrConflict, "there is a training set %s, and %s %s has %s", set.Lock.Name, file, path, state).
		WithHint("fstore training-set rebuild %s --out %s --overwrite writes it again; or pass --replace to make another one", set.Lock.Name, set.Out)
}

// differences returns what the request would make the training set from, other than what it was made from: a line for each
// difference.
func (c *creation) differences(ctx context.Context, set *LockedSet) ([]string, error) {
	now := c.wanted(set.Lock)
	var out []string
	for _, v := range viewDifferences(ctx, c.engine, versionsIn(set.Lock), versionsIn(now)) {
		if v.Old != 0 && v.New != 0 { // otherwise the features say it
			out = append(out, v.text())
		}
	}
	d := lock.Compare(set.Lock, now)
	for _, group := range []struct {
		name string
		all  []lock.Difference
	}{{"", d.About}, {"labels ", d.Labels}, {"feature ", d.Features}} {
		for _, x := range group.all {
			out = append(out, became(group.name+x.Name, x.Old, x.New))
		}
	}
	out = append(out, c.optionDifferences(set)...)
	data, err := c.dataDifferences(ctx, set, now)
	return append(out, data...), err
}

// wanted returns the lock with everything that a request decides as this request has it.
func (c *creation) wanted(was *lock.Lock) *lock.Lock {
	now := *was
	now.Describe(c.req.List)
	isLabel := func(column string) bool {
		return slices.ContainsFunc(was.Output.Columns, func(o lock.Column) bool { return o.Name == column }) &&
			!slices.ContainsFunc(was.Features, func(f lock.Feature) bool { return f.Name == column })
	}
	now.Request = lock.Requests(c.req.List, func(column string) bool { return !isLabel(column) })
	now.Labels.SQL, now.Labels.Inputs, now.Labels.Views = c.req.Labels.SQL, c.req.Labels.Sources, c.req.Labels.Views
	now.Labels.Timestamp, now.Labels.Targets, now.Labels.Sample = c.req.Timestamp, c.req.Targets, c.req.Sample
	if c.r.AsOf != nil {
		now.AsOf = *c.r.AsOf
	}
	return &now
}

// optionDifferences compares what a lock does not say in so many words.
func (c *creation) optionDifferences(set *LockedSet) []string {
	var out []string
	if set.Out != c.req.Out {
		out = append(out, became("file", set.Out, c.req.Out))
	}
	if c.r.AsOf == nil && !set.Lock.AsOf.Equal(set.Lock.Created) {
		out = append(out, became("known by", fstore.FormatTime(set.Lock.AsOf), "now"))
	}
	if c.r.Snapshot && !set.Lock.Snapshot {
		out = append(out, became("snapshot", "none", "of every input"))
	}
	if n, err := parseLeakCheck(c.r.LeakCheck); err == nil && n != 0 {
		for _, v := range set.Lock.Causality {
			if v.Verdict == lock.Unchecked || (v.Verdict != offline.PastUnknown && v.Instants < min(int64(n), v.Candidates)) {
				out = append(out, became(v.View.String()+" checked for leaks", v.Verdict, "at "+english.Count(n, "instant")))
			}
		}
	}
	return out
}

// dataDifferences compares labels and sources with what was read then.
func (c *creation) dataDifferences(ctx context.Context, set *LockedSet, now *lock.Lock) ([]string, error) {
	out, err := c.labelDifferences(ctx, set.Lock, now)
	if err != nil {
		return nil, err
	}
	read := &fstore.ViewVersion{Sources: now.Labels.Inputs, Views: now.Labels.Views}
	views := append(slices.Clone(now.Views), read)
	for _, v := range views {
		for i := range v.Sources {
			if s := &v.Sources[i]; set.Lock.Source(s) == nil {
				out = append(out, fmt.Sprintf("source %s: it reads %s", s.Name, s.Path))
			}
		}
	}
	inputs, err := trainset.FindInputs(ctx, c.engine, set.Lock, c.p.search(set))
	if err != nil {
		return nil, fmt.Errorf("training set %s: %w", set.Lock.Name, err)
	}
	for _, in := range inputs {
		if in.Source != "" && in.State != trainset.Unchanged && !in.MovedAlong() {
			out = append(out, fmt.Sprintf("source %s: %s has %s", in.Source, in.Path, in.State))
		}
	}
	if len(out) > 0 || c.r.AsOf != nil {
		return out, nil
	}
	late, err := c.engine.KnownBetween(ctx, views, set.Lock.AsOf, c.req.Now)
	if late != "" {
		out = append(out, fmt.Sprintf("%s: rows have become known since %s", late, fstore.FormatTime(set.Lock.AsOf)))
	}
	return out, err
}

// labelDifferences compares the file of labels by its content, wherever it is, and the definitions that a query reads.
func (c *creation) labelDifferences(ctx context.Context, was, now *lock.Lock) ([]string, error) {
	switch {
	case c.req.Labels.Path == "" && was.Labels.File != nil:
		return []string{"labels: they were the file " + was.Labels.File.Path}, nil
	case was.Labels.File == nil && c.req.Labels.Path != "":
		return nil, nil // the query says it
	case was.Labels.File == nil:
		same, err := sameReads(&was.Labels, &now.Labels)
		if err != nil || same {
			return nil, err
		}
		return []string{"labels: what the query reads is defined otherwise"}, nil
	}
	f, err := c.engine.Digests().Of(ctx, c.req.Labels.Path)
	if err != nil {
		return nil, about("labels", err)
	}
	if f.SHA256 != was.Labels.File.SHA256 {
		return []string{fmt.Sprintf("labels: %s is not as %s was", f.Path, was.Labels.File.Path)}, nil
	}
	return nil, nil
}

// sameReads reports whether two queries for labels read the same definitions. Both are compared as a lock writes them.
func sameReads(a, b *lock.Labels) (bool, error) {
	was, err := json.Marshal(lock.Labels{Inputs: a.Inputs, Views: a.Views})
	if err != nil {
		return false, err
	}
	is, err := json.Marshal(lock.Labels{Inputs: b.Inputs, Views: b.Views})
	return string(was) == string(is), err
}

// became returns a difference as a line.
func became(what, old, now string) string {
	or := func(s string) string {
		if s == "" {
			return "none"
		}
		return strings.Join(strings.Fields(s), " ")
	}
	return fmt.Sprintf("%s: %s → %s", what, or(old), or(now))
}

// text returns the difference between two versions of a view as a line.
func (v *ViewDifference) text() string {
	fields := make([]string, len(v.Fields))
	for i, f := range v.Fields {
		fields[i] = f.Field
	}
	line := fmt.Sprintf("definition %s: @%d → @%d", v.View, v.Old, v.New)
	if len(fields) > 0 {
		line += " (" + strings.Join(atMost(fields, 5), ", ") + ")"
	}
	return line
}

// atMost returns the first lines, and how many more there are.
func atMost(lines []string, n int) []string {
	if len(lines) <= n {
		return lines
	}
	return append(slices.Clone(lines[:n]), fmt.Sprintf("and %d more", len(lines)-n))
}
