package registry

import (
	"context"
	"encoding/json"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/definition"
	"github.com/fstore-dev/fstore/registry/record"
)

// CommitInfo says who applies, when and from which code.
type CommitInfo struct {
	Now         time.Time
	Author      string
	Message     string
	GitRevision string
	Dirty       bool // the tree had changes that are not in GitRevision
}

// Commit is one apply, as the registry remembers it.
type Commit struct {
	ID          int64          `json:"id"` // counts from 1 in a project
	Revision    int64          `json:"revision"`
	Time        time.Time      `json:"time"`
	Author      string         `json:"author,omitempty"`
	Message     string         `json:"message,omitempty"`
	GitRevision string         `json:"git_revision,omitempty"`
	Dirty       bool           `json:"dirty,omitempty"`
	Objects     []CommitObject `json:"objects"`
}

// CommitObject is what a commit did to a definition.
type CommitObject struct {
	Kind    Kind   `json:"kind"`
	Name    string `json:"name"`
	Action  Action `json:"action"`
	Version int    `json:"version,omitempty"` // in head afterwards
}

// Apply does what a plan says in one transaction, or nothing. It returns ErrConflict if the registry moved since
// the plan was made, and ErrInvalid for a plan that is empty.
func (r *Store) Apply(ctx context.Context, p *Plan, info CommitInfo) (*Commit, error) {
	if p.Empty() {
		return nil, fstore.Errorf(fstore.ErrInvalid, "apply %s: there is nothing to apply", p.Project)
	}
	c := &Commit{
		Revision: p.Revision + 1, Time: fstore.FromMicros(fstore.Micros(info.Now)), Author: info.Author, Message: info.Message,
		GitRevision: info.GitRevision, Dirty: info.Dirty,
	}
	for _, change := range p.Changes {
		c.Objects = append(c.Objects, CommitObject{change.Kind, change.Name, change.Action, change.To})
	}
	err := r.backend.Write(ctx, p.Project, func(tx record.Tx) error {
		before, err := readState(ctx, tx)
		if err != nil {
			return err
		}
		if err := advance(ctx, tx, p.Revision); err != nil {
			return err
		}
		if err := writeHead(ctx, tx, before, p); err != nil {
			return err
		}
		if err := writeIdle(ctx, tx, before, c.Time); err != nil {
			return err
		}
		return c.write(ctx, tx)
	})
	if err != nil {
		return nil, wrap("apply "+p.Project, err)
	}
	return c, nil
}

// advance raises a project's revision by one if it is what was expected, creating the project.
func advance(ctx context.Context, tx record.Tx, from int64) error {
	var p record.Project
	if _, err := tx.Get(ctx, &p); err != nil {
		return err
	}
	if p.Revision != from {
		return fstore.Errorf(fstore.ErrConflict, "the registry has moved since the plan was made").WithHint("run fstore plan again")
	}
	return tx.Put(ctx, &record.Project{Revision: from + 1})
}

// writeHead replaces head by the plan's, adds the new versions, and ends what no longer serves.
func writeHead(ctx context.Context, tx record.Tx, before *state, p *Plan) error {
	stays, serves := map[record.Head]bool{}, map[record.Head]bool{}
	for _, o := range p.target {
		encoded, err := json.Marshal(o.definition)
		if err != nil {
			return fstore.Errorf(fstore.ErrCorrupt, "encode %s %s: %s", o.kind, o.name, err)
		}
		if o.fresh {
			if err := addVersion(ctx, tx, o, string(encoded)); err != nil {
				return err
			}
		}
		head := record.Head{Kind: string(o.kind), Name: o.name}
		view, isView := o.definition.(*fstore.ViewVersion)
		stays[head], serves[head] = true, !isView || !view.View.Offline
		head.Version, head.Definition = o.version, string(encoded)
		if err := tx.Put(ctx, &head); err != nil {
			return err
		}
		if err := putExpected(ctx, tx, o); err != nil {
			return err
		}
	}
	for _, old := range before.headNames() {
		if !stays[old] {
			if err := tx.Delete(ctx, &old); err != nil {
				return err
			}
			if err := tx.Delete(ctx, &record.Expected{Kind: old.Kind, Name: old.Name}); err != nil { // of a source: versions keep theirs
				return err
			}
		}
	}
	for kind, names := range before.serving {
		for name := range names {
			if !serves[record.Head{Kind: string(kind), Name: name}] {
				if err := tx.Delete(ctx, &record.Serving{Kind: string(kind), Name: name}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// addVersion adds a version. None is ever changed, so that its number must be free.
func addVersion(ctx context.Context, tx record.Tx, o object, encoded string) error {
	v := &record.Version{Kind: string(o.kind), Name: o.name, Version: o.version}
	if used, err := tx.Get(ctx, v); err != nil {
		return err
	} else if used {
		return corrupt("%s %s@%d is there already", o.kind, o.name, o.version)
	}
	v.Fingerprint, v.Algorithm, v.Definition = o.fingerprint, definition.Algorithm, encoded
	return tx.Put(ctx, v)
}

// headNames returns the keys of everything in head.
func (s *state) headNames() (out []record.Head) {
	add := func(kind Kind, names []string) {
		for _, name := range names {
			out = append(out, record.Head{Kind: string(kind), Name: name})
		}
	}
	add(KindEntity, sortedKeys(s.entities))
	add(KindSource, sortedKeys(s.sources))
	add(KindView, sortedKeys(s.headViews))
	add(KindOnDemand, sortedKeys(s.headOnDemand))
	add(KindService, sortedKeys(s.headServices))
	return out
}

// write records the commit under the next ID.
func (c *Commit) write(ctx context.Context, tx record.Tx) error {
	c.ID = 1
	for last, err := range records[record.Commit](ctx, tx) {
		if err != nil {
			return err
		}
		c.ID = last.ID + 1
		break
	}
	objects, err := json.Marshal(c.Objects)
	if err != nil {
		return err
	}
	return tx.Put(ctx, &record.Commit{
		ID: c.ID, Revision: c.Revision, Time: fstore.Micros(c.Time), Author: c.Author, Message: c.Message,
		GitRevision: c.GitRevision, Dirty: c.Dirty, Objects: string(objects),
	})
}

// Commits returns the applies of a project, the newest first.
func (r *Store) Commits(ctx context.Context, project string) (out []Commit, err error) {
	err = r.backend.Read(ctx, project, func(tx record.Tx) error {
		for r, err := range records[record.Commit](ctx, tx) {
			if err != nil {
				return err
			}
			c := Commit{
				ID: r.ID, Revision: r.Revision, Time: fstore.FromMicros(r.Time), Author: r.Author, Message: r.Message,
				GitRevision: r.GitRevision, Dirty: r.Dirty,
			}
			if err := json.Unmarshal([]byte(r.Objects), &c.Objects); err != nil {
				return corrupt("the objects of commit %d: %s", r.ID, err)
			}
			out = append(out, c)
		}
		return nil
	})
	return out, wrap("read commits", err)
}
