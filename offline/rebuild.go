package offline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
)

// RebuildRequest asks for a training set to be made again from its lock.
type RebuildRequest struct {
	Lock     *lock.Lock
	Text     []byte  // the lock as it was written, for a copy beside the file
	Inputs   []Input // as Engine.Inputs found them
	Original string  // the training set itself, if it is what the lock says: differences are told by rows then; empty: it is not
	Out      string  // Parquet file to write; empty: nothing is written, only compared
	Anyway   Anyway  // whether to write what has another content
	Progress func(Progress)
	Now      time.Time
}

// Anyway says whether a training set is written although its content is not what the lock says.
type Anyway int

// The choices.
const (
	OnlySame  Anyway = iota // nothing is written, and what was there stays
	EvenOther               // it is written, without a lock: none is true for it
)

// Rebuilt says how a training set that was made again compares with its lock.
type Rebuilt struct {
	Same      bool                    `json:"same"`       // the content is the same
	SameBytes bool                    `json:"same_bytes"` // the file is the same
	Columns   []lock.ColumnDifference `json:"columns"`    // what is not the same
	Rows      int64                   `json:"rows"`
	SHA256    string                  `json:"sha256"`
	Build     lock.Build              `json:"build"`               // what made it now
	Settings  []string                `json:"settings,omitempty"`  // settings that are not what they were, threads and memory aside
	Out       string                  `json:"out,omitempty"`       // what was written
	LockFile  string                  `json:"lock_file,omitempty"` // the copy of the lock beside it
}

// Rebuild makes a training set again from the definitions in its lock and from the files that were found for it,
// whatever the registry holds now, and compares the two. If the request says where, it is written there, with the lock
// beside it; both appear complete or not at all. The error is ErrNotFound if a file is gone.
func (e *Engine) Rebuild(ctx context.Context, req RebuildRequest) (*Rebuilt, error) {
	r, err := e.rebuild(ctx, &req)
	if err != nil {
		return nil, fmt.Errorf("rebuild %s: %w", req.Lock.Name, err)
	}
	return r, nil
}

func (e *Engine) rebuild(ctx context.Context, req *RebuildRequest) (*Rebuilt, error) {
	dir, err := e.rebuildFolder(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.remove() }()
	s, err := e.isolated(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	s.locks = true
	if s.pinned, err = pin(req.Lock, req.Inputs, dir.path); err != nil {
		return nil, err
	}
	l := req.Lock
	t := &training{session: s, byRef: map[fstore.ViewRef]*rows{}, summary: &TrainingSummary{}, req: &TrainingRequest{
		Name: l.Name, List: l.List(), Labels: Labels{SQL: l.Labels.SQL, Sources: l.Labels.Inputs, Views: l.Labels.Views}, Timestamp: l.Labels.Timestamp, Targets: l.Labels.Targets, Sample: l.Labels.Sample,
		Out: req.Out, AsOf: &l.AsOf, Now: req.Now, Progress: req.Progress, Version: l.Build.Fstore,
	}}
	if req.Original != "" {
		t.reads = append(t.reads, req.Original)
	}
	if l.Labels.File != nil {
		t.req.Labels.Path = l.Labels.File.Path
	}
	temp := filepath.Join(dir.path, readyFile)
	out := &Rebuilt{Columns: []lock.ColumnDifference{}}
	for _, stage := range append(t.building(temp), step{"compare", func(ctx context.Context) error { return t.compare(ctx, req, temp, out) }}) {
		if err := t.stage(ctx, stage.name, stage.do); err != nil {
			return nil, t.blame(ctx, dir.explain(err))
		}
	}
	if req.Out == "" || !out.Same && req.Anyway == OnlySame {
		return out, nil
	}
	return out, dir.explain(out.install(req, temp))
}

// rebuildFolder makes the folder of what is not finished: beside what is to be written, or with what is spilled.
func (e *Engine) rebuildFolder(req *RebuildRequest) (*outFolder, error) {
	if req.Out == "" {
		s, err := newScratch(e.temp.path, "rebuild-")
		return &outFolder{scratch: s, out: "the training set that is made to be compared"}, err
	}
	return newOutFolder(req.Out)
}

// install moves what was made to where it belongs.
func (r *Rebuilt) install(req *RebuildRequest, temp string) error {
	r.Out = req.Out
	if !r.Same {
		if err := os.Remove(lock.Path(req.Out)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return moveDurably(temp, req.Out)
	}
	r.LockFile = lock.Path(req.Out)
	tempLock := temp + ".lock"
	if err := os.WriteFile(tempLock, req.Text, 0o644); err != nil {
		return err
	}
	return installBoth(temp, req.Out, tempLock, r.LockFile)
}

// compare describes what was made and compares it with the lock. A file that has changed while it was read is an error.
func (t *training) compare(ctx context.Context, req *RebuildRequest, temp string, out *Rebuilt) error {
	l := req.Lock
	if err := t.readUnchanged(ctx); err != nil {
		return err
	}
	o, err := t.lockOutput(ctx, temp, l.Output.Content)
	if err != nil {
		return err
	}
	out.Rows, out.SHA256, out.Build = o.Rows, o.SHA256, t.req.build()
	out.Same, out.SameBytes = o.Content == l.Output.Content, o.SHA256 == l.Output.SHA256
	out.Columns = append(out.Columns, lock.CompareColumns(&l.Output, &o)...)
	if req.Original != "" && o.Rows == l.Output.Rows {
		for i := range out.Columns {
			if err := t.compareRows(ctx, &out.Columns[i], req.Original, temp); err != nil {
				return err
			}
		}
	}
	settings, err := t.settings(ctx)
	if err != nil {
		return err
	}
	for _, d := range lock.CompareSettings(l.Settings, settings) {
		if d.Name != "threads" && d.Name != "memory_limit" {
			out.Settings = append(out.Settings, d.Name+": "+d.Old+" then, "+d.New+" now")
		}
	}
	return nil
}

// compareRows says in how many rows the values of a column differ, and in the first of them how.
func (t *training) compareRows(ctx context.Context, d *lock.ColumnDifference, original, again string) error {
	if !d.Values {
		return nil
	}
	b, err := t.query(ctx, fmt.Sprintf(`SELECT count(*), min(row), arg_min(coalesce(was::VARCHAR, 'null'), row), arg_min(coalesce(now::VARCHAR, 'null'), row)
FROM (
  SELECT was, now, row_number() OVER () AS row
  FROM (SELECT %[1]s AS was FROM %[2]s)
  POSITIONAL JOIN (SELECT %[1]s AS now FROM %[3]s)
)
WHERE was IS DISTINCT FROM now`, ident(d.Name), readParquet([]string{original}, false), readParquet([]string{again}, false)))
	if err != nil || b.Columns[0].Int64s[0] == 0 {
		return err
	}
	d.Rows = b.Columns[0].Int64s[0]
	was, now := b.Columns[2].Strings[0], b.Columns[3].Strings[0]
	if len(was)+len(now) > longestText {
		d.What += fmt.Sprintf("; in %d rows, the first is row %d", d.Rows, b.Columns[1].Int64s[0])
		return nil
	}
	d.What += fmt.Sprintf("; in %d rows, the first is row %d: %s → %s", d.Rows, b.Columns[1].Int64s[0], was, now)
	return nil
}

// readUnchanged returns an error if a file has changed since it was looked at.
func (t *training) readUnchanged(ctx context.Context) error {
	if t.labels.file != "" {
		if err := t.unchanged(ctx, t.labels.stamp, t.labels.file); err != nil {
			return fmt.Errorf("labels: %w", err)
		}
	}
	for _, src := range t.readSources() {
		for i, path := range src.files {
			if err := t.unchanged(ctx, src.stamps[i], path); err != nil {
				return fmt.Errorf("source %s: %w", src.def.Name, err)
			}
		}
	}
	return nil
}

// unchanged returns an error if a file has changed since it was stamped.
func (s *session) unchanged(ctx context.Context, before stamp, path string) error {
	return before.unchanged(path, func() (*lock.File, error) { return s.e.digests.of(ctx, path) })
}
