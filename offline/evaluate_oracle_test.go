package offline

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fstore-dev/fstore"
)

// The oracle computes on-demand features row by row in plain Go, from the rule in docs/point-in-time.md. Times are minutes.
type oracle struct {
	x      [][]oracleRow // the history of v, by key
	counts [][]int       // the events that w counts, by key
}

type oracleRow struct {
	event int
	x     any // nil or float64
}

const (
	oracleTTL    = 300
	oracleWindow = 180
	oracleEvery  = 60
	oracleDelay  = 10

	oracleDefault = 2.5 // of the request column s
)

// seen returns the row of v that a label sees; false if it sees none or a stale one.
func (o *oracle) seen(key, t int) (newest oracleRow, ok bool) {
	if key < 0 || key >= len(o.x) {
		return oracleRow{}, false
	}
	for _, r := range o.x[key] {
		if r.event <= t && (!ok || r.event > newest.event) {
			newest, ok = r, true
		}
	}
	return newest, ok && newest.event >= t-oracleTTL
}

// published returns the publication of w that a label sees, and how many events are in its window.
func (o *oracle) published(key, t int) (p, n int) {
	p = (t - oracleDelay) / oracleEvery * oracleEvery
	if key < 0 || key >= len(o.counts) {
		return p, 0
	}
	for _, event := range o.counts[key] {
		if event <= p && event > p-oracleWindow {
			n++
		}
	}
	return p, n
}

// features returns the values of a label's features in the order of oracleFeatures. q, m and s may be nil.
func (o *oracle) features(key, t int, q, m, s any) []any {
	out := make([]any, len(oracleFeatures))
	row, ok := o.seen(key, t)
	x, hasX := row.x.(float64)
	hasX = hasX && ok
	y, hasQ := q.(float64)
	hasQ = hasQ && y == y
	n, hasM := m.(int64)
	if hasX && hasQ {
		out[0], out[5] = x+y, x > y
	}
	if hasM && hasQ && y != 0 {
		out[1] = n / int64(y)
	}
	if ok {
		out[2] = float64(t - row.event)
	}
	p, count := o.published(key, t)
	if hasM {
		out[3] = n + int64(count)
	}
	if count > 0 {
		out[4] = float64(t - p)
	}
	out[7] = 2 * oracleDefault
	if given, ok := s.(float64); ok {
		out[7] = 2 * given
	}
	out[6] = "none"
	if hasX {
		out[6] = map[bool]string{true: "positive", false: "other"}[x > 0]
	}
	return out
}

var oracleFeatures = []string{
	"f0 float64 = v.x + q", "f1 int64 = m / int64(q)", "f2 float64 = minutes(at - event(v))", "f3 int64 = coalesce(w.n, 0) + m",
	"f4 float64 = minutes(at - event(w))", "f5 bool = v.x > q", "f6 string = is_null(v.x) ? 'none' : (v.x > 0.0 ? 'positive' : 'other')",
	"f7 float64 = s + s",
}

func TestOnDemandFeaturesAreThoseOfAnOracle(t *testing.T) {
	for seed := range uint64(4) {
		for _, threads := range []int{1, 2} {
			checkOracle(t, newRepo(t, threads), rand.New(rand.NewPCG(seed, 1)))
		}
	}
}

func checkOracle(t *testing.T, r *repo, random *rand.Rand) {
	t.Helper()
	const keys, span = 6, 3000
	at := func(minute int) string { return fstore.FormatTime(day.Add(time.Duration(minute) * time.Minute)) }
	cell := func(v any) string {
		if v == nil {
			return "NULL"
		}
		return fmt.Sprint(v)
	}
	o := &oracle{x: make([][]oracleRow, keys), counts: make([][]int, keys)}
	var history, counted, labels []string
	for key := range keys {
		for _, event := range random.Perm(span)[:15] {
			row := oracleRow{event, []any{nil, math.NaN(), 0.0, -1.5, 2.0, 7.25}[random.IntN(6)]}
			o.x[key] = append(o.x[key], row)
			history = append(history, fmt.Sprintf("%d | %s | %s", key, at(event), cell(row.x)))
		}
		for range 10 {
			event := random.IntN(span)
			o.counts[key] = append(o.counts[key], event)
			counted = append(counted, fmt.Sprintf("%d | %s", key, at(event)))
		}
	}
	var want [][]any
	for range 500 {
		key, minute := random.IntN(keys+2)-1, oracleEvery+random.IntN(span)
		q := []any{nil, math.NaN(), 0.0, 1.0, -3.0, 4.0}[random.IntN(6)]
		m := []any{nil, int64(-7), int64(0), int64(9)}[random.IntN(4)]
		s := []any{nil, 1.0, -0.5}[random.IntN(3)]
		k := cell(any(key))
		if key < 0 {
			k = "NULL"
		}
		labels = append(labels, fmt.Sprintf("%s | %s | %s | %s | %s", k, at(minute), cell(q), cell(m), cell(s)))
		want = append(want, o.features(key, minute, q, m, s))
	}
	r.write("x.parquet", values("k BIGINT | event TIMESTAMP | x DOUBLE", history...))
	r.write("n.parquet", values("k BIGINT | event TIMESTAMP", counted...))
	r.write("l.parquet", values("k BIGINT | t TIMESTAMP | q DOUBLE | m BIGINT | s DOUBLE", labels...))
	v := view(source_("x.parquet"), []string{"k int64"}, []string{"x float64"})
	v.View.TTL = ttl(oracleTTL * time.Minute)
	src := source_("n.parquet")
	src.Name = "counted"
	w := windowView(src, windowFeature("n", fstore.Count, "", fstore.Int64, oracleWindow*time.Minute))
	w.Ref.Name, w.View.Name = "w", "w"
	w.View.Publish = &fstore.Publish{Every: fstore.Duration(oracleEvery * time.Minute), Delay: fstore.Duration(oracleDelay * time.Minute)}
	d := onDemand("d", []string{"q float64", "m int64", "s float64"}, oracleFeatures, v, w)
	d.View.Request[2].Default = value(fstore.Float64, oracleDefault)
	list := with(all(v, w), d)
	req := r.request("l.parquet", list)
	req.Targets = []string{"m"}
	if _, err := r.e.TrainingSet(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	s, err := r.e.session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	b, err := s.query(t.Context(), "SELECT f0, f1, f2, f3, f4, f5, f6, f7 FROM "+readParquet([]string{filepath.Join(r.dir, "out.parquet")}, false))
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		got := make([]any, len(oracleFeatures))
		for c := range got {
			got[c] = b.Columns[c].Value(i)
		}
		if d := cmp.Diff(want[i], got, cmpopts.EquateNaNs()); d != "" {
			t.Fatalf("label %s:\n%s", strings.ReplaceAll(labels[i], " | ", " "), d)
		}
	}
}
