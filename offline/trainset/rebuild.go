package trainset

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
)

// Computer is what Rebuild needs of an engine.
type Computer interface {
	// Recompute writes the training set of a lock to a file and compares it with the lock.
	Recompute(ctx context.Context, req Recomputation) (*Recomputed, error)
	// TempDir is a folder for files that nobody keeps.
	TempDir() string
}

// Recomputation says what a Computer computes again.
type Recomputation struct {
	Lock     *lock.Lock
	Inputs   *Pinned
	Original string   // a file with the lock's content, with which rows are compared; empty: there is none
	Out      string   // where the file will be installed, which must not be one of the inputs; empty: nowhere
	Staging  *Staging // where it is written
	Check    Check
	Hash     KeyHash
	Progress func(Progress)
	Now      time.Time
}

// Check checks the views of a lock again, over the files that are read for it and up to the instant of the last label, nil
// if there is no label. Its errors end the rebuild.
type Check func(ctx context.Context, files *Pinned, last *time.Time) error

// KeyHash returns what a served log has of a key that it hashes: row of a column, which is not null.
type KeyHash func(c *fstore.Column, row int) string

// Recomputed describes what a Computer has written.
type Recomputed struct {
	Output   lock.Output
	Build    lock.Build
	Settings []lock.Setting
	Columns  []lock.ColumnDifference // columns that differ from the lock's
}

// Progress says how far a long operation is.
type Progress struct {
	Stage string  // what is being done
	Done  float64 // share of the stage, from 0 to 1
}

// RebuildRequest asks for a training set to be made again from its lock.
type RebuildRequest struct {
	Lock     *lock.Lock
	Text     []byte  // the lock as it was written, for a copy beside the file
	Inputs   []Input // as FindInputs found them
	Original string  // the training set's own file, if it has the content of the lock, to tell in which rows values differ; otherwise empty
	Out      string  // Parquet file to write; empty: the content is only compared
	Mismatch Mismatch
	Check    Check   // nil: nothing is checked
	Hash     KeyHash // nil: no key of the HMAC is at hand
	Progress func(Progress)
	Now      time.Time
}

// Mismatch says whether a training set is written whose content is not what the lock says.
type Mismatch int

// The choices.
const (
	DiscardMismatch Mismatch = iota // nothing is written, and an earlier file stays
	WriteMismatch                   // the file is written, without a lock: no lock describes it
)

// Rebuilt says how a training set that was made again compares with its lock.
type Rebuilt struct {
	Same      bool `json:"same"`       // the content is the same
	SameBytes bool `json:"same_bytes"` // the file is the same
	// BuildChanged says which data of this build differ from those of the lock's, if only on-demand features differ: these may
	// depend on the data. Empty: nothing differs, or something else.
	BuildChanged string                  `json:"build_changed,omitempty"`
	Columns      []lock.ColumnDifference `json:"columns"` // columns that differ
	Rows         int64                   `json:"rows"`
	SHA256       string                  `json:"sha256"`
	Build        lock.Build              `json:"build"`               // the build that made it now
	Settings     []string                `json:"settings,omitempty"`  // settings that differ, threads and memory aside
	Out          string                  `json:"out,omitempty"`       // what was written
	LockPath     string                  `json:"lock_file,omitempty"` // the copy of the lock beside it
}

// Rebuild makes a training set again and compares it with its lock. It takes the definitions from the lock and reads the
// files that FindInputs found, whatever the registry and the sources have now. If the request names a file, it writes the
// training set there with the lock beside it; both appear atomically. The error is ErrNotFound if an input is missing.
func Rebuild(ctx context.Context, c Computer, req RebuildRequest) (*Rebuilt, error) {
	r, err := rebuild(ctx, c, &req)
	if err != nil {
		return nil, fmt.Errorf("rebuild %s: %w", req.Lock.Name, err)
	}
	return r, nil
}

func rebuild(ctx context.Context, c Computer, req *RebuildRequest) (*Rebuilt, error) {
	staging, err := req.staging(c)
	if err != nil {
		return nil, err
	}
	defer func() { _ = staging.Close() }()
	inputs, err := pin(req.Lock, req.Inputs, staging.Folder())
	if err != nil {
		return nil, err
	}
	made, err := c.Recompute(ctx, Recomputation{
		Lock: req.Lock, Inputs: inputs, Original: req.Original, Out: req.Out, Staging: staging, Check: req.Check, Hash: req.Hash, Progress: req.Progress, Now: req.Now,
	})
	if err != nil {
		return nil, err
	}
	r := compare(req.Lock, made)
	switch {
	case req.Out == "" || !r.Same && req.Mismatch == DiscardMismatch:
		return r, nil
	case !r.Same:
		r.Out = req.Out
		return r, staging.Explain(staging.InstallWithoutLock())
	}
	r.Out, r.LockPath = req.Out, lock.Path(req.Out)
	return r, staging.Explain(staging.InstallCopy(req.Text))
}

// staging makes the staging folder: beside the file to be written, or among the engine's temporary files.
func (req *RebuildRequest) staging(c Computer) (*Staging, error) {
	if req.Out == "" {
		return newComparison(c.TempDir())
	}
	return NewStaging(req.Out)
}

// compare compares what was made with the lock.
func compare(l *lock.Lock, made *Recomputed) *Rebuilt {
	r := &Rebuilt{
		Same: made.Output.Content == l.Output.Content, SameBytes: made.Output.SHA256 == l.Output.SHA256,
		Rows: made.Output.Rows, SHA256: made.Output.SHA256, Build: made.Build, Columns: made.Columns,
	}
	if !r.Same {
		r.BuildChanged = buildChange(l, made)
	}
	for _, d := range lock.CompareSettings(l.Settings, made.Settings) {
		if d.Name != "threads" && d.Name != "memory_limit" {
			r.Settings = append(r.Settings, d.Name+": "+d.Old+" then, "+d.New+" now")
		}
	}
	return r
}

// buildChange says which data of on-demand features moved since the lock was made, if the training set that was made again
// differs from the lock only in features that depend on these data; empty otherwise.
func buildChange(l *lock.Lock, made *Recomputed) string {
	data, features := l.MovedWith(&made.Build)
	if made.Output.Rows != l.Output.Rows || slices.ContainsFunc(made.Columns, func(d lock.ColumnDifference) bool {
		return !d.Values || !slices.Contains(features, d.Name)
	}) {
		return ""
	}
	return data
}
