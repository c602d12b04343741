package project

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/offline/trainset"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/registry/definition"
	"github.com/fstore-dev/fstore/registry/sqlgate"
	"github.com/fstore-dev/fstore/regular"
)

const parquetSuffix = ".parquet"

// LockedSet is a training set and its lock.
type LockedSet struct {
	Lock   *lock.Lock
	Text   []byte                      // the lock as it was written
	Out    string                      // the file of the training set
	File   string                      // the file of the lock
	Record *registry.TrainingSetRecord // nil: the lock was given as a file
}

// IsLockFile reports whether an argument is a file rather than a name: it has a dot or a slash, which no name has.
func IsLockFile(arg string) bool { return strings.ContainsAny(arg, `./\`) }

// LockedSet finds a training set by its name in the registry, or by the path of its lock or of its file. A lock in a
// file needs no registry. It returns ErrNotFound, or ErrCorrupt if the lock cannot be read.
func (p *Project) LockedSet(ctx context.Context, arg string) (*LockedSet, error) {
	if !IsLockFile(arg) {
		return p.recordedSet(ctx, arg)
	}
	if strings.HasSuffix(arg, parquetSuffix) {
		arg = lock.Path(arg)
	}
	file, err := filepath.Abs(arg)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", arg, err)
	}
	return lockedFile(file, arg)
}

func (p *Project) recordedSet(ctx context.Context, name string) (*LockedSet, error) {
	db, err := p.registry(ctx)
	if errors.Is(err, fstore.ErrNotReady) {
		return nil, fstore.Errorf(fstore.ErrNotReady, "training set %s: there is no registry yet at %s", name, p.Settings.Registry).
			WithHint("run fstore apply; or name the lock file, which needs no registry: %s%s", name, lock.Suffix)
	}
	if err != nil {
		return nil, fmt.Errorf("training set %s: %w", name, err)
	}
	defer db.Close()
	record, err := p.recordOf(ctx, db, name)
	if err != nil {
		return nil, err
	}
	return p.lockedRecord(ctx, db, record)
}

// lockedRecord reads the lock that the registry has of a training set.
func (p *Project) lockedRecord(ctx context.Context, db *registry.Store, record *registry.TrainingSetRecord) (*LockedSet, error) {
	p.settleBeside(ctx, db, []registry.TrainingSetRecord{*record})
	set := &LockedSet{Record: record, Text: append(bytes.TrimSpace(record.Lock), '\n'), Out: record.Out, File: lock.Path(record.Out)}
	var err error
	if set.Lock, err = lock.Read(set.Text); err != nil {
		return nil, fmt.Errorf("the registry's lock of training set %s: %w", record.Name, err)
	}
	return set, nil
}

// lockedFile reads a lock, which messages call shown. If lock and training set were moved together, the training set
// is the file beside the lock.
func lockedFile(file, shown string) (*LockedSet, error) {
	set := &LockedSet{File: file}
	var err error
	if set.Text, err = regular.Read(file, lock.MaxBytes); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fstore.Errorf(fstore.ErrNotFound, "there is no lock %s", shown).WithHint("name a training set, or its lock: churn%s", lock.Suffix)
		}
		return nil, fmt.Errorf("read the lock: %w", err)
	}
	if set.Lock, err = lock.Read(set.Text); err != nil {
		return nil, fmt.Errorf("%s: %w", shown, err)
	}
	set.Out = strings.TrimSuffix(file, lock.Suffix) + parquetSuffix
	if _, err := os.Stat(set.Out); err == nil {
		return set, nil
	}
	if _, err := os.Stat(set.Lock.Output.Path); err == nil || filepath.Base(set.Out) != filepath.Base(set.Lock.Output.Path) {
		set.Out = set.Lock.Output.Path // the lock was copied alone
	}
	return set, nil
}

// lockBeside returns the lock beside a file that is about to be written, or nil if there is none. It returns
// ErrConflict if another file has the lock's name. A folder of that name is left to the code that writes the lock.
func lockBeside(out string) (*lock.Lock, error) {
	path := lock.Path(out)
	conflict := func(what string) error {
		return fstore.Errorf(fstore.ErrConflict, "%s: its lock would replace %s, %s", out, path, what).WithHint("name a new file, or remove that one")
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && info.IsDir():
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("%s: read its lock: %w", out, err)
	case !info.Mode().IsRegular():
		return nil, conflict("which is not a file")
	}
	text, err := regular.Read(path, lock.MaxBytes)
	if err != nil {
		return nil, fmt.Errorf("%s: read its lock: %w", out, err)
	}
	lock, err := lock.Read(text)
	if err != nil {
		message, _ := fstore.Explain(err)
		return nil, conflict("which cannot be read: " + message)
	}
	return lock, nil
}

// isLockedBy reports whether a lock is that of the training set, or of an earlier rebuild of it.
func (set *LockedSet) isLockedBy(l *lock.Lock) bool {
	return l.Name == set.Lock.Name && l.Created.Equal(set.Lock.Created)
}

// lockedSQL is a query in a lock and the inputs that it may read, or an expression.
type lockedSQL struct {
	name, sql  string
	inputs     []string
	expression bool
}

// queries returns the SQL in a lock: that of the labels and of every view.
func queries(l *lock.Lock) []lockedSQL {
	var out []lockedSQL
	add := func(sources []fstore.Source, views []fstore.View) []string {
		var names []string
		for _, s := range sources {
			names = append(names, s.Name)
		}
		for _, v := range views {
			if v.SQL != "" {
				out = append(out, lockedSQL{v.Name, v.SQL, slices.Clone(names), false})
			}
			out = append(out, expressions(&v)...)
			names = append(names, v.Name)
		}
		return names
	}
	inputs := add(l.Labels.Inputs, l.Labels.Views)
	if l.Labels.SQL != "" {
		out = append(out, lockedSQL{"the labels", l.Labels.SQL, inputs, false})
	}
	for _, v := range l.Views {
		add(v.Sources, append(slices.Clone(v.Views), v.View))
	}
	return out
}

// expressions returns the SQL of a view's windowed features.
func expressions(v *fstore.View) []lockedSQL {
	var out []lockedSQL
	for _, f := range v.Features {
		if f.Window == nil {
			continue
		}
		for _, text := range []string{f.Window.Expression, f.Window.Where} {
			if text != "" {
				out = append(out, lockedSQL{v.Name + "." + f.Name, text, nil, true})
			}
		}
	}
	return out
}

// check sends the SQL through the gate of definitions.
func (q *lockedSQL) check(ctx context.Context, engine *offline.Engine) error {
	if q.expression {
		return sqlgate.CheckExpression(ctx, engine, q.name, q.sql)
	}
	return sqlgate.CheckQuery(ctx, engine, q.name, q.sql, q.inputs)
}

// checkLock returns an error unless the SQL of a lock may be run and its definitions match their fingerprints.
func (p *Project) checkLock(ctx context.Context, engine *offline.Engine, set *LockedSet) error {
	if err := set.checkSQL(ctx, engine); err != nil {
		return err
	}
	return p.checkFingerprints(ctx, engine, set)
}

// checkFingerprints recomputes the fingerprints of a lock's views, unless another build with another algorithm made
// the lock.
func (p *Project) checkFingerprints(ctx context.Context, engine *offline.Engine, set *LockedSet) error {
	if b := set.Lock.Build; b.Fstore != p.options.Version || b.DuckDB != offline.DuckDBVersion() {
		return nil
	}
	other, err := definition.FirstMismatch(ctx, engine, set.Lock.Views)
	if err != nil {
		return fmt.Errorf("%s: %w", set.File, err)
	}
	mismatch := func(ref fstore.ViewRef) error {
		return fmt.Errorf("%s: %w", set.File, lock.Contradiction(fmt.Errorf("view %s: its definition does not match its fingerprint", ref)))
	}
	if other != nil {
		return mismatch(other.Ref)
	}
	versions := definition.Versions{View: set.Lock.View, OnDemand: set.Lock.List().OnDemandVersion}
	switch other, err := definition.FirstOnDemandMismatch(set.Lock.OnDemand, versions); {
	case err != nil:
		return fmt.Errorf("%s: %w", set.File, lock.Contradiction(err))
	case other != nil:
		return mismatch(other.Ref)
	}
	return nil
}

// checkSQL passes the SQL of a lock that was given as a file through the gate for definitions.
func (set *LockedSet) checkSQL(ctx context.Context, engine *offline.Engine) error {
	if set.Record != nil {
		return nil
	}
	for _, q := range queries(set.Lock) {
		if err := q.check(ctx, engine); err != nil {
			return fmt.Errorf("%s: %w", set.File, err)
		}
	}
	return nil
}

// search says where the inputs of a lock may be.
func (p *Project) search(set *LockedSet) trainset.Search {
	return trainset.Search{Archive: trainset.NewArchive(p.Settings.Snapshots), Near: filepath.Dir(set.Out)}
}

// AsRecord returns the registry's record of the training set. For a lock given as a file, it returns the equivalent
// record.
func (set *LockedSet) AsRecord() *registry.TrainingSetRecord {
	if set.Record != nil {
		return set.Record
	}
	r := &registry.TrainingSetRecord{
		Name: set.Lock.Name, Created: set.Lock.Created, Rows: set.Lock.Output.Rows, Out: set.Out, Lock: bytes.TrimSpace(set.Text),
	}
	if set.Lock.Service != nil {
		r.Service = set.Lock.Service.String()
	}
	return r
}
