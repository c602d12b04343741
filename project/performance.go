package project

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/monitor/drift"
	"github.com/fstore-dev/fstore/monitor/performance"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/offline/trainset"
)

// PerformanceRequest says whose predictions to judge.
type PerformanceRequest struct {
	Set        string // a training set, by its name, its lock or its file; or any file of rows
	Reference  string // another one, with the same columns; "": there is none
	Label      string // column; "": the only target of the training set
	Prediction string // column; "": the one that the lock names
	Timestamp  string // column with the instant of a row; "": that of the training set, or offline.DefaultTimestamp

	Options  performance.Options
	Progress func(rows int64) // nil: no progress
}

// Performance judges the predictions of a set by its labels. It returns ErrInvalid if a column is missing or has no numbers.
func (p *Project) Performance(ctx context.Context, r PerformanceRequest) (*performance.Result, error) {
	if r.Progress == nil {
		r.Progress = func(int64) {}
	}
	current, err := p.judgedSet(ctx, r.Set)
	if err != nil {
		return nil, err
	}
	if err := r.fill(current); err != nil {
		return nil, err
	}
	rows, err := p.judgedRows(ctx, &r, current, r.Options.By)
	if err != nil {
		return nil, err
	}
	var other *judgedSet
	var reference *performance.Rows
	if r.Reference != "" {
		if other, err = p.judgedSet(ctx, r.Reference); err == nil {
			reference, err = p.judgedRows(ctx, &r, other, drift.Whole)
		}
		if err != nil {
			return nil, fmt.Errorf("reference: %w", err)
		}
	}
	out, err := performance.Judge(rows, reference, r.Options)
	if err != nil {
		return nil, err
	}
	out.Label, out.Prediction = r.Label, r.Prediction
	out.Current.Name, out.Current.File = current.name, current.file
	if r.Options.By != drift.Whole {
		out.Timestamp = r.Timestamp
	}
	if other != nil {
		out.Reference.Name, out.Reference.File = other.name, other.file
	}
	return out, nil
}

// judgedSet is a file of rows, and the lock of a training set.
type judgedSet struct {
	name, file string
	lock       *lock.Lock // nil: a file without one
}

func (p *Project) judgedSet(ctx context.Context, arg string) (*judgedSet, error) {
	file, err := filepath.Abs(arg)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", arg, err)
	}
	if IsLockFile(arg) && !strings.HasSuffix(arg, lock.Suffix) {
		l, err := lockBeside(arg)
		if err != nil {
			return nil, fstore.Errorf(fstore.ErrInvalid, "%s: the lock beside it cannot be read", ShortPath(arg)).
				WithHint("restore %s, or move it away and name the columns with --label and --prediction", ShortPath(lock.Path(arg)))
		}
		if l == nil {
			return &judgedSet{file: file}, nil
		}
		set := &judgedSet{file: file, lock: l}
		have, err := trainset.Digest(ctx, file)
		if err == nil && have.SHA256 == l.Output.SHA256 { // otherwise it has changed, and is another set
			set.name = l.Name
		}
		return set, err
	}
	set, err := p.LockedSet(ctx, arg)
	if err != nil {
		return nil, err
	}
	if err := p.checkSetFile(ctx, set); err != nil {
		return nil, err
	}
	return &judgedSet{set.Lock.Name, set.Out, set.Lock}, nil
}

// fill takes the columns that are not given from the lock.
func (r *PerformanceRequest) fill(set *judgedSet) error {
	l := set.lock
	if l == nil {
		l = &lock.Lock{}
	}
	if r.Label == "" && len(l.Labels.Targets) == 1 {
		r.Label = l.Labels.Targets[0]
	}
	if r.Prediction == "" && l.Served != nil {
		r.Prediction = l.Served.Prediction
	}
	if r.Timestamp == "" {
		r.Timestamp = l.Labels.Timestamp
	}
	if r.Timestamp == "" {
		r.Timestamp = offline.DefaultTimestamp
	}
	for _, c := range []struct{ value, flag, what string }{{r.Label, "label", "the column with the labels"}, {r.Prediction, "prediction", "the column with the predictions"}} {
		if c.value == "" {
			return fstore.Errorf(fstore.ErrUsage, "--%s is missing: %s", c.flag, c.what).WithHint("outcomes join records it in the lock with the same flag")
		}
	}
	return nil
}

func (p *Project) judgedRows(ctx context.Context, r *PerformanceRequest, set *judgedSet, by drift.Period) (*performance.Rows, error) {
	engine, err := p.openedEngine()
	if err != nil {
		return nil, err
	}
	windows := by != drift.Whole
	columns := offline.ColumnsRequest{Path: set.file, Numbers: []string{r.Label, r.Prediction}}
	if windows {
		columns.Timestamp, columns.Required = r.Timestamp, true
	}
	reader, err := engine.Columns(ctx, columns)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	rows, read := performance.NewRows(by), int64(0)
	err = reader.Each(ctx, func(b *fstore.Batch) error {
		column := func(name string) *fstore.Column {
			i := slices.IndexFunc(b.Columns, func(c fstore.Column) bool { return c.Name == name })
			if i < 0 {
				return nil
			}
			return &b.Columns[i]
		}
		label, prediction, at := column(r.Label), column(r.Prediction), column(r.Timestamp)
		for i := range b.Len {
			instant := int64(0)
			if label.IsNull(i) || prediction.IsNull(i) || windows && at.IsNull(i) {
				rows.LeaveOut()
				continue
			}
			if windows {
				instant = at.Int64s[i]
			}
			rows.Add(instant, label.Float64s[i], prediction.Float64s[i])
		}
		read += int64(b.Len)
		r.Progress(read)
		return nil
	})
	return rows, err
}
