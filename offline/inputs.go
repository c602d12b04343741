package offline

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
	Moved     InputState = "moved"    // the same content is elsewhere
	Changed   InputState = "changed"  // another content is in its place
	Vanished  InputState = "vanished" // nothing is in its place
	Appeared  InputState = "appeared" // it is a file of the source now, and was none then
)

// Input is a file that a training set was made from, and what has become of it.
type Input struct {
	Source string     `json:"source,omitempty"` // empty: the labels
	Path   string     `json:"path"`
	State  InputState `json:"state"`
	Found  string     `json:"found,omitempty"` // where it is now, if it has moved
	Kept   bool       `json:"kept,omitempty"`  // a snapshot has it as it was

	file lock.File
	use  string // the file that has its content, or what comes closest to that; empty: there is none
}

// Lost reports whether the content that the training set was made from is nowhere to be found.
func (i *Input) Lost() bool { return !i.Kept && (i.State == Changed || i.State == Vanished) }

// Search says where the inputs of a lock may be.
type Search struct {
	Kept   *Snapshots // nil: there are none
	Near   string     // folder that the training set is in now; empty: where it was
	Rehash bool       // read every file, whatever is remembered of it
}

// Inputs looks for every file that a training set was made from: in its place; among the files that its source's path
// matches now; and as far from the training set as it was, in case they have moved together. It returns them in the
// order of the lock, those that have appeared behind the others of their source.
func (e *Engine) Inputs(ctx context.Context, l *lock.Lock, where Search) ([]Input, error) {
	s, err := e.session(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	f := &finder{session: s, lock: l, where: where}
	out := []Input{}
	if l.Labels.File != nil {
		in, err := f.find(ctx, *l.Labels.File, nil)
		if err != nil {
			return nil, fmt.Errorf("labels: %w", err)
		}
		out = append(out, in)
	}
	for i := range l.Sources {
		found, err := f.source(ctx, &l.Sources[i])
		if err != nil {
			return nil, fmt.Errorf("source %s: %w", l.Sources[i].Name, err)
		}
		out = append(out, found...)
	}
	return out, nil
}

// finder looks for the inputs of one lock.
type finder struct {
	*session
	lock  *lock.Lock
	where Search
}

func (f *finder) source(ctx context.Context, src *lock.Source) ([]Input, error) {
	now, err := f.files(ctx, src.Path)
	if errors.Is(err, fstore.ErrNotFound) || errors.Is(err, fstore.ErrInvalid) {
		now, err = nil, nil // a variable that is not set, for one: then only the places in the lock are known
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
		in, err := f.find(ctx, file, others)
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

// find looks for one file.
func (f *finder) find(ctx context.Context, file lock.File, others []string) (Input, error) {
	in := Input{Path: file.Path, file: file, State: Unchanged, use: file.Path}
	same, err := f.same(ctx, file, file.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		in.State, in.use = Vanished, ""
	case err != nil:
		return in, err
	case !same:
		in.State = Changed
	}
	kept, ok := f.where.Kept.find(file)
	if ok {
		if ok, err = f.same(ctx, file, kept); err != nil {
			return in, err
		}
	}
	in.Kept = ok
	if in.State == Unchanged {
		return in, nil
	}
	for _, path := range append(f.near(file), others...) {
		if same, err := f.same(ctx, file, path); err == nil && same {
			in.State, in.Found, in.use = Moved, path, path
			return in, nil
		} else if ctx.Err() != nil {
			return in, ctx.Err()
		}
	}
	if in.Kept {
		in.use = kept
	}
	return in, nil
}

// near returns where a file is if it and the training set have moved together.
func (f *finder) near(file lock.File) []string {
	if f.where.Near == "" || f.where.Near == filepath.Dir(f.lock.Output.Path) {
		return nil
	}
	rel, err := filepath.Rel(filepath.Dir(f.lock.Output.Path), file.Path)
	if err != nil {
		return nil
	}
	return []string{filepath.Join(f.where.Near, rel)}
}

// same reports whether a path has the content of a file.
func (f *finder) same(ctx context.Context, file lock.File, path string) (bool, error) {
	info, err := os.Stat(path)
	if err != nil || info.Size() != file.Size || !info.Mode().IsRegular() {
		return false, err
	}
	read := f.e.digests.of
	if f.where.Rehash {
		read = f.e.digests.read
	}
	now, err := read(ctx, path)
	return err == nil && now.SHA256 == file.SHA256, err
}

// SameFile reports whether a path has the content of a file. It reads it. The error is fs.ErrNotExist if it is not there.
func (e *Engine) SameFile(ctx context.Context, file lock.File, path string) (bool, error) {
	info, err := regular.Stat(path)
	if err != nil || info.Size() != file.Size {
		return false, err
	}
	now, err := digest(ctx, path)
	return err == nil && now.SHA256 == file.SHA256, err
}

// pinned are the files that a training set is made again from, whatever its sources' paths match now.
type pinned struct {
	labels  string
	sources []pinnedSource
}

type pinnedSource struct {
	*lock.Source
	use []string
}

// pin says which file to read for each that the lock names. The error is ErrNotFound where there is none; a file that
// has changed is read as it is. Where folders are columns, files that are elsewhere are read through links in dir.
func pin(l *lock.Lock, found []Input, dir string) (*pinned, error) {
	links, err := newLinks(dir)
	if err != nil {
		return nil, err
	}
	defer links.close()
	p, missing := &pinned{}, []string{}
	next := func() string {
		in := found[0]
		found = found[1:]
		if in.use == "" {
			missing = append(missing, in.Path)
		}
		return in.use
	}
	if l.Labels.File != nil {
		p.labels = next()
	}
	for i := range l.Sources {
		ps := pinnedSource{Source: &l.Sources[i]}
		for _, f := range ps.Files {
			use := next()
			if ps.Partitioned && use != "" && use != f.Path {
				if use, err = links.link(use, f.Path); err != nil {
					return nil, err
				}
			}
			ps.use = append(ps.use, use)
		}
		for len(found) > 0 && found[0].State == Appeared {
			found = found[1:]
		}
		p.sources = append(p.sources, ps)
	}
	if len(missing) > 0 {
		more := ""
		if len(missing) > 1 {
			more = fmt.Sprintf(" and %d more", len(missing)-1)
		}
		return nil, fstore.Errorf(fstore.ErrNotFound, "%s%s is not there any more", missing[0], more).
			WithHint("bring it back, or set the variable in the source's path to where it is now; training-set create --snapshot keeps what a training set is made from")
	}
	return p, nil
}

// of returns the files of a source.
func (p *pinned) of(def *fstore.Source) *pinnedSource {
	for i := range p.sources {
		if s := &p.sources[i]; s.Name == def.Name && s.Path == def.Path {
			return s
		}
	}
	return nil
}
