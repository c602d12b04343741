package offline

import (
	"math"
	"testing"

	"github.com/fstore-dev/fstore"
)

// TestListsHaveACentroid describes lists of many rows, whose cosines take two passes: their counts and their mean are those of the rows. A
// column whose lists differ in length, or that has none, has no centroid.
func TestListsHaveACentroid(t *testing.T) {
	const rows = 40_000
	r := newRepo(t, 2)
	r.write("statistics.parquet", "SELECT CASE WHEN i % 10 > 0 THEN [1.0::FLOAT, sin(i)::FLOAT, (i % 3)::FLOAT] WHEN i % 20 > 0 THEN [0::FLOAT, 0::FLOAT, 0::FLOAT] END AS e, "+
		"CASE i % 2 WHEN 0 THEN [1.0] ELSE [1.0, 2.0] END AS uneven, i AS n FROM range(40000) s(i)")
	all := r.statisticsOfFile()
	for _, name := range []string{"uneven", "n"} {
		if s := all[name]; s.Centroid != nil || s.Cosine != nil {
			t.Errorf("%s has a centroid", name)
		}
	}
	s := all["e"]
	var sum [3]float64
	each := func(do func(v [3]float64)) {
		for i := range rows {
			if i%10 > 0 {
				v := [3]float64{1, float64(float32(math.Sin(float64(i)))), float64(i % 3)}
				length := math.Sqrt(v[0]*v[0] + v[1]*v[1] + v[2]*v[2])
				do([3]float64{v[0] / length, v[1] / length, v[2] / length})
			}
		}
	}
	each(func(v [3]float64) {
		for j := range sum {
			sum[j] += v[j]
		}
	})
	length := math.Sqrt(sum[0]*sum[0] + sum[1]*sum[1] + sum[2]*sum[2])
	if len(s.Centroid) != 3 || s.Cosine == nil {
		t.Fatalf("%+v", s)
	}
	for j := range sum {
		if want := sum[j] / length; math.Abs(float64(s.Centroid[j])-want) > 1e-6 {
			t.Errorf("number %d of the centroid is %v, want %v", j, s.Centroid[j], want)
		}
	}
	mean := 0.0
	each(func(v [3]float64) { mean += (v[0]*sum[0] + v[1]*sum[1] + v[2]*sum[2]) / length / (rows * 9 / 10) })
	counted := int64(0)
	for _, b := range s.Cosine.Histogram {
		counted += b.Count
	}
	if counted != rows*9/10 || s.Cosine.Nulls != rows/10 || s.Nulls != rows/20 || math.Abs(*s.Cosine.Mean-mean) > 1e-6 || len(s.Cosine.Histogram) < 15 {
		t.Errorf("%d cosines in %d bins, %d nulls of %d, mean %v, want %v", counted, len(s.Cosine.Histogram), s.Cosine.Nulls, s.Nulls, *s.Cosine.Mean, mean)
	}
	if err := s.Check(rows); err != nil {
		t.Error(err)
	}
	if _, _, err := s.Cosine.Divide(fstore.Float64); err != nil {
		t.Error(err)
	}
}
