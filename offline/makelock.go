package offline

import (
	"context"
	"fmt"
	"runtime"
	"slices"

	"github.com/fstore-dev/fstore/offline/duckdb"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/offline/trainset"
	"github.com/fstore-dev/fstore/ondemand"
)

// lock makes the lock of the training set in the staging folder, and installs both.
func (t *training) lock(ctx context.Context) error {
	l, err := t.makeLock(ctx, t.staging.File())
	if err != nil {
		return err
	}
	if t.summary.Lock, err = lock.Encode(l); err != nil {
		return err
	}
	var record func() error
	if t.req.Record != nil {
		record = func() error { return t.req.Record(t.summary) }
	}
	return t.staging.Install(append(slices.Clone(t.summary.Lock), '\n'), record)
}

func (t *training) makeLock(ctx context.Context, file string) (*lock.Lock, error) {
	list := t.req.List
	l := &lock.Lock{
		Format: lock.Format, Name: t.req.Name, Created: t.req.Now.UTC(), Build: t.req.build(), Registry: t.req.Registry, AsOf: t.req.AsOf.UTC(),
		Causality: t.summary.Causality,
		Labels:    lock.Labels{SQL: t.req.Labels.SQL, Inputs: t.req.Labels.Sources, Views: t.req.Labels.Views, Timestamp: t.req.Timestamp, Targets: t.req.Targets, Rows: t.labels.rows, Sample: t.req.Sample},
		Faults:    t.summary.Faults,
		Request:   lock.Requests(list, func(column string) bool { return columnIndex(t.labels.columns, column) < 0 }),
		Sources:   []lock.Source{},
	}
	l.Describe(list)
	for i := range t.summary.Views {
		l.Uses[i].WithValue = &t.summary.Views[i].WithValue
	}
	if t.fromLog != nil {
		l.Served = &t.fromLog.Served.Served
	}
	var err error
	if l.Settings, err = t.settings(ctx); err != nil {
		return nil, err
	}
	if l.Output, err = t.lockOutput(ctx, file, t.req.Timestamp, ""); err != nil {
		return nil, err
	}
	if err := t.lockInputs(ctx, l); err != nil { // last, so that early digests have the most time
		return nil, err
	}
	l.Output.Path = t.req.Out
	return l, nil
}

// build describes the program that makes the training set.
func (r *TrainingRequest) build() lock.Build {
	b := lock.Build{Fstore: r.Version, DuckDB: duckdb.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if len(r.List.OnDemand) > 0 {
		b.Zones, b.Unicode = ondemand.DataVersions()
	}
	return b
}

// engineSettings are the settings of DuckDB that could change a value or the order of rows. threads and memory_limit can
// change only the last bits of plain sums of floats.
var engineSettings = []string{
	"Calendar", "TimeZone", "default_collation", "default_null_order", "default_order", "ieee_floating_point_ops", "integer_division",
	"memory_limit", "preserve_insertion_order", "threads",
}

// settings returns the settings that could change a result.
func (s *session) settings(ctx context.Context) ([]lock.Setting, error) {
	b, err := s.query(ctx, "SELECT name, value\nFROM duckdb_settings()\nWHERE name IN (SELECT unnest("+texts(engineSettings)+"))\nORDER BY name")
	if err != nil {
		return nil, err
	}
	out := []lock.Setting{}
	for i := range b.Len {
		out = append(out, lock.Setting{Name: b.Columns[0].Strings[i], Value: b.Columns[1].Strings[i]})
	}
	return append(out, lock.Setting{Name: "parquet", Value: fileOptions}), nil
}

// lockInputs digests every file that was read, and keeps a copy if the request says so. The files of a source are in the
// order in which they were read.
func (t *training) lockInputs(ctx context.Context, l *lock.Lock) error {
	if t.labels.file != "" {
		f, err := t.lockFile(ctx, t.labels.file, t.labels.stamp)
		if err != nil {
			return fmt.Errorf("labels: %w", err)
		}
		l.Labels.File = f
	}
	for _, src := range t.readSources() {
		if l.Source(src.def) != nil {
			continue // another definition of the same files
		}
		ls := lock.Source{Name: src.def.Name, Path: src.def.Path, Partitioned: src.partitioned, Files: []lock.File{}}
		for i, path := range src.files {
			f, err := t.lockFile(ctx, path, src.stamps[i])
			if err != nil {
				return fmt.Errorf("source %s: %w", src.def.Name, err)
			}
			ls.Files = append(ls.Files, *f)
		}
		l.Sources = append(l.Sources, ls)
	}
	if s := t.fromLog; s != nil {
		for _, i := range s.used {
			f, err := t.lockFile(ctx, s.Parts[i].Path, s.stamps[i])
			if err != nil {
				return fmt.Errorf("served log: %w", err)
			}
			l.Served.Files = append(l.Served.Files, lock.File{Path: s.Parts[i].Name, Size: f.Size, SHA256: f.SHA256})
		}
	}
	l.Snapshot = t.req.Archive != nil
	return nil
}

// lockFile digests a file that was read. The lock must say what was read, so it is an error if the file has changed since.
func (t *training) lockFile(ctx context.Context, path string, before trainset.Stamp) (*lock.File, error) {
	f, err := t.early.Of(ctx, path)
	if err == nil && t.req.Archive != nil {
		err = t.req.Archive.Keep(ctx, f)
	}
	if err == nil {
		err = before.CheckUnchanged(path, func() (*lock.File, error) { return f, nil })
	}
	return f, err
}

// lockOutput describes a finished training set, whose column at has the instants of its rows. It leaves out the statistics if the content is the known one. It digests
// the file's bytes while it reads the rows.
func (s *session) lockOutput(ctx context.Context, file, at, known string) (lock.Output, error) {
	o, bytes := lock.Output{}, make(chan error, 1)
	var digested lock.File
	var sum string
	go func() {
		var err error
		digested, sum, err = trainset.DigestWithMD5(ctx, file)
		bytes <- err
	}()
	err := s.content(ctx, file, at, &o, known)
	if failed := <-bytes; err == nil {
		err = failed
	}
	o.File, o.MD5 = digested, sum
	return o, err
}
