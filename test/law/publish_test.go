package law

import (
	"context"
	"iter"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/project"
	"github.com/fstore-dev/fstore/test/free"
)

// holder is an online store with the state that materialize keeps for it.
type holder struct {
	name    string
	store   *online.Store
	backend online.Backend
	state   string
}

// publish materializes view versions to an instant.
func (w *world) publish(t testing.TB, h *holder, mode materialize.Mode, to int64, views ...*fstore.ViewVersion) []materialize.Summary {
	t.Helper()
	return w.publishFrom(t, w.engine, h, mode, to, views...)
}

// publishAll materializes view versions into several stores. The engine computes each view once, for all of them: most of the
// time of these tests is the engine's.
func (w *world) publishAll(t testing.TB, holders []*holder, mode materialize.Mode, to int64, views ...*fstore.ViewVersion) {
	t.Helper()
	from := &recorded{Source: w.engine, answers: map[question][]*fstore.Batch{}}
	for _, h := range holders {
		w.publishFrom(t, from, h, mode, to, views...)
	}
}

func (w *world) publishFrom(t testing.TB, from materialize.Source, h *holder, mode materialize.Mode, to int64, views ...*fstore.ViewVersion) []materialize.Summary {
	t.Helper()
	summaries, err := materialize.Run(context.Background(), materialize.Options{
		Views: views, To: fstore.FromMicros(to), Now: func() time.Time { return far }, Mode: mode, State: h.state,
		Source: from, Sink: project.Sink{Store: h.store}, Leases: &free.Leases{}, Clock: project.Clock{Time: time.Now},
	})
	if err != nil {
		t.Fatalf("%s: %v\n%s", h.name, err, w.definitions())
	}
	return summaries
}

// recorded is a source that asks another one each question once, and repeats the answer. The files must stay as they are.
type recorded struct {
	materialize.Source
	answers map[question][]*fstore.Batch
}

type question struct {
	view fstore.ViewRef
	p    time.Time
}

func (r *recorded) AsOf(ctx context.Context, v *fstore.ViewVersion, p time.Time) iter.Seq2[*fstore.Batch, error] {
	return func(yield func(*fstore.Batch, error) bool) {
		asked := question{v.Ref, p}
		if _, known := r.answers[asked]; !known {
			batches := []*fstore.Batch{}
			for b, err := range r.Source.AsOf(ctx, v, p) {
				if err != nil {
					yield(nil, err)
					return
				}
				batches = append(batches, copied(b))
			}
			r.answers[asked] = batches
		}
		for _, b := range r.answers[asked] {
			if !yield(b, nil) {
				return
			}
		}
	}
}

// copied returns a copy of a batch that stays valid.
func copied(b *fstore.Batch) *fstore.Batch {
	out := &fstore.Batch{Len: b.Len}
	for c := range b.Columns {
		column := fstore.NewColumn(b.Columns[c].Name, b.Columns[c].Type, b.Len)
		for i := range b.Len {
			column.AppendFrom(&b.Columns[c], i)
		}
		out.Columns = append(out.Columns, column)
	}
	return out
}
