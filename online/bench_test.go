package online_test

import (
	"testing"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/memory"
	"github.com/fstore-dev/fstore/online/onlinetest"
)

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
	e, err := s.Encoder(v, "0102030405060708")
	if err != nil {
		b.Fatal(err)
	}
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
