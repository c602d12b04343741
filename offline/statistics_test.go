package offline

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/stats"
	"github.com/google/go-cmp/cmp"
)

// statisticsOf returns the statistics of the columns of a query's rows.
func (r *repo) statisticsOf(sql string) map[string]stats.Statistics {
	r.Helper()
	r.write("statistics.parquet", sql)
	return r.statisticsOfFile()
}

// statisticsOfFile returns the statistics of the columns of statistics.parquet.
func (r *repo) statisticsOfFile() map[string]stats.Statistics {
	r.Helper()
	s, err := r.e.session(context.Background())
	if err != nil {
		r.Fatal(err)
	}
	defer s.close()
	var o lock.Output
	if err := s.content(context.Background(), filepath.Join(r.dir, "statistics.parquet"), "now", &o, ""); err != nil {
		r.Fatal(err)
	}
	out := map[string]stats.Statistics{}
	for _, c := range o.Columns {
		out[c.Name] = c.Statistics
	}
	return out
}

// TestStatisticsAreWhatTheEngineCounts holds every figure to the engine's own, for few rows, whose bins one pass counts,
// and for many, which need two.
func TestStatisticsAreWhatTheEngineCounts(t *testing.T) {
	r := newRepo(t, 2)
	for _, rows := range []int{1, 3_000, 40_000} {
		t.Run(fmt.Sprint(rows), func(t *testing.T) {
			r := &repo{t, r.e, r.dir}
			got := r.statisticsOf(`SELECT
  CASE WHEN i % 7 > 0 THEN (hash(i) % 1000)::INTEGER - 500 END AS small,
  (hash(i) % 1000000000000000000)::BIGINT * CASE WHEN i % 2 = 0 THEN 1 ELSE -1 END AS great,
  CASE WHEN i % 5 = 0 THEN 'nan'::FLOAT WHEN i % 3 = 0 THEN NULL ELSE (hash(i) % 100)::FLOAT / 8 END AS f32,
  CASE WHEN i % 4 = 0 THEN -0.0 WHEN i % 4 = 1 THEN 0.0 ELSE (hash(i) % 12345) / 1000 END::DOUBLE AS f64,
  make_timestamp((hash(i) % 31536000000000)::BIGINT) AS at,
  make_timestamp(9123456789012345600 + (i % 40)) AS far,
  i % 3 = 0 AS truth,
  chr(65 + (i % 26)::INTEGER) AS few,
  hash(i)::VARCHAR AS many,
  encode(chr(65 + (i % 20)::INTEGER)) AS raw,
  repeat('long', 100) AS long,
  CASE i % 9 WHEN 0 THEN 'inf' WHEN 1 THEN '-inf' WHEN 2 THEN NULL ELSE (hash(i) % 5000)::VARCHAR END::DOUBLE AS ends,
  CASE WHEN i % 3 = 0 THEN 'city ' || (i % 10) ELSE 'city ' || (hash(i) % 900) END AS city,
  CASE WHEN i % 6 > 0 THEN [(hash(i) % 50)::FLOAT, 1.5] END AS embedding,
  TIMESTAMP '2030-01-01' + to_seconds(i) AS now,
  NULL::BIGINT AS nothing
FROM range(` + fmt.Sprint(rows) + `) t(i)`)
			for name, statistics := range got {
				r.checkStatistics(name, statistics)
			}
		})
	}
}

// checkStatistics holds the statistics of a column of statistics.parquet to the engine's.
func (r *repo) checkStatistics(name string, got stats.Statistics) {
	r.Helper()
	from := text(filepath.Join(r.dir, "statistics.parquet"))
	ask := func(sql string) []string {
		rows, _ := r.rowsOf("SELECT " + strings.ReplaceAll(sql, "§", ident(name)) + " FROM " + from)
		return rows[0]
	}
	want := ask("count(§)::VARCHAR, count_if(§ IS NULL)::VARCHAR, count(DISTINCT §)::VARCHAR")
	if have := []string{fmt.Sprint(got.Count), fmt.Sprint(got.Nulls)}; !slices.Equal(have, want[:2]) {
		r.Errorf("%s: count and nulls %v, want %v", name, have, want[:2])
	}
	if name == "embedding" {
		r.checkNumbers("the norm", "sqrt(list_sum(list_transform(embedding, lambda e: e::DOUBLE * e::DOUBLE)))", got.Norm)
		return
	}
	if (name == "at" || name == "far") != (got.Age != nil) {
		r.Errorf("%s: age %+v", name, got.Age)
	}
	if got.Age != nil {
		r.checkNumbers("the age of "+name, "(epoch_us(now)::DOUBLE - epoch_us("+ident(name)+")::DOUBLE) / 1e6", got.Age)
	}
	if name == "ends" || name == "f64" || name == "great" {
		r.checkNumbers(name, ident(name)+"::DOUBLE", &got)
	}
	if name == "ends" {
		return // its bins are checked; the last ones begin and end at infinities otherwise
	}
	var distinct float64
	_, _ = fmt.Sscan(want[2], &distinct)
	switch {
	case got.Count == 0:
		if got.Distinct != nil || got.Histogram != nil {
			r.Errorf("%s: %+v of no value", name, got)
		}
	case distinct < 2*countedWell && (got.Approximate || *got.Distinct != int64(distinct)):
		r.Errorf("%s: %d distinct values, approximate %v, want %v", name, *got.Distinct, got.Approximate, distinct)
	case distinct >= 2*countedWell && (!got.Approximate || float64(*got.Distinct) < 0.95*distinct || float64(*got.Distinct) > 1.05*distinct):
		r.Errorf("%s: about %d distinct values, want %v", name, *got.Distinct, distinct)
	}
	total := int64(0)
	for i, bin := range got.Histogram {
		upTo := strings.Trim(string(bin.UpTo), `"`)
		total += bin.Count
		condition, want := "= ", bin.Count
		switch name {
		case "small", "great", "f32", "f64":
			upTo, condition, want = upTo+"::DOUBLE", "::DOUBLE <= ", total
		case "at", "far", "now":
			upTo, condition, want = text(upTo)+"::TIMESTAMP", "<= ", total
		case "truth":
		case "raw":
			upTo = "encode(chr(65 + " + fmt.Sprint(i) + "))" // JSON has bytes as base64
		default:
			upTo = text(upTo)
		}
		if n := ask("count_if(§" + condition + upTo + ")::VARCHAR")[0]; n != fmt.Sprint(want) {
			r.Errorf("%s: bin %d up to %s has %d, the engine counts %s", name, i, bin.UpTo, want, n)
		}
	}
	if name == "city" {
		if distinct > listedValues && (len(got.Histogram) != listedValues || got.Other != got.Count-total || got.Other <= 0) {
			r.Errorf("city: %d of %v listed, %d of %d others", len(got.Histogram), distinct, got.Other, got.Count)
		}
		least := got.Histogram[0].Count
		for _, bin := range got.Histogram {
			least = min(least, bin.Count)
		}
		rows, err := r.rowsOf("SELECT count(*)::BIGINT FROM (SELECT count(*) AS n FROM " + from + " GROUP BY city) WHERE n > " + fmt.Sprint(least))
		if more := 0; err != nil {
			r.Error(err)
		} else if _, err := fmt.Sscan(rows[0][0], &more); err != nil || more > listedValues {
			r.Errorf("city: %d categories are more frequent than one that is listed", more)
		}
		return
	}
	if len(got.Histogram) > 0 && total != got.Count-got.NaNs {
		r.Errorf("%s: bins hold %d values of %d", name, total, got.Count-got.NaNs)
	}
	if (len(got.Histogram) == 0) != (got.Count == got.NaNs || name == "long" || name == "many" && got.Count > fewValues) {
		r.Errorf("%s: histogram %v", name, got.Histogram)
	}
}

// checkNumbers holds the bins of an expression of statistics.parquet to the engine's: how many finite values each has, and their
// mean.
func (r *repo) checkNumbers(what, x string, got *stats.Statistics) {
	r.Helper()
	from := "FROM " + text(filepath.Join(r.dir, "statistics.parquet"))
	number := func(sql string) (v float64) {
		rows, err := r.rowsOf("SELECT coalesce(" + sql + ", 0)::DOUBLE " + from)
		if err != nil {
			r.Fatal(err)
		}
		if _, err := fmt.Sscan(rows[0][0], &v); err != nil {
			r.Fatal(err)
		}
		return v
	}
	finite := "isfinite(" + x + ")"
	if low, high := number("count_if("+x+" = '-inf')"), number("count_if("+x+" = 'inf')"); float64(got.Low) != low || float64(got.High) != high {
		r.Errorf("%s: %d and %d infinities, want %v and %v", what, got.Low, got.High, low, high)
	}
	before, total := "-1e308", got.Low+got.High
	for _, bin := range got.Histogram {
		in := finite + " AND " + x + " > " + before + " AND " + x + " <= " + string(bin.UpTo) + "::DOUBLE"
		if n := number("count_if(" + in + ")"); n != float64(bin.Count) {
			r.Errorf("%s: %d values above %s up to %s, want %v", what, bin.Count, before, bin.UpTo, n)
		}
		if mean := number("avg(" + x + ") FILTER (WHERE " + in + ")"); math.Abs(*bin.Mean-mean) > 1e-9*max(1, math.Abs(mean)) {
			r.Errorf("%s: mean %v up to %s, want %v", what, *bin.Mean, bin.UpTo, mean)
		}
		before, total = string(bin.UpTo)+"::DOUBLE", total+bin.Count
	}
	if total != got.Count-got.NaNs || got.Count > 0 && len(got.Histogram) == 0 && got.Low+got.High < got.Count-got.NaNs {
		r.Errorf("%s: the bins have %d of %d values", what, total, got.Count-got.NaNs)
	}
	if first := number("min(" + x + ") FILTER (WHERE " + finite + ")"); got.Low > 0 && string(got.Least) != fmt.Sprint(first) && len(got.Histogram) > 0 {
		r.Errorf("%s: least %s, want %v", what, got.Least, first)
	}
}

func (r *repo) rowsOf(sql string) ([][]string, error) {
	r.Helper()
	s, err := r.e.session(context.Background())
	if err != nil {
		r.Fatal(err)
	}
	defer s.close()
	b, err := s.query(context.Background(), sql)
	if err != nil {
		r.Fatal(err)
	}
	return boxed(b), nil
}

// TestDistinctDoesNotDependOnOrder counts the same hashes in another order, with duplicates.
func TestDistinctDoesNotDependOnOrder(t *testing.T) {
	for _, n := range []int{0, 1, 2*countedWell - 1, 2 * countedWell, 100_000} {
		hashes := make([]uint64, 0, 2*n)
		for i := range n {
			hashes = append(hashes, mix(uint64(i)), mix(uint64(i)))
		}
		var forward, shuffled distinct
		for _, h := range hashes {
			forward.add(h)
		}
		rand.New(rand.NewPCG(1, 2)).Shuffle(len(hashes), func(i, j int) { hashes[i], hashes[j] = hashes[j], hashes[i] })
		for _, h := range hashes {
			shuffled.add(h)
		}
		a, approximate := forward.count()
		b, _ := shuffled.count()
		if a != b || approximate != (n >= 2*countedWell) || !approximate && a != int64(n) {
			t.Errorf("%d distinct values counted as %d and %d, approximate %v", n, a, b, approximate)
		}
	}
}

func TestQuantilesAreThoseOfSortedValues(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		values := make([]float64, 1+random.IntN(300))
		for i := range values {
			values[i] = float64(random.IntN(1 + random.IntN(400)))
		}
		sorted := slices.Sorted(slices.Values(values))
		var want []float64
		for i := 1; i < bins; i++ {
			want = append(want, sorted[(len(sorted)-1)*i/bins])
		}
		if diff := cmp.Diff(want, quantiles(values, bins)); diff != "" {
			t.Fatal(diff)
		}
	}
}
