package materialize_test

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	. "github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/memory"
)

// wide is a source of n int64 keys with ten float64 each; change makes every hundredth key's values others.
type wide struct {
	view   *fstore.ViewVersion
	n      int
	change float64
}

func newWide(n int) *wide {
	v := &fstore.ViewVersion{Ref: fstore.ViewRef{Name: "wide", Version: 1}, Fingerprint: "1", View: fstore.View{
		Name: "wide", Keys: []fstore.Field{{Name: "id", Type: fstore.Int64}}, Event: "at",
	}}
	for f := range 10 {
		v.View.Features = append(v.View.Features, fstore.Feature{Name: fmt.Sprintf("f%d", f), Type: fstore.Float64})
	}
	return &wide{view: v, n: n}
}

func (w *wide) Stamp(context.Context, *fstore.ViewVersion) string { return "" }

func (w *wide) AsOf(context.Context, *fstore.ViewVersion, time.Time) iter.Seq2[*fstore.Batch, error] {
	return func(yield func(*fstore.Batch, error) bool) {
		const rows = 2048
		b := &fstore.Batch{Columns: []fstore.Column{fstore.NewColumn("id", fstore.Int64, rows), fstore.NewColumn("event", fstore.Timestamp, rows)}}
		for _, f := range w.view.View.Features {
			b.Columns = append(b.Columns, fstore.NewColumn(f.Name, fstore.Float64, rows))
		}
		for from := 0; from < w.n; from += rows {
			b.Len = min(rows, w.n-from)
			for i := range b.Columns {
				c := &b.Columns[i]
				c.Len = b.Len
				c.Int64s, c.Float64s = c.Int64s[:0], c.Float64s[:0]
				for row := from; row < from+b.Len; row++ {
					v := float64(row) * float64(i)
					if row%100 == 0 {
						v += w.change
					}
					if i < 2 {
						c.Int64s = append(c.Int64s, int64(row))
					} else {
						c.Float64s = append(c.Float64s, v)
					}
				}
			}
			if !yield(b, nil) {
				return
			}
		}
	}
}

// null is a sink that keeps headers, fences and pointers and forgets records.
type null struct{ sink }

func newNull() null { return null{sink{online.New(memory.New(), "p")}} }

func (n null) WriteBatch(ctx context.Context, was, is fstore.Fence, _, _, _ [][]byte) error {
	return n.SetFence(ctx, &was, is)
}

func (n null) Drop(context.Context, fstore.ViewRef, fstore.Pointer, fstore.Generation, [][]byte) error {
	return nil
}

func wideOptions(w *wide, s Sink, state string) Options {
	return Options{
		Views: []*fstore.ViewVersion{w.view}, To: day(1), Now: func() time.Time { return day(1) }, State: state, Source: w, Sink: s,
		Leases: newLeases(), Clock: &clock{now: day(0)},
	}
}

// BenchmarkRun measures all but the source's query and the store: encoding, digests, comparison, manifest and spool
// (with their fsync), and reading the spool again.
func BenchmarkRun(b *testing.B) {
	const keys = 1_000_000
	for _, c := range []struct {
		name   string
		change float64
		full   Mode
	}{{"first_load", 0, Full}, {"unchanged", 0, 0}, {"one_percent_changed", 1, 0}} {
		b.Run(c.name, func(b *testing.B) {
			w := newWide(keys)
			o := wideOptions(w, newNull(), b.TempDir())
			if _, err := Run(context.Background(), o); err != nil {
				b.Fatal(err)
			}
			o.Mode = c.full
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				w.change += c.change
				if _, err := Run(context.Background(), o); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(keys)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// BenchmarkNulls measures what counting nulls adds to a first load of BenchmarkRun: 1M keys with ten features, a third of them
// null.
func BenchmarkNulls(b *testing.B) {
	const keys, rows = 1_000_000, 2048
	c := fstore.NewColumn("f", fstore.Float64, rows)
	for i := range rows {
		if i%3 == 0 {
			c.AppendNull()
		} else {
			c.AppendFloat64(1)
		}
	}
	for range b.N {
		for range 10 * keys / rows {
			if c.Nulls() != (rows+2)/3 {
				b.Fatal("wrong count")
			}
		}
	}
}

// TestMemoryDoesNotGrowWithTheView holds the heap, sampled at every batch, of a view of many keys against that of one
// with a tenth of them.
func TestMemoryDoesNotGrowWithTheView(t *testing.T) {
	peak := func(keys int) uint64 {
		var most atomic.Uint64
		w := newWide(keys)
		o := wideOptions(w, newNull(), t.TempDir())
		n := 0
		o.Progress = func(Progress) {
			if n++; n%8 == 0 {
				runtime.GC()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most.Store(max(most.Load(), m.HeapAlloc))
			}
		}
		for _, o.Mode = range []Mode{0, Full} {
			if _, err := Run(context.Background(), o); err != nil {
				t.Fatal(err)
			}
		}
		w.change++
		o.Mode = 0
		if _, err := Run(context.Background(), o); err != nil {
			t.Fatal(err)
		}
		return most.Load()
	}
	small, large := peak(60_000), peak(600_000)
	t.Logf("peak heap: %d kB with 60,000 keys, %d kB with 600,000", small>>10, large>>10)
	if large > small+24<<20 {
		t.Errorf("peak heap grew from %d kB to %d kB", small>>10, large>>10)
	}
}
