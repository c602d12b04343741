package offline

import (
	"context"
	"fmt"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/offline/trainset"
)

// TempDir returns a folder for files that nobody keeps. It exists until the engine is closed.
func (e *Engine) TempDir() string { return e.temp.Path() }

// Digests returns the digests of files that the engine remembers.
func (e *Engine) Digests() *trainset.Digests { return e.digests }

// Recompute writes the training set of a lock again, from pinned files, and compares it with the lock. A file that
// changes while it is read is an error.
func (e *Engine) Recompute(ctx context.Context, req trainset.Recomputation) (*trainset.Recomputed, error) {
	s, err := e.isolated(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	s.locks, s.pinned = true, req.Inputs
	t := s.trainingAgain(&req)
	made := &trainset.Recomputed{Columns: []lock.ColumnDifference{}, Build: t.req.build()}
	file := req.Staging.File()
	for _, stage := range append(t.building(file), step{"compare", func(ctx context.Context) error { return t.compare(ctx, &req, made) }}) {
		if err := t.stage(ctx, stage.name, stage.do); err != nil {
			return nil, t.blame(ctx, req.Staging.Explain(err))
		}
	}
	return made, nil
}

// trainingAgain returns the training set of a lock, ready to be made.
func (s *session) trainingAgain(req *trainset.Recomputation) *training {
	l := req.Lock
	t := &training{session: s, byRef: map[fstore.ViewRef]lookup{}, summary: &TrainingSummary{}, req: &TrainingRequest{
		Name: l.Name, List: l.List(), Labels: Labels{SQL: l.Labels.SQL, Sources: l.Labels.Inputs, Views: l.Labels.Views}, Timestamp: l.Labels.Timestamp, Targets: l.Labels.Targets, Sample: l.Labels.Sample,
		Out: req.Out, AsOf: &l.AsOf, Now: req.Now, Progress: req.Progress, Version: l.Build.Fstore,
	}}
	if req.Check != nil {
		t.req.Check = func(ctx context.Context, last *time.Time) ([]lock.Causality, error) {
			return nil, req.Check(ctx, req.Inputs, last)
		}
	}
	if req.Original != "" {
		t.reads = append(t.reads, req.Original)
	}
	if l.Labels.File != nil {
		t.req.Labels.Path = l.Labels.File.Path
	}
	if l.Served != nil {
		t.req.Served = &Served{Served: *l.Served, Hash: req.Hash}
		for i, path := range req.Inputs.Served {
			t.req.Served.Parts = append(t.req.Served.Parts, ServedPart{l.Served.Files[i].Path, path})
		}
	}
	return t
}

// compare describes the new file and compares it with the lock.
func (t *training) compare(ctx context.Context, req *trainset.Recomputation, made *trainset.Recomputed) error {
	l, file := req.Lock, req.Staging.File()
	if err := t.checkUnchanged(ctx); err != nil {
		return err
	}
	var err error
	if made.Output, err = t.lockOutput(ctx, file, l.Labels.Timestamp, l.Output.Content); err != nil {
		return err
	}
	made.Columns = append(made.Columns, lock.CompareColumns(&l.Output, &made.Output)...)
	if req.Original != "" && made.Output.Rows == l.Output.Rows {
		for i := range made.Columns {
			if err := t.compareRows(ctx, &made.Columns[i], req.Original, file); err != nil {
				return err
			}
		}
	}
	made.Settings, err = t.settings(ctx)
	return err
}

// compareRows says in how many rows the values of a column differ, and how they differ in the first of these rows.
func (t *training) compareRows(ctx context.Context, d *lock.ColumnDifference, original, remade string) error {
	if !d.Values {
		return nil
	}
	b, err := t.query(ctx, fmt.Sprintf(`SELECT count(*), min(row), arg_min(coalesce(was::VARCHAR, 'null'), row), arg_min(coalesce(now::VARCHAR, 'null'), row)
FROM (
  SELECT was, now, row_number() OVER () AS row
  FROM (SELECT %[1]s AS was FROM %[2]s)
  POSITIONAL JOIN (SELECT %[1]s AS now FROM %[3]s)
)
WHERE was IS DISTINCT FROM now`, ident(d.Name), readParquet([]string{original}, false), readParquet([]string{remade}, false)))
	if err != nil || b.Columns[0].Int64s[0] == 0 {
		return err
	}
	d.Rows = b.Columns[0].Int64s[0]
	was, now := b.Columns[2].Strings[0], b.Columns[3].Strings[0]
	if len(was)+len(now) > longestText {
		d.What += fmt.Sprintf("; in %s, the first is row %d", english.Count(int(d.Rows), "row"), b.Columns[1].Int64s[0])
		return nil
	}
	d.What += fmt.Sprintf("; in %s, the first is row %d: %s → %s", english.Count(int(d.Rows), "row"), b.Columns[1].Int64s[0], was, now)
	return nil
}

// checkUnchanged returns an error if a file has changed since it was stamped.
func (t *training) checkUnchanged(ctx context.Context) error {
	if t.labels.file != "" {
		if err := t.checkFile(ctx, t.labels.stamp, t.labels.file); err != nil {
			return fmt.Errorf("labels: %w", err)
		}
	}
	if s := t.fromLog; s != nil {
		for i, p := range s.Parts {
			if err := t.checkFile(ctx, s.stamps[i], p.Path); err != nil {
				return fmt.Errorf("served log: %w", err)
			}
		}
	}
	for _, src := range t.readSources() {
		for i, path := range src.files {
			if err := t.checkFile(ctx, src.stamps[i], path); err != nil {
				return fmt.Errorf("source %s: %w", src.def.Name, err)
			}
		}
	}
	return nil
}

// checkFile returns an error if a file has changed since it was stamped.
func (s *session) checkFile(ctx context.Context, before trainset.Stamp, path string) error {
	return before.CheckUnchanged(path, func() (*lock.File, error) { return s.e.digests.Of(ctx, path) })
}
