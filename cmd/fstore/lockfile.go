package main

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
	"github.com/fstore-dev/fstore/offline/duckdb"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/regular"
)

const lockSuffix = ".lock.json"

// lockPath returns where the lock of a training set's file is.
func lockPath(out string) string { return strings.TrimSuffix(out, parquetSuffix) + lockSuffix }

// lockedSet is a training set that a command names: by its name in the registry, or by its lock, which is enough.
type lockedSet struct {
	lock     *offline.Lock
	text     []byte // the lock as it was written
	out      string // the training set
	file     string // its lock
	record   *registry.TrainingSetRecord
	settings *Settings
}

// lockBeside returns the lock beside a file that is going to be written, nil where there is none. What else is in its
// place is somebody's: the error is ErrConflict. A folder there is left to who writes the lock.
func lockBeside(out string) (*offline.Lock, error) {
	path := lockPath(out)
	conflict := func(what string) error {
		return fstore.Errorf(fstore.ErrConflict, "--out %s: its lock would replace %s, %s", out, path, what).WithHint("name a new file, or remove that one")
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && info.IsDir():
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("--out %s: read its lock: %w", out, err)
	case !info.Mode().IsRegular():
		return nil, conflict("which is not a file")
	}
	text, err := regular.Read(path, offline.MaxLock)
	if err != nil {
		return nil, fmt.Errorf("--out %s: read its lock: %w", out, err)
	}
	lock, err := offline.ReadLock(text)
	if err != nil {
		message, _ := explain(err)
		return nil, conflict("which cannot be read: " + message)
	}
	return lock, nil
}

// isLockFile reports whether an argument is a file and not a name: it has a dot or a slash, as no name has.
func isLockFile(arg string) bool { return strings.ContainsAny(arg, `./\`) }

// lockedSet finds a training set. A lock in a file needs neither the registry nor a feature repo.
func (a *app) lockedSet(ctx context.Context, arg string) (*lockedSet, error) {
	set := &lockedSet{}
	var err error
	if !isLockFile(arg) {
		if set.settings, err = a.settings(); err != nil {
			return nil, err
		}
		return set, a.fromRegistry(ctx, set, arg)
	}
	if strings.HasSuffix(arg, parquetSuffix) {
		arg = lockPath(arg)
	}
	if set.file, err = filepath.Abs(arg); err != nil {
		return nil, fmt.Errorf("%s: %w", arg, err)
	}
	if set.settings, err = a.settingsForLock(filepath.Dir(set.file)); err != nil {
		return nil, err
	}
	return set, set.fromFile(arg)
}

func (a *app) fromRegistry(ctx context.Context, set *lockedSet, name string) error {
	s := set.settings
	db, err := openExisting(ctx, s)
	if errors.Is(err, fstore.ErrNotReady) {
		return fstore.Errorf(fstore.ErrNotReady, "training set %s: there is no registry yet at %s", name, s.Registry).
			WithHint("run fstore apply; or name the lock, which is enough by itself: %s%s", name, lockSuffix)
	}
	if err != nil {
		return fmt.Errorf("training set %s: %w", name, err)
	}
	defer db.Close()
	if set.record, err = db.TrainingSet(ctx, s.Project, name); err != nil {
		return err
	}
	a.settleBeside(ctx, s, db, []registry.TrainingSetRecord{*set.record})
	set.text = append(bytes.TrimSpace(set.record.Lock), '\n')
	set.out, set.file = set.record.Out, lockPath(set.record.Out)
	if set.lock, err = offline.ReadLock(set.text); err != nil {
		return fmt.Errorf("the registry's lock of training set %s: %w", name, err)
	}
	return nil
}

// fromFile reads a lock. The training set is the file beside it, where they have moved together.
func (set *lockedSet) fromFile(arg string) error {
	var err error
	if set.text, err = regular.Read(set.file, offline.MaxLock); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return fstore.Errorf(fstore.ErrNotFound, "there is no lock %s", arg).WithHint("a training set is named by its name, or by its lock: churn%s", lockSuffix)
		}
		return fmt.Errorf("read the lock: %w", err)
	}
	if set.lock, err = offline.ReadLock(set.text); err != nil {
		return fmt.Errorf("%s: %w", arg, err)
	}
	set.out = strings.TrimSuffix(set.file, lockSuffix) + parquetSuffix
	if _, err := os.Stat(set.out); err == nil {
		return nil
	}
	if _, err := os.Stat(set.lock.Output.Path); err == nil || filepath.Base(set.out) != filepath.Base(set.lock.Output.Path) {
		set.out = set.lock.Output.Path // a copy of the lock alone
	}
	return nil
}

// isLockedBy reports whether a lock is the one of the training set, or of an earlier rebuild of it.
func (set *lockedSet) isLockedBy(l *offline.Lock) bool {
	return l.Name == set.lock.Name && l.Created.Equal(set.lock.Created)
}

// settingsForLock returns the repo's settings, or where the command does not run in one and none was given, those that
// a lock needs: the engine's, and where snapshots are.
func (a *app) settingsForLock(dir string) (*Settings, error) {
	given, _ := a.lookup("FSTORE_REPO")
	if _, err := a.findRepo(); err == nil || a.repo != "" || given != "" {
		return a.settings()
	}
	if a.config.GetString("project") == "" {
		a.config.SetDefault("project", "none")
	}
	s, err := a.check(dir, &settingsText{})
	if err != nil {
		return nil, err
	}
	s.State, s.TempDir = "", "" // nothing is remembered in a folder that is no repo
	return s, nil
}

// lockedSQL is a query in a lock with what it may read.
type lockedSQL struct {
	name, sql string
	inputs    []string
}

// queries returns the SQL in a lock: of the labels, and of every view with those that it reads.
func queries(l *offline.Lock) []lockedSQL {
	var out []lockedSQL
	add := func(sources []fstore.Source, views []fstore.View) []string {
		var names []string
		for _, s := range sources {
			names = append(names, s.Name)
		}
		for _, v := range views {
			if v.SQL != "" {
				out = append(out, lockedSQL{v.Name, v.SQL, slices.Clone(names)})
			}
			names = append(names, v.Name)
		}
		return names
	}
	inputs := add(l.Labels.Inputs, l.Labels.Views)
	if l.Labels.SQL != "" {
		out = append(out, lockedSQL{"the labels", l.Labels.SQL, inputs})
	}
	for _, v := range l.Views {
		add(v.Sources, append(slices.Clone(v.Views), v.View))
	}
	return out
}

// check returns an error unless a lock's SQL may be run and its definitions are what their fingerprints say.
func (set *lockedSet) check(ctx context.Context, engine *offline.Engine) error {
	if err := set.checkSQL(ctx, engine); err != nil {
		return err
	}
	return set.checkFingerprints(ctx, engine)
}

// checkFingerprints works out the fingerprints of a lock's views again. A lock of another build has its own way to do so.
func (set *lockedSet) checkFingerprints(ctx context.Context, engine *offline.Engine) error {
	if b := set.lock.Build; b.Fstore != buildVersion() || b.DuckDB != duckdb.Version() {
		return nil
	}
	other, err := registry.Contradicted(ctx, engine, set.lock.Views)
	if err != nil {
		return fmt.Errorf("%s: %w", set.file, err)
	}
	if other != nil {
		return fmt.Errorf("%s: %w", set.file, offline.Contradiction(fmt.Errorf("view %s: its definition is not the one that its fingerprint is of", other.Ref)))
	}
	return nil
}

// checkSQL sends the SQL of a lock that came as a file through the gate of definitions, as it is going to be run.
func (set *lockedSet) checkSQL(ctx context.Context, engine *offline.Engine) error {
	if set.record != nil {
		return nil
	}
	for _, q := range queries(set.lock) {
		if err := registry.CheckLockedSQL(ctx, engine, q.name, q.sql, q.inputs); err != nil {
			return fmt.Errorf("%s: %w", set.file, err)
		}
	}
	return nil
}

// search says where the inputs of a lock may be.
func (set *lockedSet) search() offline.Search {
	return offline.Search{Kept: offline.NewSnapshots(set.settings.Snapshots), Near: filepath.Dir(set.out)}
}
