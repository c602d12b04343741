package materialize

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/fstore-dev/fstore"
)

// Lost returns how many of the published keys would be gone, or, with atLeast, the fewest that it can be: a new generation does
// not always know the former keys. Keys that are gone with time do not count: their rows have left a window or outlived the
// ttl, or a run that goes back is before their first row. Telling them apart takes computing the view once more, as of the
// published instant, so that is done only if more than over keys are gone, and once for all inspectors.
func (c Change) Lost(ctx context.Context, over int64) (lost int64, atLeast bool, err error) {
	if c.Previous == nil {
		return c.Deleted, false, nil
	}
	if c.lost == nil {
		c.lost = &lostKeys{}
	}
	if err := c.lost.count(ctx, c, over); err != nil {
		return 0, false, err
	}
	return c.lost.keys, c.lost.atLeast, nil
}

// lostKeys is what is known of the keys that a run would lose.
type lostKeys struct {
	before  *run // that published them; nil: not known
	keys    int64
	atLeast bool
	counted bool
	exact   bool // keys leaves out those that are gone with time
}

func (l *lostKeys) count(ctx context.Context, c Change, over int64) (err error) {
	if !l.counted {
		if err := l.countGone(c); err != nil {
			return err
		}
		l.counted, l.exact = true, !c.forgets()
	}
	if l.exact || l.keys <= over {
		return nil
	}
	l.keys, err = c.missing(l.before, merged(manifestKeys(c.job.state.dir, c.run.Manifest), c.job.keysAsOf(ctx, c)))
	l.exact = err == nil
	return err
}

// countGone counts the keys that are gone for whatever reason.
func (l *lostKeys) countGone(c Change) (err error) {
	if l.before, err = c.publishedRun(); err != nil {
		return err
	}
	l.atLeast = c.NewGeneration && l.before == nil
	switch {
	case !c.NewGeneration:
		l.keys = c.Deleted
	case l.before == nil:
		l.keys = max(0, c.Previous.Keys-c.Publishes.Keys)
	default:
		l.keys, err = c.missing(l.before, manifestKeys(c.job.state.dir, c.run.Manifest))
	}
	return err
}

// publishedRun returns the run that published c.Previous, if state has it and its manifest. The manifest of another version
// does not help: its keys may have other columns.
func (c Change) publishedRun() (*run, error) {
	if c.job == nil || c.Previous.View != c.View {
		return nil, nil
	}
	r := c.job.state.runs[c.Previous.Run]
	if r == nil {
		return nil, nil
	}
	ok, err := c.job.state.intact(r, false)
	if !ok {
		r = nil
	}
	return r, err
}

// forgets reports whether keys can be gone without a change of the inputs.
func (c Change) forgets() bool {
	return c.job != nil && (c.job.v.View.Windowed() || c.job.v.View.TTL != nil || c.goesBack())
}

func (c Change) goesBack() bool { return c.Publishes.Published.Before(c.Previous.Published) }

// missing returns how many keys of a run are not among others. Of a run that is not known, it returns the fewest.
func (c Change) missing(before *run, among iter.Seq2[[]byte, error]) (n int64, err error) {
	if before == nil {
		n = c.Previous.Keys
		for _, err := range among {
			if err != nil {
				return 0, err
			}
			n--
		}
		return max(0, n), nil
	}
	next, stop := iter.Pull2(among)
	defer stop()
	key, err, more := next()
	for published, wrong := range manifestKeys(c.job.state.dir, before.Manifest) {
		if wrong != nil {
			return 0, wrong
		}
		for more && err == nil && bytes.Compare(key, published) < 0 {
			key, err, more = next()
		}
		if err != nil {
			return 0, err
		}
		if !more || !bytes.Equal(key, published) {
			n++
		}
	}
	return n, nil
}

// manifestKeys returns the keys of a manifest in order. Each is valid until the next.
func manifestKeys(dir string, manifest fileInfo) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		m, err := openManifest(dir, manifest)
		if err != nil {
			yield(nil, err)
			return
		}
		defer m.close()
		for {
			more, err := m.next()
			if err != nil {
				yield(nil, err)
			}
			if err != nil || !more || !yield(m.key, nil) {
				return
			}
		}
	}
}

// keysAsOf returns the keys that the view has as of the published instant, over the inputs of now.
func (j *job) keysAsOf(ctx context.Context, c Change) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		enc, err := j.o.Sink.Encoder(j.v, c.run.Generation)
		if err != nil {
			yield(nil, err)
			return
		}
		var key, record []byte
		for b, err := range j.o.Source.AsOf(ctx, j.v, c.Previous.Published) {
			for i := 0; err == nil && i < b.Len; i++ {
				if key, record, err = enc.Encode(b, i, key[:0], record[:0]); err == nil && !yield(key, nil) {
					return
				}
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// merged returns the keys of two ordered sequences in order, each once.
func merged(a, b iter.Seq2[[]byte, error]) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		nextA, stopA := iter.Pull2(a)
		defer stopA()
		nextB, stopB := iter.Pull2(b)
		defer stopB()
		x, err, moreA := nextA()
		y, errB, moreB := nextB()
		for moreA || moreB {
			if err != nil || errB != nil {
				if err == nil {
					err = errB
				}
				yield(nil, err)
				return
			}
			order := 0
			switch {
			case !moreB:
				order = -1
			case !moreA:
				order = 1
			default:
				order = bytes.Compare(x, y)
			}
			key := x
			if order > 0 {
				key = y
			}
			if !yield(key, nil) {
				return
			}
			if order <= 0 {
				x, err, moreA = nextA()
			}
			if order >= 0 {
				y, errB, moreB = nextB()
			}
		}
	}
}

// emptied returns how many of a feature's nulls come with time alone, by feature: their windows hold no row that counts, but held one
// as of the published instant; or a run that goes back is before what the inputs have. It computes the view once or twice more.
func (c Change) emptied(ctx context.Context, features []string) (map[string]int64, error) {
	out := map[string]int64{}
	if c.job == nil || !c.goesBack() && !c.job.v.View.Windowed() {
		return out, nil
	}
	view, now := c.job.v, c.Publishes.Nulls
	if !c.goesBack() {
		var err error
		view = rowsInWindows(view)
		if now, err = c.job.nullsAsOf(ctx, view, c.Publishes.Published); err != nil {
			return nil, err
		}
	}
	then, err := c.job.nullsAsOf(ctx, view, c.Previous.Published)
	for _, f := range features {
		out[f] = max(0, now[f]-then[f])
	}
	return out, err
}

// rowsInWindows returns a view whose features are null where those of a windowed view have no row to aggregate.
func rowsInWindows(v *fstore.ViewVersion) *fstore.ViewVersion {
	out := *v
	out.View.Features = nil
	for _, f := range v.View.Features {
		w := *f.Window
		w.Function, w.Expression, w.P, w.N = fstore.Count, "", 0, 0
		f.Type, f.Window, f.Default = fstore.Int64, &w, nil
		out.View.Features = append(out.View.Features, f)
	}
	return &out
}

func (j *job) nullsAsOf(ctx context.Context, v *fstore.ViewVersion, at time.Time) (map[string]int64, error) {
	in := newInspection(&v.View)
	for b, err := range j.o.Source.AsOf(ctx, v, at) {
		if err == nil {
			err = in.rows(b)
		}
		if err != nil {
			return nil, fmt.Errorf("count nulls: %w", err)
		}
	}
	return in.nullsByFeature(), nil
}
