package project

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/openlineage"
	"github.com/fstore-dev/fstore/monitor/expect"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/offline/trainset"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/registry/definition"
	"github.com/fstore-dev/fstore/regular"
	"github.com/fstore-dev/fstore/server/servedlog"
	"github.com/fstore-dev/fstore/tracing"
)

// TrainingSetRequest says what to make a training set from. Paths are relative to the working directory.
type TrainingSetRequest struct {
	Name      string
	Selection Selection    // from the versions in head, or those that a model is pinned to
	Labels    string       // Parquet or CSV file with the rows to enrich
	LabelsSQL string       // a query over sources and views that yields the labels instead
	Timestamp string       // label column with the instant of each row; "" means offline.DefaultTimestamp
	Targets   []string     // label columns that a model learns to predict; they are recorded in the lock
	Sample    *lock.Sample // nil: all labels
	AsOf      *time.Time   // rows created later are ignored; nil: now
	Out       string       // Parquet file to write; its lock is written beside it
	Replace   bool         // retire an existing training set with this name
	Snapshot  bool         // keep the inputs
	DVC       bool         // write the .dvc file by which DVC tracks the Parquet file
	LeakCheck string       // at how many instants the views are checked for leaks: a number, all, or off; "" is LeakInstants
	Keep      int          // how many bad rows are kept of each expectation that failed; 0: a few, to show

	Checked  func([]*Checked)        // called with how expectations came out, whether or not the training set is made; nil: they are not reported
	Progress func(trainset.Progress) // nil: no progress
}

// TrainingSet is a training set and its features.
type TrainingSet struct {
	*offline.TrainingSummary
	List     *fstore.FeatureList `json:"-"`
	Existing bool                `json:"existing,omitempty"` // it had been made before, from the same inputs
	DVCFile  string              `json:"dvc_file,omitempty"` // the .dvc file that was written, if the request asked for one
}

// CreateTrainingSet adds to each label the features as known at its instant, writes them with a lock, and records
// both in the registry. It does all of that or nothing. If the name has a training set that was made from the same, it
// computes nothing and returns that one.
func (p *Project) CreateTrainingSet(ctx context.Context, r TrainingSetRequest) (*TrainingSet, error) {
	if err := fstore.CheckName(r.Name); err != nil {
		return nil, err
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	if err := checkOut(r.Out); err != nil {
		return nil, about("out", err)
	}
	if r.DVC {
		if err := checkDVC(r.Out); err != nil {
			return nil, about("dvc", err)
		}
	}
	var set *TrainingSet
	err := p.traced(ctx, "training-set create", func(ctx context.Context, traces *tracing.Tracer) error {
		db, err := p.registry(ctx)
		if err != nil {
			return err
		}
		defer db.Close()
		return p.reported(ctx, "training_set."+r.Name, func(run *openlineage.Run) (err error) {
			c := &creation{p: p, db: db, r: r, run: run, traces: traces}
			if set, err = c.create(ctx); err != nil {
				return err
			}
			c.describe(traces.Of(ctx), set)
			return c.finish(set)
		})
	})
	return set, err
}

// check refuses contradictory requests.
func (r *TrainingSetRequest) check() error {
	if r.Sample != nil && r.Sample.Rows < 1 {
		return fstore.Errorf(fstore.ErrUsage, "sample of %d rows: it must have at least 1", r.Sample.Rows)
	}
	if err := oneOf("a file of labels or a query for labels", r.Labels != "", r.LabelsSQL != ""); err != nil {
		return err
	}
	if _, err := parseLeakCheck(r.LeakCheck); err != nil {
		return err
	}
	return r.Selection.check()
}

// checkOut checks the file name of a training set.
func checkOut(out string) error {
	if !strings.HasSuffix(out, parquetSuffix) || filepath.Base(out) == parquetSuffix { // a folder's name may also have this suffix, followed by a slash
		return fstore.Errorf(fstore.ErrUsage, "%s: a training set is a Parquet file", out).WithHint("end its name in %s", parquetSuffix)
	}
	return nil
}

// creation is the work on one training set.
type creation struct {
	p      *Project
	db     *registry.Store
	rev    *registry.Revision
	r      TrainingSetRequest
	engine *offline.Engine
	req    offline.TrainingRequest

	verdicts *verdicts // of the check for leaks; nil: there was none

	outcomes *OutcomesRequest // labels that are joined to what was served; nil: features are computed
	parts    []servedlog.Part // files of the log that it is about
	cleanUp  func()           // removes what outcomes needed meanwhile; nil: nothing is left

	checks *checks                              // of expectations; nil: there are none
	reads  map[*fstore.ViewVersion]*inputChecks // of what each view reads

	run    *openlineage.Run // nil: nothing is reported
	traces *tracing.Tracer  // nil: nothing is traced
}

// describe says in the span of a command which training set it has made.
func (c *creation) describe(span tracing.Span, set *TrainingSet) {
	if service := c.req.List.Service; service.Name != "" {
		span.Text("fstore.service", service.String())
	}
	if model := c.req.List.Model; model.Name != "" {
		span.Text("fstore.model", model.String())
	}
	span.Count("fstore.features", int64(len(c.req.List.Outputs)))
	span.Count("fstore.rows", set.Rows)
}

// finish says of a training set that is there what others read: DVC, and OpenLineage.
func (c *creation) finish(set *TrainingSet) error {
	if c.run == nil && !c.r.DVC {
		return nil
	}
	l, err := lock.Read(set.Lock)
	if err != nil {
		return err
	}
	reportOutput(c.run, set.Out, l)
	if c.r.DVC {
		set.DVCFile, err = writeDVC(set.Out, l)
	}
	return err
}

// prepare resolves the request: the features in head, the labels and the output file.
func (c *creation) prepare(ctx context.Context) (err error) {
	p := c.p
	if c.rev, err = c.db.Revision(ctx, p.Settings.Project); err != nil {
		return err
	}
	c.req = offline.TrainingRequest{
		Name: c.r.Name, Timestamp: c.r.Timestamp, Targets: c.r.Targets, Sample: c.r.Sample, AsOf: c.r.AsOf,
		Now: p.now().UTC().Truncate(time.Microsecond), Clock: p.options.Clock, Version: p.options.Version, Progress: c.r.Progress,
		BeginStage: stageOf(c.traces),
	}
	if c.r.AsOf != nil && c.r.AsOf.After(c.req.Now) {
		return about("as-of", fstore.Errorf(fstore.ErrUsage, "%s is after now, %s", fstore.FormatTime(*c.r.AsOf), fstore.FormatTime(c.req.Now)).
			WithHint("future data cannot be in a training set"))
	}
	if c.req.Timestamp == "" {
		c.req.Timestamp = offline.DefaultTimestamp
	}
	if c.engine, err = p.openedEngine(); err != nil {
		return err
	}
	if c.outcomes != nil {
		err = c.served(ctx)
	} else {
		c.req.Check = c.checkLeaks
		c.req.List, err = c.r.Selection.inHead(c.rev)
	}
	if err != nil {
		return err
	}
	return c.inputs(ctx)
}

func (c *creation) create(ctx context.Context) (_ *TrainingSet, err error) {
	p := c.p
	defer func() {
		if c.cleanUp != nil {
			c.cleanUp()
		}
	}()
	if err := c.prepare(ctx); err != nil {
		return nil, err
	}
	p.reportInputs(c.run, &c.req)
	if err := p.settle(ctx, c.db, filepath.Dir(c.r.Out)); err != nil {
		return nil, err
	}
	if made, err := c.existing(ctx); made != nil || err != nil {
		return made, err
	}
	if err := c.outIsFree(ctx); err != nil {
		return nil, about("out", err)
	}
	if c.req.Registry, err = lockRegistry(ctx, c.db, c.rev); err != nil {
		return nil, err
	}
	if c.r.Snapshot {
		c.req.Archive = trainset.NewArchive(p.Settings.Snapshots)
		release, err := c.req.Archive.Hold() // until the registry has the lock
		if err != nil {
			return nil, err
		}
		defer func() { _ = release() }()
	}
	if c.outcomes == nil && slices.ContainsFunc(c.req.List.Uses, func(u fstore.ViewUse) bool { return expect.Digest(u.Version) != "" }) {
		done, err := c.beginChecks(ctx)
		if err != nil {
			return nil, err
		}
		defer done()
	}
	c.req.Record = func(sum *offline.TrainingSummary) error { return c.record(ctx, sum) }
	summary, err := c.engine.TrainingSet(ctx, c.req)
	var same *sameContent
	if errors.As(err, &same) {
		return &TrainingSet{TrainingSummary: summaryOf(same.set), List: c.req.List, Existing: true}, nil
	}
	if err != nil {
		return nil, err
	}
	c.saveVerdicts()
	return &TrainingSet{TrainingSummary: summary, List: c.req.List}, nil
}

// saveVerdicts keeps what the check for leaks found. By now the files are digested.
func (c *creation) saveVerdicts() {
	if c.verdicts != nil {
		c.p.saveVerdicts(c.verdicts)
	}
}

// record records a training set in the registry.
func (c *creation) record(ctx context.Context, sum *offline.TrainingSummary) error {
	if err := c.outIsFree(ctx); err != nil { // another create may have taken it since
		return about("out", err)
	}
	if c.outcomes != nil && !c.r.Replace {
		if err := c.refuseName(ctx, sum.Lock); err != nil {
			return err
		}
	}
	record := registry.TrainingSetRecord{Name: c.r.Name, Created: c.req.Now, Rows: sum.Rows, Out: c.p.recordedPath(sum.Out), Lock: sum.Lock}
	if c.req.List.Service.Name != "" {
		record.Service = c.req.List.Service.String()
	}
	use := registry.RefuseName
	if c.r.Replace {
		use = registry.ReplaceName
	}
	return c.db.AddTrainingSet(ctx, c.p.Settings.Project, record, use)
}

// inputs resolves the labels and the output file.
func (c *creation) inputs(ctx context.Context) (err error) {
	if c.req.Out, err = filepath.Abs(c.r.Out); err != nil {
		return about("out", fmt.Errorf("%s: %w", c.r.Out, err))
	}
	if c.r.Labels != "" {
		if c.req.Labels.Path, err = labelsFile(c.r.Labels); err != nil {
			return about("labels", err)
		}
	}
	if c.r.LabelsSQL != "" {
		c.req.Labels.SQL = c.r.LabelsSQL
		query := registry.QueryText{Name: "the query for labels", SQL: c.r.LabelsSQL}
		c.req.Labels.Sources, c.req.Labels.Views, err = c.rev.QueryInputs(ctx, c.engine, query)
	}
	return err
}

// labelsFile returns the absolute path of a file of labels.
func labelsFile(path string) (string, error) {
	if info, err := os.Stat(path); err != nil {
		return "", fstore.Errorf(fstore.ErrUsage, "%s: %v", path, regular.Cause(err))
	} else if info.IsDir() {
		return "", fstore.Errorf(fstore.ErrUsage, "%s is a folder", path).
			WithHint("labels must be one file, so that their order is defined; --labels-sql can read a source with many files")
	}
	full, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return full, nil
}

// outIsFree refuses to overwrite a file that is not a training set, such as labels or a source, the file of another
// training set, or a file with the lock's name that is not a lock. A training set is recognized by the lock beside
// it.
func (c *creation) outIsFree(ctx context.Context) error {
	path := c.r.Out
	info, err := os.Lstat(path) // not Stat: writing would replace the link, not its target
	there := err == nil
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fstore.Errorf(fstore.ErrInvalid, "%s cannot be written: %v", path, regular.Cause(err)).WithHint("name a file in a folder")
	case there && !info.Mode().IsRegular():
		return fstore.Errorf(fstore.ErrConflict, "%s is there already and is not a file", path).WithHint("name a new file")
	}
	was, err := lockBeside(path)
	switch {
	case err != nil:
		return err
	case was == nil && there:
		return fstore.Errorf(fstore.ErrConflict, "%s is there already and is not a training set: it has no lock", path).
			WithHint("name a new file, or remove it")
	case was == nil || was.Name == c.r.Name:
		return nil
	}
	out, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	other, err := c.p.recordOf(ctx, c.db, was.Name)
	switch {
	case err == nil && other.Out != out:
		return nil // the registry has the lock, so it is not needed here
	case err != nil && !errors.Is(err, fstore.ErrNotFound):
		return err
	}
	return fstore.Errorf(fstore.ErrConflict, "%s is the file of training set %s", path, was.Name).WithHint("name a new file")
}

// lockRegistry describes the state of the registry that the definitions come from.
func lockRegistry(ctx context.Context, db *registry.Store, rev *registry.Revision) (lock.Registry, error) {
	r := lock.Registry{Project: rev.Project, Revision: rev.Number}
	commits, err := db.Commits(ctx, rev.Project)
	if err != nil {
		return r, err
	}
	for _, c := range commits { // the newest first
		if c.Revision <= rev.Number {
			r.Commit, r.GitRevision, r.Dirty = c.ID, c.GitRevision, c.Dirty
			break
		}
	}
	return r, nil
}

// QueryText returns the text of a query: given itself, or the contents of the .sql file that it names.
func QueryText(given string) (string, error) {
	if !strings.HasSuffix(given, ".sql") {
		if !utf8.ValidString(given) {
			return "", fstore.Errorf(fstore.ErrUsage, "%q is not UTF-8", given)
		}
		return given, nil
	}
	query, problem := definition.ReadText(regular.DirFS(filepath.Dir(given)), filepath.Base(given))
	switch {
	case problem == nil:
		return string(query), nil
	case problem.Pos.Line == 0:
		return "", fstore.Errorf(fstore.ErrUsage, "%s %s", given, problem.Message)
	}
	problem.Pos.File = given
	return "", fstore.Errorf(fstore.ErrInvalid, "%s: %s", problem.Pos, problem.Message).WithHint("%s", problem.Hint)
}
