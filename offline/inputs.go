package offline

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/offline/trainset"
)

// Inputs are the files of sources as they were at an instant. They tell whether what was read before and after is the same.
type Inputs struct {
	engine  *Engine
	sources []sourceInputs
}

type sourceInputs struct {
	name, path string
	files      []string
	stamps     []trainset.Stamp // of the files
}

// Inputs describes the files of sources before anything is read from them, so that no later change escapes CheckUnchanged. It
// reads only files that were written just now.
func (e *Engine) Inputs(ctx context.Context, sources []fstore.Source) (*Inputs, error) {
	in := &Inputs{engine: e}
	for i := range sources {
		in.sources = append(in.sources, sourceInputs{name: sources[i].Name, path: sources[i].Path})
	}
	return in, in.each(ctx, func(s *sourceInputs, files []string) error {
		for _, path := range files {
			stamp, err := e.digests.Stamp(ctx, path)
			if err != nil {
				return err
			}
			s.files, s.stamps = append(s.files, path), append(s.stamps, stamp)
		}
		return nil
	})
}

// each lists the files of each source.
func (in *Inputs) each(ctx context.Context, do func(s *sourceInputs, files []string) error) error {
	session, err := in.engine.session(ctx)
	if err != nil {
		return err
	}
	defer session.close()
	for i := range in.sources {
		s := &in.sources[i]
		files, err := session.files(ctx, s.path)
		if err == nil {
			err = do(s, files)
		}
		if err != nil {
			return fmt.Errorf("source %s: %w", s.name, err)
		}
	}
	return nil
}

// CheckUnchanged returns ErrConflict if a file has changed, come or gone since.
func (in *Inputs) CheckUnchanged(ctx context.Context) error {
	return in.each(ctx, func(s *sourceInputs, files []string) error {
		if path := firstMissing(s.files, files); path != "" {
			return moved(path, "was added")
		}
		if path := firstMissing(files, s.files); path != "" {
			return moved(path, "was removed")
		}
		for i, path := range s.files {
			digest := func() (*lock.File, error) { return in.engine.digests.Of(ctx, path) }
			if err := s.stamps[i].CheckUnchanged(path, digest); err != nil {
				return err
			}
		}
		return nil
	})
}

// firstMissing returns the first of some files that is not among others; empty: there is none.
func firstMissing(among, files []string) string {
	known := make(map[string]bool, len(among))
	for _, path := range among {
		known[path] = true
	}
	i := slices.IndexFunc(files, func(path string) bool { return !known[path] })
	if i < 0 {
		return ""
	}
	return files[i]
}

func moved(path, what string) error {
	return fstore.Errorf(fstore.ErrConflict, "%s %s while the source was read", path, what).WithHint("run it again when nothing writes the source")
}

// ID identifies the files of sources and their content. Files with the same content may have another ID.
func (in *Inputs) ID(sources ...string) string {
	type file struct{ Path, ID string }
	all := map[string][]file{}
	for i := range in.sources {
		if s := &in.sources[i]; slices.Contains(sources, s.name) {
			for k, path := range s.files {
				all[s.name] = append(all[s.name], file{path, s.stamps[k].ID()})
			}
		}
	}
	text, err := json.Marshal(all)
	if err != nil { // cannot be: it is text
		return ""
	}
	return string(text)
}
