package registry

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/definition"
)

// CommitInfo says who applies, when and from which code.
type CommitInfo struct {
	Now         time.Time
	Author      string
	Message     string
	GitRevision string
	Dirty       bool // the tree had changes that GitRevision does not hold
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
func (r *DB) Apply(ctx context.Context, p *Plan, info CommitInfo) (*Commit, error) {
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
	err := r.write(ctx, func(tx *sql.Tx) error {
		before, err := readState(ctx, tx, p.Project)
		if err != nil {
			return err
		}
		if err := advance(ctx, tx, p.Project, p.Revision); err != nil {
			return err
		}
		if err := writeHead(ctx, tx, p); err != nil {
			return err
		}
		if err := writeIdle(ctx, tx, p.Project, before, c.Time); err != nil {
			return err
		}
		return writeCommit(ctx, tx, p.Project, c)
	})
	if err != nil {
		return nil, wrap("apply "+p.Project, err)
	}
	return c, nil
}

// advance raises a project's revision by one if it is what was expected, creating the project.
func advance(ctx context.Context, tx *sql.Tx, project string, from int64) error {
	if _, err := tx.ExecContext(ctx, "insert into projects values (?, 0) on conflict do nothing", project); err != nil {
		return err
	}
	result, err := tx.ExecContext(ctx, "update projects set revision = revision + 1 where project = ? and revision = ?", project, from)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 1 {
		return err
	}
	return fstore.Errorf(fstore.ErrConflict, "the registry has moved since the plan was made").WithHint("run fstore plan again")
}

// writeHead replaces head by the plan's, adds the new versions, and ends what no longer serves.
func writeHead(ctx context.Context, tx *sql.Tx, p *Plan) error {
	if _, err := tx.ExecContext(ctx, "delete from head where project = ?", p.Project); err != nil {
		return err
	}
	for _, o := range p.target {
		encoded, err := json.Marshal(o.definition)
		if err != nil {
			return fstore.Errorf(fstore.ErrCorrupt, "encode %s %s: %s", o.kind, o.name, err)
		}
		if o.fresh {
			if _, err := tx.ExecContext(ctx, "insert into versions values (?, ?, ?, ?, ?, ?, ?)",
				p.Project, o.kind, o.name, o.version, o.fingerprint, definition.Algorithm, string(encoded)); err != nil {
				return err
			}
		}
		version := sql.NullInt64{Int64: int64(o.version), Valid: o.version > 0}
		if _, err := tx.ExecContext(ctx, "insert into head values (?, ?, ?, ?, ?)", p.Project, o.kind, o.name, version, string(encoded)); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, `
		delete from serving
		where project = ? and not exists (
			select 1 from head
			where head.project = serving.project and head.kind = serving.kind and head.name = serving.name
				and coalesce(json_extract(head.definition, '$.view.offline'), 0) = 0)`, p.Project)
	return err
}

func writeCommit(ctx context.Context, tx *sql.Tx, project string, c *Commit) error {
	objects, err := json.Marshal(c.Objects)
	if err != nil {
		return err
	}
	return tx.QueryRowContext(ctx, `
		insert into commits
		select ?1, 1 + coalesce(max(id), 0), ?2, ?3, ?4, ?5, ?6, ?7, ?8 from commits where project = ?1
		returning id`,
		project, c.Revision, fstore.Micros(c.Time), c.Author, c.Message, c.GitRevision, c.Dirty, string(objects)).Scan(&c.ID)
}

// Commits returns the applies of a project, the newest first.
func (r *DB) Commits(ctx context.Context, project string) ([]Commit, error) {
	rows, err := r.db.QueryContext(ctx, `
		select id, revision, time, author, message, git_revision, dirty, objects
		from commits where project = ? order by id desc`, project)
	if err != nil {
		return nil, wrap("read commits", err)
	}
	var out []Commit
	err = each(rows, func() error {
		var c Commit
		var micros int64
		var objects []byte
		if err := rows.Scan(&c.ID, &c.Revision, &micros, &c.Author, &c.Message, &c.GitRevision, &c.Dirty, &objects); err != nil {
			return err
		}
		c.Time = fstore.FromMicros(micros)
		out = append(out, c)
		return json.Unmarshal(objects, &out[len(out)-1].Objects)
	})
	return out, wrap("read commits", err)
}
