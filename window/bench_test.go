package window

import (
	"math/rand/v2"
	"testing"

	"github.com/fstore-dev/fstore"
)

// BenchmarkSweep measures a sweep over a key's rows: four windows of sum, count and mean, with an instant asked for after
// every tenth row.
func BenchmarkSweep(b *testing.B) {
	var features []fstore.Feature
	for _, days := range []int64{1, 7, 30, 90} {
		for _, f := range []fstore.Function{fstore.Sum, fstore.Count, fstore.Mean} {
			length := fstore.Duration(days * day * 1000)
			features = append(features, fstore.Feature{
				Name: "f", Type: map[bool]fstore.Type{true: fstore.Int64, false: fstore.Float64}[f == fstore.Count],
				Window: &fstore.Window{Function: f, Expression: "x", Length: length, Hop: 1000},
			})
		}
	}
	sweep := NewSweep(features, SeriesOf(features))
	const rows, keys = 1000, 100
	columns := []fstore.Column{fstore.NewColumn("", fstore.Timestamp, rows), fstore.NewColumn("", fstore.Timestamp, rows), fstore.NewColumn("", fstore.Bool, rows), fstore.NewColumn("", fstore.Float64, rows)}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range int64(rows) {
		columns[0].AppendInt64(i * day / 3)
		columns[1].AppendInt64(i * day / 3)
		columns[2].Append(true)
		columns[3].AppendFloat64(r.Float64() * 100)
	}
	out := make([]fstore.Column, len(features))
	b.ReportAllocs()
	for b.Loop() {
		for i, f := range features {
			out[i] = fstore.NewColumn("", f.Type, rows*keys/10)
		}
		for range keys {
			sweep.Reset()
			for row := range rows {
				sweep.Enter(columns, row)
				if row%10 == 0 {
					if err := sweep.At(columns[0].Int64s[row], out); err != nil {
						b.Fatal(err)
					}
				}
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows/keys, "ns/row")
}
