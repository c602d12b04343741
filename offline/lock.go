package offline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/duckdb"
)

// Lock says what a training set was made from and what came out.
type Lock struct {
	Format   int                   `json:"format"`
	Name     string                `json:"name"`
	Created  time.Time             `json:"created"`
	Fstore   string                `json:"fstore"`
	DuckDB   string                `json:"duckdb"`
	Commit   string                `json:"commit,omitempty"` // of the registry
	Service  *fstore.ViewRef       `json:"service,omitempty"`
	AsOf     time.Time             `json:"as_of"`
	Features []LockFeature         `json:"features"`
	Views    []*fstore.ViewVersion `json:"views"` // in full: enough to make it again
	Uses     [][]fstore.KeyBinding `json:"uses"`  // by index of a feature's use
	Labels   LockLabels            `json:"labels"`
	Sources  []LockSource          `json:"sources"`
	Output   LockOutput            `json:"output"`
}

// LockFeature is one output column that is a feature.
type LockFeature struct {
	Name    string         `json:"name"`
	View    fstore.ViewRef `json:"view"`
	Feature string         `json:"feature"`
	Type    fstore.Type    `json:"type"`
	Use     int            `json:"use"`
}

// LockLabels is where the labels came from.
type LockLabels struct {
	File      *LockFile       `json:"file,omitempty"`
	SQL       string          `json:"sql,omitempty"`
	Inputs    []fstore.Source `json:"inputs,omitempty"`
	Views     []fstore.View   `json:"views,omitempty"`
	Timestamp string          `json:"timestamp"`
	Rows      int64           `json:"rows"`
}

// LockSource is a source with every file that was read of it.
type LockSource struct {
	Name  string     `json:"name"`
	Files []LockFile `json:"files"`
}

// LockFile is a file and its content's digest.
type LockFile struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// LockOutput is the training set itself.
type LockOutput struct {
	LockFile
	Rows    int64        `json:"rows"`
	Columns []LockColumn `json:"columns"`
}

// LockColumn is a column of the training set with the engine's type.
type LockColumn struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// lock writes the lock beside the training set, whose file is still at temp, and puts both into place.
func (t *training) lock(ctx context.Context, temp string) error {
	l, err := t.makeLock(ctx, temp)
	if err != nil {
		return err
	}
	if t.summary.Lock, err = json.MarshalIndent(l, "", "  "); err != nil {
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
		Format: 1, Name: t.req.Name, Created: t.req.Now.UTC(), Fstore: t.req.Version, DuckDB: duckdb.Version(), Commit: t.req.Commit, AsOf: t.req.AsOf.UTC(),
		Labels: LockLabels{SQL: t.req.Labels.SQL, Inputs: t.req.Labels.Sources, Views: t.req.Labels.Views, Timestamp: t.req.Timestamp, Rows: t.labels.rows},
	}
	if list.Service.Name != "" {
		l.Service = &list.Service
	}
	seen := map[fstore.ViewRef]bool{}
	for _, u := range list.Uses {
		l.Uses = append(l.Uses, u.Keys)
		if !seen[u.Version.Ref] {
			seen[u.Version.Ref] = true
			l.Views = append(l.Views, u.Version)
		}
	}
	for i, o := range list.Outputs {
		l.Features = append(l.Features, LockFeature{o.Name, list.Uses[o.Use].Version.Ref, o.Feature, list.Feature(i).Type, o.Use})
	}
	if t.labels.file != "" {
		var err error
		if l.Labels.File, err = digestUnchanged(ctx, t.labels.file, t.labels.stamp); err != nil {
			return nil, fmt.Errorf("labels: %w", err)
		}
	}
	if err := t.lockSources(ctx, l); err != nil {
		return nil, err
	}
	return l, t.lockOutput(ctx, l, temp)
}

// lockSources digests every file that was read. Those of one source come in the order they were read in.
func (t *training) lockSources(ctx context.Context, l *Lock) error {
	for _, src := range t.readSources() {
		ls := LockSource{Name: src.def.Name}
		for i, path := range src.files {
			f, err := digestUnchanged(ctx, path, src.stamps[i])
			if err != nil {
				return fmt.Errorf("source %s: %w", src.def.Name, err)
			}
			ls.Files = append(ls.Files, *f)
		}
		l.Sources = append(l.Sources, ls)
	}
	return nil
}

func (t *training) lockOutput(ctx context.Context, l *Lock, temp string) error {
	f, err := digest(ctx, temp)
	if err != nil {
		return err
	}
	l.Output.LockFile, l.Output.Rows = *f, t.labels.rows
	l.Output.Path = t.req.Out
	columns, err := t.describe(ctx, "SELECT *\nFROM "+readParquet([]string{temp}, false))
	if err != nil {
		return err
	}
	for _, c := range columns {
		l.Output.Columns = append(l.Output.Columns, LockColumn(c))
	}
	return nil
}

// stamp tells whether a file is still what it was, without reading it.
type stamp struct{ info os.FileInfo }

func stampOf(path string) (stamp, error) {
	info, err := os.Stat(path)
	return stamp{info}, err
}

// digestUnchanged digests a file that was read before. The lock must say what was read: it is an error if the file
// has changed since its stamp.
func digestUnchanged(ctx context.Context, path string, before stamp) (*LockFile, error) {
	f, err := digest(ctx, path)
	if err != nil {
		return nil, err
	}
	now, err := stampOf(path)
	if err != nil {
		return nil, err
	}
	if !os.SameFile(before.info, now.info) || before.info.Size() != now.info.Size() || !before.info.ModTime().Equal(now.info.ModTime()) {
		return nil, fstore.Errorf(fstore.ErrConflict, "%s has changed while it was read", path).WithHint("run it again when nothing writes the file")
	}
	return f, nil
}

// digest reads a file for its size and SHA-256.
func digest(ctx context.Context, path string) (*LockFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, &cancelled{ctx, f})
	if err != nil {
		return nil, fmt.Errorf("digest %s: %w", path, err)
	}
	return &LockFile{path, n, hex.EncodeToString(h.Sum(nil))}, nil
}

// cancelled is a reader that ends with its context.
type cancelled struct {
	ctx context.Context //nolint:containedctx // lives as long as one copy
	r   io.Reader
}

func (c *cancelled) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(b)
}
