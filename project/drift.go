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
	"github.com/fstore-dev/fstore/regular"
	"github.com/fstore-dev/fstore/sqltype"
)

// DriftStore and DriftServed name the online store and the served log as the current side of a comparison.
const (
	DriftStore  = "store"
	DriftServed = "served"
)

// DriftRequest says which rows to compare with which training set.
type DriftRequest struct {
	Reference string // a training set, by its name or the path of its lock
	Current   string // DriftStore, DriftServed, a training set by its name or the path of its lock, or a file of rows

	// Of DriftServed: whose answers to compare, and the folder of the log. Without a service or a model, these are the answers of the
	// one model that is pinned to the training set. "" is the folder of the settings.
	Service string
	Model   fstore.ModelRef
	Log     string

	// Timestamp is the column with the instant of a current row. "" means that of the training set; without that column, rows have
	// no instants.
	Timestamp string

	Window time.Duration // only current rows less than this long before To; 0: all
	To     *time.Time    // only current rows up to this instant; nil: up to the last
	Exact  bool          // compute KS from the rows of both sides, however many they are; only of files
	By     drift.Period  // also compare the current rows of each hour, day, week or month

	Options  drift.Options
	Progress func(rows int64)
}

// Drift compares current rows with what a training set was made of, in the bins of its lock, and holds the
// scores to the thresholds of the definitions, unless r.Options has others. The training set's file is only read for thresholds of auto.
// It returns ErrNotFound if a side does not exist, and ErrInvalid if the current rows have a column of a type that cannot be
// compared.
func (p *Project) Drift(ctx context.Context, r DriftRequest) (*drift.Comparison, error) {
	set, err := p.LockedSet(ctx, r.Reference)
	if err != nil {
		return nil, fmt.Errorf("reference: %w", err)
	}
	return p.driftFrom(ctx, r, set)
}

// driftFrom is Drift with a reference that was found.
func (p *Project) driftFrom(ctx context.Context, r DriftRequest, set *LockedSet) (*drift.Comparison, error) {
	if r.Progress == nil {
		r.Progress = func(int64) {}
	}
	if err := r.checkColumns(set.Lock); err != nil {
		return nil, err
	}
	if r.Current != DriftServed && (r.Service != "" || r.Model.Name != "" || r.Log != "") {
		return nil, fstore.Errorf(fstore.ErrUsage, "a service, a model and a log say which answers of the served log to compare").WithHint("give --current served with --service, --model and --log")
	}
	if r.Exact && (r.Current == DriftStore || r.Current == DriftServed) {
		return nil, fstore.Errorf(fstore.ErrUsage, "%s has no file of rows to compare exactly", r.Current).WithHint("leave out --exact")
	}
	current := drift.Side{Kind: drift.File, Name: r.Current, File: r.Current, Timestamp: set.Lock.Labels.Timestamp}
	switch {
	case r.Current == DriftStore:
		return p.driftOfStore(ctx, &r, set)
	case r.Current == DriftServed:
		return p.driftOfServed(ctx, &r, set)
	case !IsLockFile(r.Current), strings.HasSuffix(r.Current, lock.Suffix):
		of, err := p.LockedSet(ctx, r.Current)
		if err != nil {
			return nil, fmt.Errorf("current: %w", err)
		}
		current = setSide(of)
		current.Timestamp = of.Lock.Labels.Timestamp
		current.File = of.Out
		if err := p.checkSetFile(ctx, of); err != nil {
			return nil, fmt.Errorf("current: %w", err)
		}
	}
	if r.Timestamp != "" {
		current.Timestamp = r.Timestamp
	}
	return p.driftOfFile(ctx, &r, set, current)
}

// checkSetFile returns ErrInvalid if the file of a training set is not the one of its lock.
func (p *Project) checkSetFile(ctx context.Context, set *LockedSet) error {
	engine, err := p.openedEngine()
	if err != nil {
		return err
	}
	f, err := engine.Digests().Of(ctx, set.Out)
	if err != nil {
		return regular.ReadError(set.Out, err)
	}
	if f.SHA256 != set.Lock.Output.SHA256 {
		return fstore.Errorf(fstore.ErrInvalid, "%s is not the file of its lock: it has changed", set.Out).
			WithHint("name the file itself to compare what it has now, or make it again with fstore training-set rebuild")
	}
	return nil
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
	counter, err := p.driftCounter(ctx, set, current.Timestamp, r.By)
	if err != nil {
		return nil, err
	}
	wanted := offline.ColumnsRequest{
		Path: current.File, Timestamp: current.Timestamp, To: r.To, Window: r.Window,
		Required: r.Timestamp != "" || r.To != nil || r.Window > 0 || r.By != drift.Whole,
	}
	rows := int64(0)
	reader, err := p.countFile(ctx, counter, wanted, func(n int64) { rows = n; r.Progress(n) })
	if err != nil {
		return nil, fmt.Errorf("current: %w", err)
	}
	if err := p.exactKS(ctx, counter, r, set, wanted, rows); err != nil {
		return nil, err
	}
	current.File, current.From, current.To = reader.File(), reader.From, reader.To
	if !reader.HasTimestamp() {
		current.Timestamp = ""
	}
	return p.compared(ctx, counter, r, set, current)
}

// compared finishes a comparison.
func (p *Project) compared(ctx context.Context, counter *drift.Counter, r *DriftRequest, set *LockedSet, current drift.Side) (*drift.Comparison, error) {
	if err := p.learnAuto(ctx, counter, r, set); err != nil {
		return nil, fmt.Errorf("reference: %w", err)
	}
	out := counter.Compare(r.Options)
	current.Rows = out.Current.Rows
	out.Current, out.Reference = current, setSide(set)
	out.Reference.Rows = set.Lock.Output.Rows
	return out, nil
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
