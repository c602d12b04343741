package trainset

import (
	"fmt"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
)

// Pinned are the files from which a training set is made again, whatever the paths of its sources match now.
type Pinned struct {
	Labels  string   // empty: the labels are a query
	Served  []string // for each file of the served log, the file that has its content
	sources []PinnedSource
}

// PinnedSource is a source of a lock with the files to read for it.
type PinnedSource struct {
	*lock.Source
	Use []string // for each of Files, the file that has its content
}

// Source returns the files of a source, or nil if the lock does not have it.
func (p *Pinned) Source(def *fstore.Source) *PinnedSource {
	for i := range p.sources {
		if s := &p.sources[i]; s.Name == def.Name && s.Path == def.Path {
			return s
		}
	}
	return nil
}

// pin says which file to read for each file in the lock. The error is ErrNotFound if there is none; a file whose content
// has changed is read as it is. Files that are elsewhere now are read through links in dir, if their folders are columns.
func pin(l *lock.Lock, inputs []Input, dir string) (*Pinned, error) {
	links, err := newLinks(dir)
	if err != nil {
		return nil, err
	}
	defer links.close()
	p, missing := &Pinned{}, []string{}
	next := func() string {
		in := inputs[0]
		inputs = inputs[1:]
		if in.use == "" {
			missing = append(missing, in.Path)
		}
		return in.use
	}
	if l.Labels.File != nil {
		p.Labels = next()
	}
	if l.Served != nil {
		for range l.Served.Files {
			p.Served = append(p.Served, next())
		}
	}
	for i := range l.Sources {
		src := PinnedSource{Source: &l.Sources[i]}
		for _, f := range src.Files {
			use := next()
			if src.Partitioned && use != "" && use != f.Path {
				if use, err = links.link(use, f.Path); err != nil {
					return nil, err
				}
			}
			src.Use = append(src.Use, use)
		}
		for len(inputs) > 0 && inputs[0].State == Appeared {
			inputs = inputs[1:]
		}
		p.sources = append(p.sources, src)
	}
	if len(missing) > 0 {
		return nil, areMissing(missing)
	}
	return p, nil
}

func areMissing(paths []string) error {
	what := paths[0] + " is"
	if len(paths) > 1 {
		what = fmt.Sprintf("%s and %d more are", paths[0], len(paths)-1)
	}
	return fstore.Errorf(fstore.ErrNotFound, "%s no longer there", what).
		WithHint("bring it back, or set the variable in the source's path to where it is now; training-set create --snapshot keeps copies of the inputs")
}
