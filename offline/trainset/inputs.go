package trainset

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/regular"
)

// InputState is what has become of a file that a training set was made from.
type InputState string

// The states of an input.
const (
	Unchanged InputState = "unchanged"
	Moved     InputState = "moved"    // another path has the same content
	Changed   InputState = "changed"  // its path has other content
	Vanished  InputState = "vanished" // its path has no file
	Appeared  InputState = "appeared" // its source matches it now, and did not match it then
)

// Input is a file that a training set was made from, and what has become of it.
type Input struct {
	Source     string     `json:"source,omitempty"` // empty: the labels
	Path       string     `json:"path"`
	State      InputState `json:"state"`
	Found      string     `json:"found,omitempty"` // where a moved file is now
	InSnapshot bool       `json:"kept,omitempty"`  // a snapshot has it as it was

	use   string // the file that has its content, or comes closest to it; empty: there is none
	along bool   // see MovedAlong
}

// MovedAlong reports whether a source reads the file where it must be now that it and the training set have moved together, as
// all files of a repo do that is copied or moved.
func (i *Input) MovedAlong() bool { return i.along }

// Lost reports whether no file has the content that the training set was made from.
func (i *Input) Lost() bool { return !i.InSnapshot && (i.State == Changed || i.State == Vanished) }

// Search says where the inputs of a lock may be.
type Search struct {
	Archive *Archive // nil: there is none
	Near    string   // the folder that the training set is in now; empty: where it was
	Rehash  bool     // read every file, whatever is remembered of it
}

// Finder is what the search for inputs needs of an engine.
type Finder interface {
	// Files returns the files that a source's path matches now. The error is ErrNotFound or ErrInvalid if there are none.
	Files(ctx context.Context, path string) ([]string, error)
	Digests() *Digests
}

// FindInputs looks for every file that a training set was made from, in three places: at its own path; among the files
// that its source's path matches now; and, in case both have moved together, at its old place relative to the training
// set. Where a source reads the file at that old place now, it is looked for there first: the file at its own path is that of
// another copy. It returns the inputs in the order of the lock. Files that have appeared come after the others of their source.
func FindInputs(ctx context.Context, e Finder, l *lock.Lock, where Search) ([]Input, error) {
	f := &search{Search: where, e: e, lock: l}
	out := []Input{}
	if l.Labels.File != nil {
		in, err := f.find(ctx, *l.Labels.File, nil)
		if err != nil {
			return nil, fmt.Errorf("labels: %w", err)
		}
		out = append(out, in)
	}
	if l.Served != nil {
		for _, file := range l.Served.Files {
			in, err := f.find(ctx, file, nil)
			if err != nil {
				return nil, fmt.Errorf("served log: %w", err)
			}
			in.Source = lock.ServedLog
			out = append(out, in)
		}
	}
	for i := range l.Sources {
		inputs, err := f.source(ctx, &l.Sources[i])
		if err != nil {
			return nil, fmt.Errorf("source %s: %w", l.Sources[i].Name, err)
		}
		out = append(out, inputs...)
	}
	return out, nil
}

// search looks for the inputs of one lock.
type search struct {
	Search
	e    Finder
	lock *lock.Lock
}

func (s *search) source(ctx context.Context, src *lock.Source) ([]Input, error) {
	now, err := s.e.Files(ctx, src.Path)
	if errors.Is(err, fstore.ErrNotFound) || errors.Is(err, fstore.ErrInvalid) {
		now, err = nil, nil // for example, a variable in the path is not set: then only the paths in the lock are known
	}
	if err != nil {
		return nil, err
	}
	was := map[string]bool{}
	for _, file := range src.Files {
		was[file.Path] = true
	}
	others := slices.DeleteFunc(slices.Clone(now), func(path string) bool { return was[path] })
	var out []Input
	taken := map[string]bool{}
	for _, file := range src.Files {
		in, err := s.findOf(ctx, file, others)
		if err != nil {
			return nil, err
		}
		in.Source = src.Name
		taken[in.Found] = true
		out = append(out, in)
	}
	for _, path := range others {
		if !taken[path] {
			out = append(out, Input{Source: src.Name, Path: path, State: Appeared})
		}
	}
	return out, nil
}

// findOf looks for a file of a source that reads others now.
func (s *search) findOf(ctx context.Context, file lock.File, others []string) (Input, error) {
	near := s.near(file)
	if near == "" || !slices.Contains(others, near) {
		return s.find(ctx, file, others)
	}
	same, err := s.hasContent(ctx, file, near)
	if err != nil || !same {
		return s.find(ctx, file, others)
	}
	in := Input{Path: file.Path, State: Moved, Found: near, use: near, along: true}
	_, in.InSnapshot, err = s.archived(ctx, file)
	return in, err
}

// archived returns where the archive has a file, if it has it as it was.
func (s *search) archived(ctx context.Context, file lock.File) (string, bool, error) {
	path, ok := s.Archive.find(file)
	if !ok {
		return path, false, nil
	}
	ok, err := s.hasContent(ctx, file, path)
	return path, ok, err
}

// find looks for one file: at its path, near the training set, and among others.
func (s *search) find(ctx context.Context, file lock.File, others []string) (Input, error) {
	in := Input{Path: file.Path, State: Unchanged, use: file.Path}
	same, err := s.hasContent(ctx, file, file.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		in.State, in.use = Vanished, ""
	case err != nil:
		return in, err
	case !same:
		in.State = Changed
	}
	archived, ok, err := s.archived(ctx, file)
	if in.InSnapshot = ok; err != nil || in.State == Unchanged {
		return in, err
	}
	if near := s.near(file); near != "" {
		others = append([]string{near}, others...)
	}
	for _, path := range others {
		if same, err := s.hasContent(ctx, file, path); err == nil && same {
			in.State, in.Found, in.use = Moved, path, path
			return in, nil
		} else if ctx.Err() != nil {
			return in, ctx.Err()
		}
	}
	if in.InSnapshot {
		in.use = archived
	}
	return in, nil
}

// near returns where a file is if it and the training set have moved together; "" if the training set has not moved.
func (s *search) near(file lock.File) string {
	if s.Near == "" || s.Near == filepath.Dir(s.lock.Output.Path) {
		return ""
	}
	rel, err := filepath.Rel(filepath.Dir(s.lock.Output.Path), file.Path)
	if err != nil {
		return ""
	}
	return filepath.Join(s.Near, rel)
}

// hasContent reports whether a path has the content of a file.
func (s *search) hasContent(ctx context.Context, file lock.File, path string) (bool, error) {
	info, err := os.Stat(path)
	if err != nil || info.Size() != file.Size || !info.Mode().IsRegular() {
		return false, err
	}
	read := s.e.Digests().Of
	if s.Rehash {
		read = s.e.Digests().Read
	}
	now, err := read(ctx, path)
	return err == nil && now.SHA256 == file.SHA256, err
}

// HasContent reports whether a path has the content of a file, and reads it to be sure. The error is fs.ErrNotExist if
// there is no file at the path.
func HasContent(ctx context.Context, file lock.File, path string) (bool, error) {
	info, err := regular.Stat(path)
	if err != nil || info.Size() != file.Size {
		return false, err
	}
	now, err := Digest(ctx, path)
	return err == nil && now.SHA256 == file.SHA256, err
}
