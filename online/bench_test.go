package online_test

import (
	"context"
	"testing"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/memory"
	"github.com/fstore-dev/fstore/online/onlinetest"
)

// A look-up of fixed-width features in one view allocates, above the backend: the answer, its features, its versions,
// their values in one piece per type, and what the request binds. Whatever the number of rows and features.
func TestALookupAllocatesLittle(t *testing.T) {
	for _, c := range []struct{ rows, views, features, most int }{
		{1, 1, 50, 10}, {100, 1, 50, 10}, {100, 5, 10, 10}, {1000, 1, 50, 10},
	} {
		s := online.New(memory.New(), "p")
		prepared, err := s.Prepare(onlinetest.Wide(t, s, c.views, c.features, 1000))
		if err != nil {
			t.Fatal(err)
		}
		req := onlinetest.Keys(c.rows, 0, 1000)
		got := testing.AllocsPerRun(100, func() {
			if _, err := prepared.Lookup(context.Background(), req); err != nil {
				t.Fatal(err)
			}
		})
		if int(got) > c.most {
			t.Errorf("%d rows, %d views of %d features: %v allocations, at most %d are allowed", c.rows, c.views, c.features, got, c.most)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	s := online.New(memory.New(), "p")
	l := onlinetest.Wide(b, s, 1, 50, 1)
	v := l.Uses[0].Version
	batch := &fstore.Batch{Len: 1}
	for _, c := range []fstore.Column{{Type: fstore.Int64, Int64s: []int64{1}}, {Type: fstore.Timestamp, Int64s: []int64{1}}} {
		c.Len = 1
		batch.Columns = append(batch.Columns, c)
	}
	for range 50 {
		batch.Columns = append(batch.Columns, fstore.Column{Type: fstore.Float64, Len: 1, Float64s: []float64{1.5}})
	}
	e := s.Encoder(v)
	var key, record []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if key, record, err = e.Encode(batch, 0, key[:0], record[:0]); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(record)))
}
