package materialize

import (
	"context"
	"errors"
	"slices"

	"github.com/fstore-dev/fstore"
)

// clean removes what the published run has left behind: earlier runs of its generation from state, and the records
// of generations that no reader sees any more, by the lists that their manifests are.
func (j *job) clean(ctx context.Context) error {
	live := j.pens[j.pointer.Generation].header
	generations := j.state.generations()
	for g := range j.pens {
		if _, known := generations[g]; !known { // the one that readers have left may be new to state
			generations[g] = nil
		}
	}
	for g, runs := range generations {
		if g != live.Generation {
			if err := j.drop(ctx, g, runs); err != nil {
				return err
			}
			continue
		}
		for _, r := range runs {
			forget := j.state.remove
			if r.Run == live.Run {
				forget = j.state.removeSpool
			}
			if err := forget(r); err != nil {
				return err
			}
		}
	}
	return j.step("cleaned")
}

// drop deletes a dead generation: its records, then its header, then its state. A header that is gone says that the
// records are; if the runs were made for another store they are left for when that is materialized again. Where a list
// of keys is lost, the header stays to tell of them.
func (j *job) drop(ctx context.Context, g fstore.Generation, runs []*run) error {
	p := j.pens[g]
	switch {
	case p != nil && p.broken:
		j.left(g)
	case p != nil && p.header != nil:
		all := listed(p.header, j.state.runs)
		for _, r := range runs {
			ok, err := j.state.intact(r, false)
			if err != nil {
				return err
			}
			if !ok {
				all = false
				continue
			}
			if err := j.dropKeys(ctx, r); err != nil {
				return err
			}
		}
		if !all {
			j.left(g)
		} else if err := j.dropHeader(ctx, p); err != nil {
			return err
		}
	case j.elsewhere(runs):
		return nil
	}
	for _, r := range runs {
		if err := j.state.remove(r); err != nil {
			return err
		}
	}
	return nil
}

// elsewhere reports whether runs were made for a store of another name.
func (j *job) elsewhere(runs []*run) bool {
	return slices.ContainsFunc(runs, func(r *run) bool { return r.Store != "" && r.Store != j.o.Store })
}

// left notes a generation whose records stay.
func (j *job) left(g fstore.Generation) {
	j.s.Left = append(j.s.Left, g)
	slices.Sort(j.s.Left)
}

// listed reports whether the manifests in state list all keys of a generation: those of its last run, and where that
// was interrupted those of the run before.
func listed(h *fstore.Header, runs map[string]*run) bool {
	r := runs[h.Run]
	if r == nil || r.Generation != h.Generation {
		return false
	}
	return h.Complete || r.Base == "" || runs[r.Base] != nil
}

// dropKeys deletes the records of all keys in a run's manifest.
func (j *job) dropKeys(ctx context.Context, r *run) error {
	m, err := openManifest(j.state.dir, r.Manifest)
	if err != nil {
		return err
	}
	defer m.close()
	var keys [][]byte
	var buf []byte
	done := int64(0)
	for {
		more, err := m.next()
		if err != nil {
			return err
		}
		if more {
			from := len(buf)
			buf = append(buf, m.key...)
			keys = append(keys, buf[from:len(buf):len(buf)])
		}
		if len(keys) > 0 && (!more || len(keys) >= j.o.BatchKeys || len(buf) >= j.o.BatchBytes) {
			if err := j.dropBatch(ctx, r.Generation, keys); err != nil {
				return err
			}
			done += int64(len(keys))
			j.progress(StageClean, done, r.Keys)
			keys, buf = keys[:0], buf[:0]
		}
		if !more {
			return nil
		}
	}
}

func (j *job) dropBatch(ctx context.Context, g fstore.Generation, keys [][]byte) error {
	err := again(ctx, j.o.Clock, func() error { return j.o.Sink.Drop(ctx, g, keys) })
	if err != nil {
		return err
	}
	return j.step("drop")
}

func (j *job) dropHeader(ctx context.Context, p *pen) error {
	err := again(ctx, j.o.Clock, func() error { return j.o.Sink.DropHeader(ctx, *p.header) })
	if errors.Is(err, fstore.ErrConflict) { // perhaps an attempt of ours was the first
		if now, readErr := p.read(ctx, p.header.Generation); readErr != nil || now == nil {
			err = readErr
		}
	}
	if err != nil {
		return err
	}
	return j.step("drop header")
}
