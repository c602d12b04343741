package offline

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/offline/trainset"
)

// DefaultTimestamp is the label column that holds the instant of a row unless a request names another.
const DefaultTimestamp = "event_timestamp"

// TrainingRequest asks for a training set.
type TrainingRequest struct {
	Name      string
	List      *fstore.FeatureList
	Labels    Labels
	Timestamp string                  // label column that holds T; empty: DefaultTimestamp
	Targets   []string                // label columns that a model learns to predict, for the lock
	Sample    *lock.Sample            // the labels that are taken; nil: all
	Out       string                  // the Parquet file to write; its lock is written beside it
	AsOf      *time.Time              // rows created later do not exist; nil: Now
	Now       time.Time               // when the training set is made
	Registry  lock.Registry           // what gave the definitions, for the lock
	Version   string                  // of fstore, for the lock
	Archive   *trainset.Archive       // where copies of the inputs are kept; nil: none are kept
	Progress  func(trainset.Progress) // called now and then; nil: not
	// Record is called when the training set is complete and durable, before it appears in its place. An error leaves
	// everything as it was. After Record returns, the training set exists (see trainset.Settle). nil: nothing is recorded.
	Record func(*TrainingSummary) error
	Clock  func() time.Time // for the summary's Seconds; nil: they are not measured
}

// TrainingSummary says what a training set holds and why values are missing.
type TrainingSummary struct {
	Name        string          `json:"name"`
	Out         string          `json:"out"`
	LockPath    string          `json:"lock_file"`
	Rows        int64           `json:"rows"`
	Labels      int64           `json:"labels"` // of which Rows were taken
	Views       []ViewSummary   `json:"views"`
	Continuous  []string        `json:"continuous,omitempty"` // views without publish: taken to be servable at once
	DroppedRows []DroppedRows   `json:"dropped_rows,omitempty"`
	Seconds     []StageDuration `json:"seconds"`
	Lock        []byte          `json:"-"` // the lock, as written
}

// ViewSummary counts the labels by what one view had for them, by one key role. WithValue, NoRow, Stale and
// NotAvailable add up to the rows.
type ViewSummary struct {
	View         fstore.ViewRef `json:"view"`
	Keys         []string       `json:"keys"`          // the label columns that give its keys
	WithValue    int64          `json:"with_value"`    // a row was found, whose features may still be null
	NoRow        int64          `json:"no_row"`        // the key had no row by T, or part of it was null
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
	staging *trainset.Staging // where it is made, if it is going to be installed
	req     *TrainingRequest
	labels  *labels
	uses    []*use
	byRef   map[fstore.ViewRef]*rows
	summary *TrainingSummary
	reads   []string // files to read beside labels and sources
}

// use is one use of a view: its history, looked up by label columns.
type use struct {
	fstore.ViewUse
	number   int
	rows     *rows
	features []int // positions in rows.record, of the features asked for
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
	t := &training{session: s, req: &req, byRef: map[fstore.ViewRef]*rows{}}
	t.summary = &TrainingSummary{Name: req.Name, Out: req.Out, LockPath: lock.Path(req.Out)}
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

// building returns the steps that make a training set, as a file that is not in its place yet.
func (t *training) building(temp string) []step {
	return []step{
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
}

func (t *training) readLabels(ctx context.Context) (err error) {
	if t.labels, err = t.session.labels(ctx, t.req, cut{known: t.req.AsOf}); err != nil {
		return err
	}
	t.summary.Rows, t.summary.Labels = t.req.Sample.Size(t.labels.rows), t.labels.rows
	return t.exec(ctx, "CREATE TEMP VIEW _labels AS\n"+sampleSQL(t.req.Sample, t.labels.relation(), t.labels.rows))
}

// sealFor seals the session's database: it reads the files that the request names, and writes to a folder.
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

// readViews makes the history of every view that is used.
func (t *training) readViews(ctx context.Context) error {
	for i, u := range t.req.List.Uses {
		r, ok := t.byRef[u.Version.Ref]
		if !ok {
			var err error
			if r, err = t.rows(ctx, u.Version, cut{known: t.req.AsOf}); err != nil {
				return err
			}
			t.byRef[u.Version.Ref] = r
			t.note(r)
		}
		made := &use{ViewUse: u, number: i, rows: r}
		for _, o := range t.req.List.Outputs {
			for _, f := range o.Reads() {
				if f.Use == i {
					made.features = append(made.features, r.position(f.Feature))
				}
			}
		}
		t.uses = append(t.uses, made)
	}
	return t.checkOut()
}

// note puts into the summary what there is to know of a view before it is joined.
func (t *training) note(r *rows) {
	if r.view.Publish == nil && !r.view.Static() {
		t.summary.Continuous = append(t.summary.Continuous, r.ref.String())
	}
	for _, n := range r.nulls {
		if n.Rows > 0 && !containsRelation(t.summary.DroppedRows, n.Relation) {
			t.summary.DroppedRows = append(t.summary.DroppedRows, n)
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

// join finds for every label and use the row that the label sees: from which instant it holds, then which it is. It
// makes _joined: the labels, in any order, with the columns of the training set; of wide labels, the features alone.
func (t *training) join(ctx context.Context) error {
	do := func(sql string) error { return t.locate(ctx, t.exec(ctx, sql)) }
	if err := do("CREATE TEMP TABLE _at AS\n" + t.atSQL()); err != nil {
		return err
	}
	columns, joins := t.carried(), ""
	for i := range t.req.List.Outputs {
		columns = append(columns, fmt.Sprintf("%s AS o%d", t.output(i), i))
	}
	for i, u := range t.uses {
		if err := do(fmt.Sprintf("CREATE TEMP TABLE _winners_%d AS\n%s", i, u.rows.winners(u.asked(), u.features))); err != nil {
			return err
		}
		joins += u.found()
	}
	return do("CREATE TEMP VIEW _joined AS\nSELECT\n  " + list(columns) + "\nFROM _at AS labels" + joins)
}

// carriedColumns is up to how many columns of labels go through the joins and the sort: each costs them a few random
// accesses to memory for every row. Of wider labels only what finds their features does, and write reads the rest again.
const carriedColumns = 64

// wide reports whether the label columns do not go through the joins.
func (l *labels) wide() bool { return len(l.columns) > carriedColumns }

// carried returns the columns of labels that go through the joins.
func (t *training) carried() []string {
	out := []string{"labels.row"}
	if t.labels.wide() {
		return out
	}
	for i := range t.labels.columns {
		out = append(out, fmt.Sprintf("labels.l%d", i))
	}
	return out
}

// atSQL returns the query of the labels with their keys for every use, j0_0…, and the instant v0, v1… from which the
// row holds that they see, null where they see none.
func (t *training) atSQL() string {
	columns, made, joins := append(t.carried(), "labels.t"), []string{}, ""
	for i, u := range t.uses {
		made = append(made, fmt.Sprintf("%s AS p%d", u.published("t"), i))
		on := []string{}
		for k, b := range u.Keys {
			key := u.key(k)
			made, columns = append(made, t.labels.key(b.Column)+" AS "+key), append(columns, "labels."+key)
			on = append(on, fmt.Sprintf("labels.%s = use%d.k%d", key, i, k))
		}
		columns = append(columns, fmt.Sprintf("use%d.visible AS v%d", i, i))
		on = append(on, fmt.Sprintf("labels.p%d >= use%d.visible", i, i))
		joins += fmt.Sprintf("\nASOF LEFT JOIN (\n%s\n) AS use%d\n  ON %s", u.rows.instants(), i, and(on))
	}
	from := "_labels AS labels"
	if len(made) > 0 {
		from = "(\n  SELECT\n    *,\n  " + list(made) + "\n  FROM _labels\n) AS labels"
	}
	return "SELECT\n  " + list(columns) + "\nFROM " + from + joins
}

// key names the column of _at that holds a join key for the use.
func (u *use) key(k int) string { return fmt.Sprintf("j%d_%d", u.number, k) }

// asked returns the query of the keys and instants whose rows the labels see.
func (u *use) asked() string {
	columns := []string{}
	for k := range u.Keys {
		columns = append(columns, fmt.Sprintf("%s AS k%d", u.key(k), k))
	}
	columns = append(columns, fmt.Sprintf("v%d AS visible", u.number))
	return "SELECT DISTINCT " + strings.Join(columns, ", ") + fmt.Sprintf("\n    FROM _at\n    WHERE v%d IS NOT NULL", u.number)
}

// found returns the join of _at, under the name labels, with the rows that the labels see, use0, use1….
func (u *use) found() string {
	on := []string{}
	for k := range u.Keys {
		on = append(on, fmt.Sprintf("labels.%s = use%d.k%d", u.key(k), u.number, k))
	}
	on = append(on, fmt.Sprintf("labels.v%d = use%d.visible", u.number, u.number))
	return fmt.Sprintf("\nLEFT JOIN _winners_%d AS use%d\n  ON %s", u.number, u.number, and(on))
}

// output returns the value of an output column. Where it is null, it is the output's default.
func (t *training) output(i int) (x string) {
	switch o := t.req.List.Outputs[i].(type) {
	case fstore.FeatureOutput:
		x = t.featureSQL(o)
	}
	if d := t.req.List.Feature(i).Default; d != nil {
		x = "coalesce(" + x + ", " + literal(d) + ")"
	}
	return x
}

// featureSQL returns the value of a feature in the row found. It is null where there is no row or the row is stale.
func (t *training) featureSQL(o fstore.FeatureOutput) string {
	u := t.uses[o.Use]
	at := u.rows.position(o.Feature)
	x := u.rows.feature(at, fmt.Sprintf("use%d.f%d", o.Use, at))
	if fresh := u.fresh(); fresh != "" {
		return "CASE WHEN " + fresh + " THEN " + x + " END"
	}
	return x
}

// fresh returns the condition under which the row found is not stale for a label, empty where none ever is.
func (u *use) fresh() string {
	if v := u.rows.view; v.TTL != nil && !v.Static() {
		return fmt.Sprintf("use%d.event >= labels.t - %s", u.number, interval(*v.TTL))
	}
	return ""
}

// published returns P(T): the last instant that the view had published by T. A static view holds for all time.
func (u *use) published(t string) string {
	p := u.rows.view.Publish
	switch {
	case u.rows.view.Static():
		return "make_timestamp(0)"
	case p == nil:
		return t
	}
	every, shift := p.Every.Micros(), p.Delay.Micros()+p.Offset.Micros()
	since := fmt.Sprintf("(epoch_us(%s) - %d)", t, shift) // of the grid's origin, when the run began
	return fmt.Sprintf("make_timestamp(%s - (%s %% %d + %d) %% %d + %d)", since, since, every, every, every, p.Offset.Micros())
}

// position returns where a feature is in the history's f0, f1…
func (r *rows) position(feature string) int {
	for i, f := range r.record {
		if f.Name == feature {
			return i
		}
	}
	panic("offline: view " + r.ref.String() + " has no feature " + feature)
}

// stage runs a part of the work, measures it and reports how far its running query is.
func (t *training) stage(ctx context.Context, name string, do func(context.Context) error) error {
	clock := t.req.Clock
	if clock == nil {
		clock = func() time.Time { return t.req.Now }
	}
	start := clock()
	stop := t.report(name)
	err := do(ctx)
	stop()
	t.summary.Seconds = append(t.summary.Seconds, StageDuration{name, clock().Sub(start).Seconds()})
	return err
}
