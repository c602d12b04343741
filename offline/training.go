package offline

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/offline/trainset"
	"github.com/fstore-dev/fstore/ondemand"
)

// DefaultTimestamp is the label column that holds the instant of a row unless a request names another.
const DefaultTimestamp = "event_timestamp"

// TrainingRequest asks for a training set.
type TrainingRequest struct {
	Name      string
	List      *fstore.FeatureList
	Labels    Labels
	Timestamp string                  // label column that holds T; empty: DefaultTimestamp
	Targets   []string                // label columns that a model learns to predict; they are in the lock
	Sample    *lock.Sample            // which labels are taken; nil: all
	Out       string                  // the Parquet file to write; its lock is written beside it
	AsOf      *time.Time              // rows created later do not exist; nil: Now
	Now       time.Time               // when the training set is made
	Registry  lock.Registry           // where the definitions come from, for the lock
	Version   string                  // of fstore, for the lock
	Check     LeakCheck               // called once the labels are read, before views are computed; nil: there is no check
	Values    ValueCheck              // called once the values are looked up, before the file is written; nil: nobody looks at them
	Served    *Served                 // where the values come from; nil: they are computed
	Archive   *trainset.Archive       // where copies of the inputs are kept; nil: none are kept
	Progress  func(trainset.Progress) // called from time to time; nil: nobody looks
	// Record is called when the training set is complete and durable, before it appears in its place. An error leaves
	// everything as it was. After Record returns, the training set exists (see trainset.Settle). nil: nothing is recorded.
	Record func(*TrainingSummary) error
	Clock  func() time.Time // for the summary's Seconds; nil: they are not measured
	// BeginStage is called when a stage begins, and the function that it returns when that stage ends. nil: nobody looks.
	BeginStage func(ctx context.Context, stage string) (end func(error))
}

// LeakCheck checks the views of a training set for leaks up to the instant of the last label, nil if there is no label. What
// it finds goes into the lock. An error of kind fstore.ErrCheck ends the training set.
type LeakCheck func(ctx context.Context, last *time.Time) ([]lock.Causality, error)

// TrainingSummary says what a training set holds and why values are missing.
type TrainingSummary struct {
	Name        string             `json:"name"`
	Out         string             `json:"out"`
	LockPath    string             `json:"lock_file"`
	Rows        int64              `json:"rows"`
	Labels      int64              `json:"labels"` // of which Rows were taken
	Views       []ViewSummary      `json:"views"`
	Continuous  []string           `json:"continuous,omitempty"` // views without publish: taken to be servable at once
	Request     []lock.Request     `json:"request,omitempty"`    // which label columns gave the request columns of on-demand features
	Faults      []lock.Fault       `json:"faults,omitempty"`     // of on-demand features
	Midnight    []string           `json:"midnight,omitempty"`   // on-demand features that read the hour of at, if every label's instant is midnight UTC
	DroppedRows []DroppedRows      `json:"dropped_rows,omitempty"`
	Causality   []lock.Causality   `json:"causality,omitempty"` // what a check found of the views that have SQL
	Served      *lock.ServedCounts `json:"served,omitempty"`    // what became of the labels, of a training set of what was served
	Seconds     []StageDuration    `json:"seconds"`
	Lock        []byte             `json:"-"` // the lock, as written
}

// ViewSummary counts the labels by what one view had for them, in one key role. WithValue, NoRow, Stale and NotAvailable
// add up to the rows.
type ViewSummary struct {
	View         fstore.ViewRef `json:"view"`
	Keys         []string       `json:"keys"`          // the label columns that give its keys
	WithValue    int64          `json:"with_value"`    // a row was found; its features may still be null
	NoRow        int64          `json:"no_row"`        // the key had no row by T, or had a null part
	Stale        int64          `json:"stale"`         // the row was older than the view's ttl
	NotAvailable int64          `json:"not_available"` // there was a row by T, but not yet available or published
	Late         int64          `json:"late"`          // of WithValue: a newer row had happened by T and became available after T
	Unpublished  int64          `json:"unpublished"`   // of WithValue: a newer row was available by T and not yet published
}

// DroppedRows counts rows that a source or view lost because their event time was null.
type DroppedRows struct {
	Relation string `json:"relation"`
	Rows     int64  `json:"rows"`
}

// StageDuration is the time a stage took.
type StageDuration struct {
	Stage   string  `json:"stage"`
	Seconds float64 `json:"seconds"`
}

// training is a training set being made.
type training struct {
	*session
	staging    *trainset.Staging // where it is made, if it is going to be installed
	req        *TrainingRequest
	labels     *labels
	evaluation *ondemand.Evaluation
	evaluator  *evaluator // of the on-demand features; nil: there are none
	uses       []*use
	byRef      map[fstore.ViewRef]lookup
	summary    *TrainingSummary
	reads      []string   // files to read besides labels and sources
	fromLog    *servedSet // where the values come from; nil: they are computed

	unchecked error // why the views were not checked for leaks
}

// TrainingSet writes the labels with the features as of each row's instant to req.Out, as Parquet, and beside it
// the lock. Both files appear atomically, whenever the process dies (trainset.Settle). Every label row is there exactly
// once, in order, its columns first and unchanged. docs/point-in-time.md says which values the features have.
func (e *Engine) TrainingSet(ctx context.Context, req TrainingRequest) (*TrainingSummary, error) {
	if req.Timestamp == "" {
		req.Timestamp = DefaultTimestamp
	}
	if req.AsOf == nil {
		req.AsOf = &req.Now
	}
	s, err := e.isolated(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	s.locks, s.early = true, e.digests.Early(ctx)
	defer s.early.Close()
	t := &training{session: s, req: &req, byRef: map[fstore.ViewRef]lookup{}}
	t.summary = &TrainingSummary{Name: req.Name, Out: req.Out, LockPath: lock.Path(req.Out), Views: []ViewSummary{}}
	if err := t.blame(ctx, t.run(ctx)); err != nil {
		return nil, fmt.Errorf("training set %s: %w", req.Name, err)
	}
	return t.summary, nil
}

func (t *training) run(ctx context.Context) (err error) {
	if t.staging, err = trainset.NewStaging(t.req.Out); err != nil {
		return err
	}
	defer func() { _ = t.staging.Close() }()
	for _, stage := range append(t.building(t.staging.File()), step{"summarize", t.summarize}, step{"lock", t.lock}) {
		if err := t.stage(ctx, stage.name, stage.do); err != nil {
			return t.staging.Explain(err)
		}
	}
	return nil
}

// step is a part of the work that is measured and reported by its name.
type step struct {
	name string
	do   func(context.Context) error
}

// building returns the steps that make a training set as a file, not yet in its place.
func (t *training) building(temp string) []step {
	if t.req.Served != nil {
		return t.servedSteps(temp, filepath.Dir(temp))
	}
	steps := []step{
		{"read labels", func(ctx context.Context) error {
			if err := t.sealFor(ctx, filepath.Dir(temp)); err != nil {
				return err
			}
			return t.readLabels(ctx)
		}},
		{"read views", t.readViews},
		{"join", t.join},
		{"write", func(ctx context.Context) error { return t.write(ctx, temp) }},
	}
	if t.req.Values != nil {
		steps = slices.Insert(steps, 3, step{"check values", t.checkValues})
	}
	if t.req.Check == nil {
		return steps
	}
	return slices.Insert(steps, 1, step{"check for leaks", t.checkLeaks})
}

func (t *training) readLabels(ctx context.Context) (err error) {
	if err := t.compile(); err != nil {
		return err
	}
	if t.labels, err = t.session.labels(ctx, t.req, t.evaluation, cut{known: t.req.AsOf}); err != nil {
		return err
	}
	t.summary.Rows, t.summary.Labels = t.req.Sample.Size(t.labels.rows), t.labels.rows
	if err := t.define(); err != nil {
		return err
	}
	t.summary.Request = lock.Requests(t.req.List, func(column string) bool { return columnIndex(t.labels.columns, column) < 0 })
	if err := t.exec(ctx, "CREATE TEMP VIEW _labels AS\n"+sampleSQL(t.req.Sample, t.labels.relation(), t.labels.rows)); err != nil {
		return err
	}
	return t.checkHours(ctx)
}

// checkLeaks runs the check for leaks. Only leaks end the training set here. Other errors of the check occur again when the
// views are read, with more detail; if they do not, readViews returns them.
func (t *training) checkLeaks(ctx context.Context) error {
	last, err := t.lastLabel(ctx)
	if err != nil {
		return err
	}
	t.summary.Causality, err = t.req.Check(ctx, last)
	if errors.Is(err, fstore.ErrCheck) {
		return err
	}
	t.unchecked = err
	return nil
}

// lastLabel returns the instant of the last label; nil if there is no label.
func (t *training) lastLabel(ctx context.Context) (*time.Time, error) {
	b, err := t.query(ctx, "SELECT max(t)\nFROM _labels")
	if err != nil {
		return nil, t.locate(ctx, err)
	}
	if b.Columns[0].IsNull(0) {
		return nil, nil
	}
	at := fstore.FromMicros(b.Columns[0].Int64s[0])
	return &at, nil
}

// sealFor seals the session's database: it can read the files that the request names, and write to one folder.
func (t *training) sealFor(ctx context.Context, folder string) error {
	l, files := &t.req.Labels, slices.Clone(t.reads)
	for i := range l.Sources {
		if _, err := t.source(ctx, &l.Sources[i]); err != nil {
			return fmt.Errorf("labels: %w", err)
		}
	}
	if l.SQL == "" {
		files = append(files, t.labelPath(l.Path))
	}
	for _, u := range t.req.List.Uses {
		if err := t.lookAt(ctx, u.Version); err != nil {
			return err
		}
	}
	return t.seal(ctx, files, []string{folder})
}

// readViews makes the look-up of every view that is used.
func (t *training) readViews(ctx context.Context) (err error) {
	for i, vu := range t.req.List.Uses {
		l, ok := t.byRef[vu.Version.Ref]
		if !ok {
			if l, err = t.e.lookups(ctx, t.session, vu.Version, cut{known: t.req.AsOf}); err != nil {
				return err
			}
			t.byRef[vu.Version.Ref] = l
			t.note(vu.Version, l)
		}
		u := &use{ViewUse: vu, number: i, lookup: l}
		for _, l := range t.evaluation.Lookups() {
			if l.Use == i && l.Feature != "" {
				u.features = append(u.features, l.Feature)
			}
		}
		t.uses = append(t.uses, u)
	}
	if t.unchecked != nil {
		return t.unchecked
	}
	return t.checkOut()
}

// note adds to the summary what is known of a view before it is joined.
func (t *training) note(v *fstore.ViewVersion, l lookup) {
	if v.View.Publish == nil && !v.View.Static() {
		t.summary.Continuous = append(t.summary.Continuous, v.Ref.String())
	}
	for _, d := range l.dropped() {
		if d.Rows > 0 && !containsRelation(t.summary.DroppedRows, d.Relation) {
			t.summary.DroppedRows = append(t.summary.DroppedRows, d)
		}
	}
}

func containsRelation(all []DroppedRows, name string) bool {
	for _, d := range all {
		if d.Relation == name {
			return true
		}
	}
	return false
}

// join looks up what every label sees. It makes _at, then a table of each use's values, and _joined: the labels, in any
// order, with what is looked up (o0, o1…): the features of views, and what expressions read besides. Of wide labels _joined
// has only row and these.
func (t *training) join(ctx context.Context) error {
	do := func(sql string) error { return t.locate(ctx, t.exec(ctx, sql)) }
	if err := do("CREATE TEMP TABLE _at AS\n" + t.atSQL()); err != nil {
		return err
	}
	columns, joins := t.carried(), ""
	for i, l := range t.evaluation.Lookups() {
		columns = append(columns, fmt.Sprintf("%s AS o%d", t.lookupSQL(l), i))
	}
	for _, u := range t.uses {
		if err := u.lookup.see(ctx, u); err != nil {
			return err
		}
		joins += u.lookup.joinSQL(u)
	}
	return do("CREATE TEMP VIEW _joined AS\nSELECT\n  " + list(columns) + "\nFROM _at AS labels" + joins)
}

// carriedColumns is the most label columns that go through the joins and the sort, where each column costs a few random
// memory accesses per row. Of wider labels, only keys and instants go through, and write reads the other columns again.
const carriedColumns = 64

// wide reports whether the label columns do not go through the joins.
func (l *labels) wide() bool { return len(l.columns) > carriedColumns }

// carried returns the columns of labels that go through the joins.
func (t *training) carried() []string {
	out := []string{"labels.row"}
	if t.labels.wide() {
		return out
	}
	if t.evaluator != nil {
		out = append(out, "labels.t")
	}
	for i := range t.labels.columns {
		out = append(out, fmt.Sprintf("labels.l%d", i))
	}
	return out
}

// atSQL returns the query of _at: the labels with their keys for every use (j0_0…) and what its look-up adds.
func (t *training) atSQL() string {
	columns, made, joins := t.carried(), []string{}, ""
	if !slices.Contains(columns, "labels.t") {
		columns = append(columns, "labels.t")
	}
	for i, u := range t.uses {
		made = append(made, fmt.Sprintf("%s AS p%d", u.publishedSQL("t"), i))
		for k, b := range u.Keys {
			made, columns = append(made, t.labels.key(b.Column)+" AS "+u.key(k)), append(columns, "labels."+u.key(k))
		}
		added, join := u.lookup.atSQL(u)
		columns, joins = append(columns, added...), joins+join
	}
	from := "_labels AS labels"
	if len(made) > 0 {
		from = "(\n  SELECT\n    *,\n  " + list(made) + "\n  FROM _labels\n) AS labels"
	}
	return "SELECT\n  " + list(columns) + "\nFROM " + from + joins
}

// lookupSQL returns what a look-up finds: an event time, or the value of a feature, which has its default where it is null.
func (t *training) lookupSQL(l ondemand.Lookup) string {
	u := t.uses[l.Use]
	if l.Feature == "" {
		return u.lookup.eventSQL(u)
	}
	x := u.lookup.featureSQL(u, l.Feature)
	if d := u.Version.View.Feature(l.Feature).Default; d != nil {
		x = "coalesce(" + x + ", " + literal(d) + ")"
	}
	return x
}

// stage runs a part of the work, measures it and reports its progress.
func (t *training) stage(ctx context.Context, name string, do func(context.Context) error) (err error) {
	clock := t.req.Clock
	if clock == nil {
		clock = func() time.Time { return t.req.Now }
	}
	start := clock()
	if t.req.BeginStage != nil {
		end := t.req.BeginStage(ctx, name)
		defer func() { end(err) }()
	}
	stop := t.report(name)
	err = do(ctx)
	stop()
	t.summary.Seconds = append(t.summary.Seconds, StageDuration{name, clock().Sub(start).Seconds()})
	return err
}
