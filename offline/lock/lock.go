// Package lock is the lock of a training set: a file that says what the training set was made from and what came out, with
// statistics of every column. It reads, writes, checks and compares locks and needs no engine. docs/lock.md explains the
// format.
package lock

import (
	"strings"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/stats"
)

// Format is the format of locks that this build writes. It also reads those from oldestFormat on. Format 2 had coarser
// statistics. Format 1 was that of development builds: it had no digests of the content.
const (
	Format       = 3
	oldestFormat = 2
)

// MaxBytes bounds a lock, in bytes: one of 100,000 columns, or of 300,000 files, fits.
const MaxBytes = 64 << 20

// Lock says what a training set was made from and what came out: enough to make it again, and to see that it is the
// same. docs/lock.md explains it.
type Lock struct {
	Format   int                   `json:"format" doc:"Format of this file. A reader refuses one that it does not know."`
	Digest   string                `json:"digest" doc:"SHA-256 of everything else. An edited lock is refused."`
	Name     string                `json:"name" doc:"Name of the training set."`
	Created  time.Time             `json:"created" doc:"When it was created."`
	Build    Build                 `json:"build" doc:"The build that created it. The same build and platform give the same bytes again; another one gives the same content."`
	Settings []Setting             `json:"settings" doc:"Settings of the engine and the file that can change a result, by name."`
	Registry Registry              `json:"registry" doc:"Where the definitions came from. The lock has them in full, so the registry is not read again."`
	Service  *fstore.ViewRef       `json:"service,omitempty" doc:"The feature service; absent for a list of features."`
	AsOf     time.Time             `json:"as_of" doc:"Knowledge cut-off: rows created later are ignored."`
	Features []Feature             `json:"features" doc:"The features, in column order. Their columns follow those of the labels."`
	Uses     []Use                 `json:"uses" doc:"Each use of a view, by one role of its keys. Features refer to a use by its index, from 0."`
	Views    []*fstore.ViewVersion `json:"views" doc:"The view versions used, in full, with the sources and views that they read."`
	// OnDemand, Request and Faults are absent where no feature is computed on demand.
	OnDemand []*fstore.OnDemandVersion `json:"on_demand,omitempty" doc:"The on-demand view versions used, in full, each after those that it reads."`
	Request  []Request                 `json:"request,omitempty" doc:"The request columns that on-demand views declare, by name, and the label columns that gave them."`
	Faults   []Fault                   `json:"faults,omitempty" doc:"How often an operator or function of an on-demand feature had no result although it had its operands."`
	Labels   Labels                    `json:"labels" doc:"The rows that were enriched."`
	Served   *Served                   `json:"served,omitempty" doc:"How rows were found in a served log; absent if the features were computed."`
	Sources  []Source                  `json:"sources" doc:"Every source that was read, with all its files."`
	Snapshot bool                      `json:"snapshot,omitempty" doc:"Whether the inputs are kept in the folder of the setting snapshots."`
	// Causality is absent in locks of builds that did not check.
	Causality []Causality `json:"causality,omitempty" doc:"Verdicts of the check for leaks, of each view version that has SQL; absent if no view has, or if the build did not check."`
	// Continuous follows from the definitions of the views. It says what they mean for training.
	Continuous []fstore.ViewRef `json:"continuous,omitempty" doc:"View versions with windows and without publish. Training assumes continuous publication of them: that each row is servable the moment it is available."`
	Output     Output           `json:"output" doc:"The training set itself."`
}

// Build is what made a training set.
type Build struct {
	Fstore   string `json:"fstore" doc:"Version of fstore."`
	DuckDB   string `json:"duckdb" doc:"Version of DuckDB."`
	Platform string `json:"platform" doc:"Operating system and processor, such as linux/amd64."`
	Zones    string `json:"zones,omitempty" doc:"Version of the time zone data; absent where no feature is computed on demand."`
	Unicode  string `json:"unicode,omitempty" doc:"Version of the Unicode data; absent where no feature is computed on demand."`
}

// Setting is a setting and its value.
type Setting struct {
	Name  string `json:"name" doc:"Name of the setting."`
	Value string `json:"value" doc:"Its value."`
}

// Registry is the state of the registry that gave the definitions.
type Registry struct {
	Project     string `json:"project" doc:"Project in the registry."`
	Revision    int64  `json:"revision" doc:"Revision of the project."`
	Commit      int64  `json:"commit,omitempty" doc:"The last apply before it, as fstore list commits counts them."`
	GitRevision string `json:"git_revision,omitempty" doc:"Git revision that was applied."`
	Dirty       bool   `json:"dirty,omitempty" doc:"Whether the applied repo had changes that the git revision does not contain."`
}

// Feature is one output column that is a feature.
type Feature struct {
	Name    string         `json:"name" doc:"Column of the training set."`
	View    fstore.ViewRef `json:"view" doc:"The view version that it comes from, or the on-demand view version."`
	Feature string         `json:"feature" doc:"Its name in the view."`
	Type    fstore.Type    `json:"type" doc:"Its type."`
	Use     *int           `json:"use,omitempty" doc:"Index of its use in uses, from 0; absent if its view is an on-demand view."`
}

// Use is one use of a view: by which columns of the labels its rows are found.
type Use struct {
	View fstore.ViewRef      `json:"view" doc:"The view version."`
	Keys []fstore.KeyBinding `json:"keys" doc:"The label column for each join key, in the order of the view's keys."`
	// WithValue is absent in locks of format 2.
	WithValue *int64 `json:"with_value,omitempty" doc:"Rows for which the view had a value: its key had a row, visible at the row's instant and not stale. Features may still be null in them. In all other rows they are null, or have their default."`
}

// Labels is where the labels came from: a file, or a query over sources and views.
type Labels struct {
	File      *File           `json:"file,omitempty" doc:"The file, Parquet or CSV by its name."`
	SQL       string          `json:"sql,omitempty" doc:"The query."`
	Inputs    []fstore.Source `json:"inputs,omitempty" doc:"The sources that the query reads, in full."`
	Views     []fstore.View   `json:"views,omitempty" doc:"The views that it reads, in full, each after those it reads."`
	Timestamp string          `json:"timestamp" doc:"The column with the instant of a row."`
	Targets   []string        `json:"targets,omitempty" doc:"The columns that a model learns to predict."`
	Rows      int64           `json:"rows" doc:"Number of labels."`
	Sample    *Sample         `json:"sample,omitempty" doc:"The sample; absent if all labels were taken."`
}

// Source is a source with every file that was read of it.
type Source struct {
	Name        string `json:"name" doc:"Name of the source."`
	Path        string `json:"path" doc:"Its path as written in the definition, before variables are replaced."`
	Partitioned bool   `json:"partitioned,omitempty" doc:"Whether folders such as day=2011-12-09 are columns."`
	Files       []File `json:"files" doc:"The files, in the order in which they were read."`
}

// File is a file and its content's digest.
type File struct {
	Path   string `json:"path" doc:"Absolute path."`
	Size   int64  `json:"size" doc:"Bytes."`
	SHA256 string `json:"sha256" doc:"SHA-256 of the bytes."`
}

// Output is the training set itself.
type Output struct {
	File
	MD5     string   `json:"md5" doc:"MD5 of the bytes, which DVC uses."`
	Rows    int64    `json:"rows" doc:"Number of rows."`
	Content string   `json:"content" doc:"Digest of rows and columns, independent of the file's encoding (docs/lock.md)."`
	Columns []Column `json:"columns" doc:"The columns, in order: those of the labels, then the features."`
}

// Column is a column of the training set.
type Column struct {
	Name       string           `json:"name" doc:"Name of the column."`
	Type       string           `json:"type" doc:"Type, as DuckDB names it."`
	Content    string           `json:"content" doc:"Digest of the values in order, independent of the file's encoding."`
	Statistics stats.Statistics `json:"statistics" doc:"Statistics of the values."`
}

// List returns the features that the lock names, as a request wants them.
func (l *Lock) List() *fstore.FeatureList {
	out := &fstore.FeatureList{OnDemand: l.OnDemand}
	if l.Service != nil {
		out.Service = *l.Service
	}
	for _, u := range l.Uses {
		out.Uses = append(out.Uses, fstore.ViewUse{Version: l.View(u.View), Keys: u.Keys})
	}
	for _, f := range l.Features {
		if f.Use != nil {
			out.Outputs = append(out.Outputs, fstore.FeatureOutput{As: f.Name, Use: *f.Use, Feature: f.Feature})
		} else {
			out.Outputs = append(out.Outputs, fstore.OnDemandOutput{As: f.Name, OnDemand: l.onDemand(f.View), Feature: f.Feature})
		}
	}
	for _, r := range l.Request {
		if r.Column == r.Name {
			continue
		}
		if out.Request == nil {
			out.Request = map[string]string{}
		}
		out.Request[r.Name] = r.Column
	}
	return out
}

// Instants returns the columns whose timestamps are instants in UTC, although the file has them without a zone: features, and the
// columns of labels from a query or a CSV file. Those of a Parquet file keep the types that they were given.
func (l *Lock) Instants() map[string]bool {
	out := map[string]bool{}
	if l.Labels.File == nil || FormatOf(l.Labels.File.Path) != Parquet {
		for _, c := range l.Output.Columns {
			if strings.HasPrefix(c.Type, "TIMESTAMP") && c.Type != "TIMESTAMP WITH TIME ZONE" {
				out[c.Name] = true
			}
		}
	}
	for _, f := range l.Features {
		if f.Type == fstore.Timestamp {
			out[f.Name] = true
		}
	}
	return out
}

// Continuous returns the view versions of which training assumes continuous publication.
func Continuous(views []*fstore.ViewVersion) []fstore.ViewRef {
	var out []fstore.ViewRef
	for _, v := range views {
		if v.View.Sawtooth() {
			out = append(out, v.Ref)
		}
	}
	return out
}

// View returns the version that a reference names, or nil.
func (l *Lock) View(ref fstore.ViewRef) *fstore.ViewVersion {
	for _, v := range l.Views {
		if v.Ref == ref {
			return v
		}
	}
	return nil
}

// Source returns the files of a source, or nil.
func (l *Lock) Source(def *fstore.Source) *Source {
	for i := range l.Sources {
		if s := &l.Sources[i]; s.Name == def.Name && s.Path == def.Path {
			return s
		}
	}
	return nil
}

// Files returns the files that a lock names: labels, those of the served log, then the sources' in order.
func (l *Lock) Files() []File {
	var out []File
	if l.Labels.File != nil {
		out = append(out, *l.Labels.File)
	}
	if l.Served != nil {
		out = append(out, l.Served.Files...)
	}
	for _, s := range l.Sources {
		out = append(out, s.Files...)
	}
	return out
}
