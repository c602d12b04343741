package offline

import (
	"math"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
)

// ksOf computes the Kolmogorov-Smirnov statistic from its definition.
func ksOf(a, b []float64) (most float64) {
	upTo := func(all []float64, x float64) float64 {
		n := 0
		for _, v := range all {
			if v <= x {
				n++
			}
		}
		return float64(n) / float64(len(all))
	}
	for _, x := range slices.Concat(a, b) {
		most = max(most, math.Abs(upTo(a, x)-upTo(b, x)))
	}
	return most
}

// TestKolmogorovIsOfTheRows computes the statistic of columns of two files: with ties, nulls, NaNs, infinities, integers and decimals, in a
// window, and of columns that one file lacks or has no values of.
func TestKolmogorovIsOfTheRows(t *testing.T) {
	r := newRepo(t, 2)
	const from = "SELECT TIMESTAMP '2025-01-01' + INTERVAL 1 HOUR * i AS t, i % 7 AS ties, "
	r.write("reference.parquet", from+"sin(i) * 100 AS x, CASE WHEN i % 3 > 0 THEN i END AS n, CASE i % 4 WHEN 0 THEN 'nan'::DOUBLE WHEN 1 THEN 'inf' ELSE i::DOUBLE END AS odd, "+
		"i / 10.0::DECIMAL(8, 2) AS dec, i AS alone, NULL::DOUBLE AS never FROM range(211) s(i)")
	r.write("current.parquet", from+"sin(i) * 90 + 10 AS x, i * 1.5 AS n, CASE i % 5 WHEN 0 THEN 'nan'::DOUBLE WHEN 1 THEN '-inf' ELSE i::DOUBLE END AS odd, "+
		"i / 9 AS dec, i AS never FROM range(157) s(i)")
	var columns []fstore.Field
	for _, name := range []string{"ties", "x", "n", "odd", "dec", "alone", "never"} {
		columns = append(columns, fstore.Field{Name: name, Type: fstore.Float64})
	}
	to := time.Date(2025, 1, 6, 0, 0, 0, 0, time.UTC)
	for _, window := range []time.Duration{0, 50 * time.Hour} {
		current := ColumnsRequest{Path: filepath.Join(r.dir, "current.parquet"), Columns: columns, Timestamp: "t", To: &to, Window: window}
		found, err := r.e.Kolmogorov(t.Context(), ColumnsRequest{Path: filepath.Join(r.dir, "reference.parquet"), Columns: columns}, current)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) != 5 {
			t.Errorf("%d columns were compared: %v", len(found), found)
		}
		for name, got := range found {
			a := r.values(ColumnsRequest{Path: filepath.Join(r.dir, "reference.parquet")}, name)
			b := r.values(current, name)
			want := Kolmogorov{ksOf(a, b), int64(len(a)), int64(len(b))}
			if math.Abs(got.Statistic-want.Statistic) > 1e-12 || got.Reference != want.Reference || got.Current != want.Current {
				t.Errorf("window %v, %s: %v, want %v", window, name, got, want)
			}
		}
	}
}

// values reads the numbers of a column that are not null or NaN.
func (r *repo) values(req ColumnsRequest, name string) (out []float64) {
	r.Helper()
	req.Columns = []fstore.Field{{Name: name, Type: fstore.Float64}}
	reader, err := r.e.Columns(r.Context(), req)
	if err != nil {
		r.Fatal(err)
	}
	defer reader.Close()
	if err := reader.Each(r.Context(), func(b *fstore.Batch) error {
		c := b.Column(name)
		for i := range b.Len {
			if c.IsNull(i) {
				continue
			}
			x := 0.0
			switch c.Type {
			case fstore.Int32:
				x = float64(c.Int32s[i])
			case fstore.Int64:
				x = float64(c.Int64s[i])
			case fstore.Float32:
				x = float64(c.Float32s[i])
			case fstore.Float64:
				x = c.Float64s[i]
			default:
				r.Fatal(c.Type)
			}
			if x == x {
				out = append(out, x)
			}
		}
		return nil
	}); err != nil {
		r.Fatal(err)
	}
	return out
}

// TestQuantilesKeepInstantsTogether cuts a file into groups of about equal numbers of rows.
func TestQuantilesKeepInstantsTogether(t *testing.T) {
	r := newRepo(t, 2)
	r.write("rows.parquet", "SELECT TIMESTAMP '2025-01-01' + INTERVAL 1 DAY * greatest(i // 10 - 5, 0) AS t FROM range(100) s(i) UNION ALL SELECT 'infinity'::TIMESTAMP UNION ALL SELECT NULL")
	reader, err := r.e.Columns(t.Context(), ColumnsRequest{Path: filepath.Join(r.dir, "rows.parquet"), Timestamp: "t", Required: true})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	day := func(n int) int64 { return fstore.Micros(time.Date(2025, 1, 1+n, 0, 0, 0, 0, time.UTC)) }
	for n, want := range map[int][]int64{1: {day(4)}, 2: {day(0), day(4)}, 10: {day(0), day(1), day(2), day(3), day(4)}} {
		if got, err := reader.Quantiles(t.Context(), n); err != nil || !slices.Equal(got, want) {
			t.Errorf("%d groups: %v, %v, want %v", n, got, err, want)
		}
	}
}
