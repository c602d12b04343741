package materialize

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/fstore-dev/fstore"
)

// clean removes what the published run has made obsolete: earlier runs of its generation from state, and the records
// of generations that readers no longer see. Their manifests list those records.
func (j *job) clean(ctx context.Context) error {
	live := j.pens[j.pointer.Generation].header
	generations := j.state.generations()
	for g := range j.pens {
		if _, known := generations[g]; !known { // the generation that readers have left may be new to state
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
			remove := j.forget
			if r.Run == live.Run {
				remove = j.state.removeSpool
			}
			if err := remove(r); err != nil {
				return err
			}
		}
	}
	return j.step("cleaned")
}

// drop deletes a dead generation: its fence, its records, then its header, then its state. A missing header and fence mean
// that the records are gone. Runs of another store stay until that store is materialized again. If a list of keys is lost, the
// header stays to record that.
func (j *job) drop(ctx context.Context, g fstore.Generation, runs []*run) error {
	p := j.pens[g]
	switch {
	case p != nil && p.broken:
		j.left(g)
	case p != nil && (p.header != nil || p.fence != nil):
		if err := j.dropFence(ctx, p); err != nil {
			return err
		}
		all := p.listed(j.state.runs)
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
		} else if p.header != nil {
			if err := j.dropHeader(ctx, p); err != nil {
				return err
			}
		}
	case j.elsewhere(runs):
		return nil
	}
	for _, r := range runs {
		if err := j.forget(r); err != nil {
			return err
		}
	}
	return nil
}

// elsewhere reports whether the runs were made for a store with another name.
func (j *job) elsewhere(runs []*run) bool {
	return slices.ContainsFunc(runs, func(r *run) bool { return r.Store != "" && r.Store != j.o.Store })
}

// left records a generation whose records stay.
func (j *job) left(g fstore.Generation) {
	j.s.Left = append(j.s.Left, g)
	slices.Sort(j.s.Left)
}

// listed reports whether the manifests in state list all keys of a generation: the manifest of the run whose values it
// holds and, if that was interrupted, also that of the run before. The fence tells; in an older fstore's generation, the
// header.
func (w *fencedWriter) listed(runs map[string]*run) bool {
	id, complete := "", false
	switch {
	case w.fence != nil:
		id, complete = w.fence.Run, w.fence.Complete
	case w.header != nil:
		id, complete = w.header.Run, w.header.Complete
	}
	r := runs[id]
	return r != nil && (complete || r.Base == "" || runs[r.Base] != nil)
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
	err := j.patience().Retry(ctx, func() error { return j.o.Sink.Drop(ctx, j.v.Ref, *j.pointer, g, keys) })
	if err != nil {
		return movedOn(j.v.Ref, err)
	}
	return j.step("drop")
}

func (j *job) dropFence(ctx context.Context, p *fencedWriter) error {
	if p.fence == nil {
		return nil // of an older fstore, or an earlier attempt has dropped it
	}
	return j.dropOne(ctx, "drop fence", func() error { return j.o.Sink.DropFence(ctx, *j.pointer, *p.fence) },
		func() (bool, error) { now, err := p.readFence(ctx, p.fence.Generation); return now == nil, err })
}

func (j *job) dropHeader(ctx context.Context, p *fencedWriter) error {
	return j.dropOne(ctx, "drop header", func() error { return j.o.Sink.DropHeader(ctx, *j.pointer, *p.header) },
		func() (bool, error) { now, err := p.readHeader(ctx, p.header.Generation); return now == nil, err })
}

// dropOne deletes a fence or header. After a conflict it asks whether it is gone: an earlier attempt of ours may have
// succeeded.
func (j *job) dropOne(ctx context.Context, step string, do func() error, isGone func() (bool, error)) error {
	err := j.patience().Retry(ctx, do)
	if errors.Is(err, fstore.ErrConflict) {
		if gone, readErr := isGone(); readErr != nil || gone {
			err = readErr
		}
	}
	if err != nil {
		return movedOn(j.v.Ref, err)
	}
	return j.step(step)
}

// movedOn explains why a generation that readers had left must stay.
func movedOn(ref fstore.ViewRef, err error) error {
	if !errors.Is(err, fstore.ErrConflict) {
		return err
	}
	return fmt.Errorf("old records of %s stay: another run has published since, or the online store went back in time: %w", ref, err)
}
