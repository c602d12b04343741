package verify_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/memory"
	"github.com/fstore-dev/fstore/verify"
)

func day(n int) time.Time { return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC) }

// row is a key and what it has.
type row struct {
	key   int64
	value any
}

// world is a view of one feature, what the source says of it by instant, and a store.
type world struct {
	t    *testing.T
	view *fstore.ViewVersion
	rows map[time.Time][]row
	mem  *memory.Backend
	*online.Store
	header fstore.Header
	fence  fstore.Fence

	during func() // called once, when AsOf has given its first batch
	always func() // what during is for each AsOf, if set
	reads  int    // keys of Records
	scans  int    // keys of ScanRecords
}

const generation fstore.Generation = "00000000000000aa"

func newWorld(t *testing.T, typ string) *world {
	ft, err := fstore.ParseType(typ)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, rows: map[time.Time][]row{}, mem: memory.New()}
	w.Store = online.New(w.mem, "p")
	w.view = &fstore.ViewVersion{Ref: fstore.ViewRef{Name: "v", Version: 1}, Fingerprint: "f", View: fstore.View{
		Name: "v", Keys: []fstore.Field{{Name: "id", Type: fstore.Int64}}, Event: "event", Features: []fstore.Feature{{Name: "x", Type: ft, Column: "x"}},
	}}
	return w
}

// AsOf implements verify.Source, some rows a batch, in key order.
func (w *world) AsOf(_ context.Context, v *fstore.ViewVersion, p time.Time) iter.Seq2[*fstore.Batch, error] {
	return func(yield func(*fstore.Batch, error) bool) {
		if w.always != nil {
			w.during = w.always
		}
		for part := range slices.Chunk(w.rows[p], 7) {
			if !yield(w.batch(p, part), nil) {
				return
			}
			if f := w.during; f != nil {
				w.during = nil
				f()
			}
		}
	}
}

func (w *world) batch(p time.Time, rows []row) *fstore.Batch {
	b := &fstore.Batch{Len: len(rows), Columns: []fstore.Column{
		fstore.NewColumn("id", fstore.Int64, 1), fstore.NewColumn("event", fstore.Timestamp, 1), fstore.NewColumn("x", w.view.View.Record()[0].Type, 1),
	}}
	for _, r := range rows {
		b.Columns[0].Append(r.key)
		b.Columns[1].Append(p)
		if r.value == nil {
			b.Columns[2].AppendNull()
		} else {
			b.Columns[2].Append(r.value)
		}
	}
	return b
}

func (w *world) Decoder(v *fstore.ViewVersion, p fstore.Pointer) (verify.Decoder, error) {
	return w.Store.Decoder(v, p)
}

func (w *world) Records(ctx context.Context, g fstore.Generation, keys [][]byte) ([][]byte, error) {
	w.reads += len(keys)
	return w.Store.Records(ctx, g, keys)
}

func (w *world) ScanRecords(ctx context.Context, fn func(fstore.StoredKey) error) error {
	return w.Store.ScanRecords(ctx, func(k fstore.StoredKey) error { w.scans++; return fn(k) })
}

// load stores what the source says as of p, and publishes it.
func (w *world) load(p time.Time) {
	w.t.Helper()
	ctx := context.Background()
	from, published, err := w.Pointer(ctx, w.view.Ref)
	if err != nil {
		w.t.Fatal(err)
	}
	is := fstore.Header{
		View: w.view.Ref, Generation: generation, Fingerprint: "f", Layout: fstore.RecordLayout, Partitions: fstore.Partitions,
		Run: fmt.Sprintf("%016x", p.Unix()), RunAt: p, Published: from.Published,
	}
	fence := fstore.Fence{View: w.view.Ref, Generation: generation, Run: is.Run, At: p, Complete: true}
	was, saw, pointer := &w.header, &w.fence, &from
	if !published {
		was, saw, pointer = nil, nil, nil
	}
	if err := errors.Join(w.SetHeader(ctx, was, is), w.SetFence(ctx, saw, fence)); err != nil {
		w.t.Fatal(err)
	}
	w.header, w.fence = is, fence
	w.put(p, w.rows[p]...)
	done := w.header
	done.Complete, done.Published = true, p
	to := fstore.Pointer{Generation: generation, Published: p, Fingerprint: "f", Layout: fstore.RecordLayout, Run: done.Run, Partitions: fstore.Partitions}
	if err := w.Publish(ctx, w.header, done, w.fence, pointer, to); err != nil {
		w.t.Fatal(err)
	}
	w.header = done
}

// put writes rows by hand.
func (w *world) put(p time.Time, rows ...row) {
	w.t.Helper()
	if len(rows) == 0 {
		return
	}
	var keys, records [][]byte
	b := w.batch(p, rows)
	enc, err := w.Encoder(w.view, generation)
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range rows {
		k, r, err := enc.Encode(b, i, nil, nil)
		if err != nil {
			w.t.Fatal(err)
		}
		keys, records = append(keys, k), append(records, r)
	}
	if err := w.WriteBatch(context.Background(), w.fence, w.fence, keys, records, nil); err != nil {
		w.t.Fatal(err)
	}
}

func key(id int64) []byte {
	c := fstore.NewColumn("id", fstore.Int64, 1)
	c.Append(id)
	return fstore.AppendKey(nil, []*fstore.Column{&c}, 0)
}

// drop deletes a record by hand; spoil writes bytes over it.
func (w *world) drop(id int64) {
	w.t.Helper()
	if err := w.WriteBatch(context.Background(), w.fence, w.fence, nil, nil, [][]byte{key(id)}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) spoil(id int64, record []byte) {
	w.t.Helper()
	if err := w.WriteBatch(context.Background(), w.fence, w.fence, [][]byte{key(id)}, [][]byte{record}, nil); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) verify(sample int) verify.View {
	w.t.Helper()
	got, err := verify.Run(context.Background(), w.options(sample))
	if err != nil {
		w.t.Fatal(err)
	}
	return got[0]
}

func (w *world) options(sample int) verify.Options {
	return verify.Options{Views: []*fstore.ViewVersion{w.view}, Sample: sample, Source: w, Store: w, TempDir: w.t.TempDir(), SortBytes: 1}
}

func rows(n int, add int64) []row {
	out := make([]row, n)
	for i := range out {
		out[i] = row{int64(i), int64(i) + add}
	}
	return out
}
