package offline

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/duckdb"
)

// LockFormat is the format of locks that this build writes, and the only one it reads. Format 1 was that of
// development builds: it had no digests of the content.
const LockFormat = 2

// MaxLock bounds a lock, in bytes: one of 100,000 columns, or of 300,000 files, fits.
const MaxLock = 64 << 20

// Lock says what a training set was made from and what came out: enough to make it again, and to see that it is the
// same. docs/lock.md explains it.
type Lock struct {
	Format   int                   `json:"format" doc:"Format of this file. A reader refuses one that it does not know."`
	Digest   string                `json:"digest" doc:"SHA-256 of all the rest: an edited lock is refused."`
	Name     string                `json:"name" doc:"Name of the training set."`
	Created  time.Time             `json:"created" doc:"When it was made."`
	Build    LockBuild             `json:"build" doc:"What made it. The same build and platform give the same bytes again, another one the same content."`
	Settings []LockSetting         `json:"settings" doc:"Settings of the engine and of the file that could change a result, by name."`
	Registry LockRegistry          `json:"registry" doc:"Where the definitions came from. They are all here in full; nothing is read from there again."`
	Service  *fstore.ViewRef       `json:"service,omitempty" doc:"The feature service asked for; absent for a list of features."`
	AsOf     time.Time             `json:"as_of" doc:"Knowledge cut-off: rows created later do not exist."`
	Features []LockFeature         `json:"features" doc:"The features in the order of their columns, which stand behind those of the labels."`
	Uses     []LockUse             `json:"uses" doc:"Each use of a view, by one role of its keys; features name them by their place, from 0."`
	Views    []*fstore.ViewVersion `json:"views" doc:"The view versions used, in full: with the sources and views that they read."`
	Labels   LockLabels            `json:"labels" doc:"The rows that were enriched."`
	Sources  []LockSource          `json:"sources" doc:"Every source that was read, with every file of it."`
	Snapshot bool                  `json:"snapshot,omitempty" doc:"The inputs are kept, by content, in the folder of the setting snapshots."`
	Output   LockOutput            `json:"output" doc:"The training set itself."`
}

// LockBuild is what made a training set.
type LockBuild struct {
	Fstore   string `json:"fstore" doc:"Version of fstore."`
	DuckDB   string `json:"duckdb" doc:"Version of DuckDB."`
	Platform string `json:"platform" doc:"Operating system and processor, such as linux/amd64."`
}

// LockSetting is a setting and its value.
type LockSetting struct {
	Name  string `json:"name" doc:"Name of the setting."`
	Value string `json:"value" doc:"Its value."`
}

// LockRegistry is the state of the registry that gave the definitions.
type LockRegistry struct {
	Project     string `json:"project" doc:"Project in the registry."`
	Revision    int64  `json:"revision" doc:"Revision of the project."`
	Commit      int64  `json:"commit,omitempty" doc:"The last apply before it, as fstore list commits counts them."`
	GitRevision string `json:"git_revision,omitempty" doc:"Git revision that was applied."`
	Dirty       bool   `json:"dirty,omitempty" doc:"The tree that was applied had changes which the git revision does not hold."`
}

// LockFeature is one output column that is a feature.
type LockFeature struct {
	Name    string         `json:"name" doc:"Column of the training set."`
	View    fstore.ViewRef `json:"view" doc:"The view version that gives it."`
	Feature string         `json:"feature" doc:"Its name in the view."`
	Type    fstore.Type    `json:"type" doc:"Its type."`
	Use     int            `json:"use" doc:"Place of its use in uses, from 0."`
}

// LockUse is one use of a view: by which columns of the labels its rows are found.
type LockUse struct {
	View fstore.ViewRef      `json:"view" doc:"The view version."`
	Keys []fstore.KeyBinding `json:"keys" doc:"The label column for each join key, in the order of the view's keys."`
}

// LockLabels is where the labels came from: a file, or a query over sources and views.
type LockLabels struct {
	File      *LockFile       `json:"file,omitempty" doc:"The file, Parquet or CSV by its name."`
	SQL       string          `json:"sql,omitempty" doc:"The query."`
	Inputs    []fstore.Source `json:"inputs,omitempty" doc:"The sources that the query reads, in full."`
	Views     []fstore.View   `json:"views,omitempty" doc:"The views that it reads, in full, each behind those it reads."`
	Timestamp string          `json:"timestamp" doc:"The column with the instant of a row."`
	Targets   []string        `json:"targets,omitempty" doc:"The columns that a model learns to predict."`
	Rows      int64           `json:"rows" doc:"Number of labels."`
	Sample    *Sample         `json:"sample,omitempty" doc:"The labels that were taken; absent: all."`
}

// LockSource is a source with every file that was read of it.
type LockSource struct {
	Name        string     `json:"name" doc:"Name of the source."`
	Path        string     `json:"path" doc:"Its path as the definition writes it, before variables are replaced."`
	Partitioned bool       `json:"partitioned,omitempty" doc:"Folders such as day=2011-12-09 are columns."`
	Files       []LockFile `json:"files" doc:"The files, in the order in which they were read."`
}

// LockFile is a file and its content's digest.
type LockFile struct {
	Path   string `json:"path" doc:"Absolute path."`
	Size   int64  `json:"size" doc:"Bytes."`
	SHA256 string `json:"sha256" doc:"SHA-256 of the bytes."`
}

// LockOutput is the training set itself.
type LockOutput struct {
	LockFile
	MD5     string       `json:"md5" doc:"MD5 of the bytes, by which DVC knows a file."`
	Rows    int64        `json:"rows" doc:"Number of rows."`
	Content string       `json:"content" doc:"Digest of the rows and columns, whatever the file's encoding (docs/lock.md)."`
	Columns []LockColumn `json:"columns" doc:"The columns, in order: those of the labels, then the features."`
}

// LockColumn is a column of the training set.
type LockColumn struct {
	Name       string     `json:"name" doc:"Name of the column."`
	Type       string     `json:"type" doc:"Type as DuckDB calls it."`
	Content    string     `json:"content" doc:"Digest of the values in order, whatever the file's encoding."`
	Statistics Statistics `json:"statistics" doc:"What the values are like."`
}

// List returns the features that the lock names, as a request wants them.
func (l *Lock) List() *fstore.FeatureList {
	out := &fstore.FeatureList{}
	if l.Service != nil {
		out.Service = *l.Service
	}
	for _, u := range l.Uses {
		out.Uses = append(out.Uses, fstore.ViewUse{Version: l.view(u.View), Keys: u.Keys})
	}
	for _, f := range l.Features {
		out.Outputs = append(out.Outputs, fstore.FeatureOutput{Name: f.Name, Use: f.Use, Feature: f.Feature})
	}
	return out
}

// view returns the version that a reference names, or nil.
func (l *Lock) view(ref fstore.ViewRef) *fstore.ViewVersion {
	for _, v := range l.Views {
		if v.Ref == ref {
			return v
		}
	}
	return nil
}

// lock writes the lock beside the training set, whose file is still at temp, and puts both into place.
func (t *training) lock(ctx context.Context, temp string) error {
	l, err := t.makeLock(ctx, temp)
	if err != nil {
		return err
	}
	if t.summary.Lock, err = EncodeLock(l); err != nil {
		return err
	}
	tempLock := temp + ".lock"
	defer os.Remove(tempLock)
	if err := os.WriteFile(tempLock, append(t.summary.Lock, '\n'), 0o644); err != nil {
		return err
	}
	return t.install(temp, tempLock)
}

func (t *training) makeLock(ctx context.Context, temp string) (*Lock, error) {
	list := t.req.List
	l := &Lock{
		Format: LockFormat, Name: t.req.Name, Created: t.req.Now.UTC(), Build: t.req.build(), Registry: t.req.Registry, AsOf: t.req.AsOf.UTC(),
		Labels:   LockLabels{SQL: t.req.Labels.SQL, Inputs: t.req.Labels.Sources, Views: t.req.Labels.Views, Timestamp: t.req.Timestamp, Targets: t.req.Targets, Rows: t.labels.rows, Sample: t.req.Sample},
		Features: []LockFeature{}, Uses: []LockUse{}, Views: []*fstore.ViewVersion{}, Sources: []LockSource{},
	}
	if list.Service.Name != "" {
		l.Service = &list.Service
	}
	for _, u := range list.Uses {
		l.Uses = append(l.Uses, LockUse{u.Version.Ref, u.Keys})
		if l.view(u.Version.Ref) == nil {
			l.Views = append(l.Views, u.Version)
		}
	}
	for i, o := range list.Outputs {
		l.Features = append(l.Features, LockFeature{o.Name, list.Uses[o.Use].Version.Ref, o.Feature, list.Feature(i).Type, o.Use})
	}
	var err error
	if l.Settings, err = t.settings(ctx); err != nil {
		return nil, err
	}
	if l.Output, err = t.lockOutput(ctx, temp, ""); err != nil {
		return nil, err
	}
	if err := t.lockInputs(ctx, l); err != nil { // last, so that their digests have as long as they can
		return nil, err
	}
	l.Output.Path = t.req.Out
	return l, nil
}

// build is what makes the training set.
func (r *TrainingRequest) build() LockBuild {
	return LockBuild{Fstore: r.Version, DuckDB: duckdb.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
}

// engineSettings are the settings of DuckDB that could change a value or the order of rows. threads and memory_limit
// change nothing but the last bits of plain sums of floats.
var engineSettings = []string{
	"Calendar", "TimeZone", "default_collation", "default_null_order", "default_order", "ieee_floating_point_ops", "integer_division",
	"memory_limit", "preserve_insertion_order", "threads",
}

// settings returns the settings that could change a result.
func (s *session) settings(ctx context.Context) ([]LockSetting, error) {
	b, err := s.query(ctx, "SELECT name, value\nFROM duckdb_settings()\nWHERE name IN (SELECT unnest("+texts(engineSettings)+"))\nORDER BY name")
	if err != nil {
		return nil, err
	}
	out := []LockSetting{}
	for i := range b.Len {
		out = append(out, LockSetting{b.Columns[0].Strings[i], b.Columns[1].Strings[i]})
	}
	return append(out, LockSetting{"parquet", fileOptions}), nil
}

// lockInputs digests every file that was read, and keeps it if the request says so. Those of one source come in the
// order they were read in.
func (t *training) lockInputs(ctx context.Context, l *Lock) error {
	if t.labels.file != "" {
		f, err := t.lockFile(ctx, t.labels.file, t.labels.stamp)
		if err != nil {
			return fmt.Errorf("labels: %w", err)
		}
		l.Labels.File = f
	}
	for _, src := range t.readSources() {
		if l.source(src.def) != nil {
			continue // another definition of the same files
		}
		ls := LockSource{Name: src.def.Name, Path: src.def.Path, Partitioned: src.partitioned, Files: []LockFile{}}
		for i, path := range src.files {
			f, err := t.lockFile(ctx, path, src.stamps[i])
			if err != nil {
				return fmt.Errorf("source %s: %w", src.def.Name, err)
			}
			ls.Files = append(ls.Files, *f)
		}
		l.Sources = append(l.Sources, ls)
	}
	l.Snapshot = t.req.Keep != nil
	return nil
}

// source returns the files of a source, or nil.
func (l *Lock) source(def *fstore.Source) *LockSource {
	for i := range l.Sources {
		if s := &l.Sources[i]; s.Name == def.Name && s.Path == def.Path {
			return s
		}
	}
	return nil
}

// lockFile digests a file that was read. The lock must say what was read: it is an error if the file has changed since.
func (t *training) lockFile(ctx context.Context, path string, before stamp) (*LockFile, error) {
	f, err := t.early.of(ctx, path)
	if err == nil && t.req.Keep != nil {
		err = t.req.Keep.keep(ctx, f)
	}
	if err == nil {
		err = before.unchanged(path, func() (*LockFile, error) { return f, nil })
	}
	return f, err
}

// lockOutput describes a finished training set, without its statistics if its content is one that is known. The file's
// bytes are digested while its rows are read.
func (s *session) lockOutput(ctx context.Context, file, known string) (LockOutput, error) {
	o, bytes := LockOutput{}, make(chan error, 1)
	var digested LockFile
	var sum string
	go func() {
		var err error
		digested, sum, err = digestWithMD5(ctx, file)
		bytes <- err
	}()
	err := s.content(ctx, file, &o, known)
	if failed := <-bytes; err == nil {
		err = failed
	}
	o.LockFile, o.MD5 = digested, sum
	return o, err
}
