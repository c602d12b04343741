package offline

import (
	"errors"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
)

// Leaks that show at 70 % of the candidates or more, of every kind that people write, are found at the default of 4 instants.
func TestLeaksThatShowOftenAreFound(t *testing.T) {
	t.Parallel()
	r := newRepo(t, 1)
	r.write("often.parquet", `SELECT i % 5 AS id, TIMESTAMP '2024-01-01' + to_minutes((i * 7)::INT) AS ts, (i * 37) % 101 AS x FROM range(300) t(i)`)
	src := fstore.Source{Name: "often", Path: "often.parquet", Event: "ts", Available: fstore.Available{Stated: true}}
	var leaks []string
	for _, bucket := range []string{"date_trunc('hour', ts)", "date_trunc('day', ts)", "ts::date::timestamp", "time_bucket(INTERVAL 3 HOUR, ts)", "ts - INTERVAL 2 HOUR", "make_timestamp(epoch_us(ts) // 14400000000 * 14400000000)"} {
		for _, f := range []string{"sum(x)", "count(*)", "max(x * 1000 + epoch(ts) % 1000)"} {
			leaks = append(leaks, "SELECT id, "+bucket+" AS ts, ("+f+")::BIGINT AS x FROM often GROUP BY 1, 2")
		}
	}
	for _, over := range []string{
		"lead(x) OVER (PARTITION BY id ORDER BY ts)", "lag(x, -2) OVER (PARTITION BY id ORDER BY ts)", "sum(x) OVER (PARTITION BY id)", "epoch(max(ts) OVER (PARTITION BY id))",
		"avg(x) OVER ()", "ntile(7) OVER (PARTITION BY id ORDER BY ts)", "row_number() OVER (PARTITION BY id ORDER BY ts DESC)", "percent_rank() OVER (PARTITION BY id ORDER BY ts)",
		"sum(x) OVER (PARTITION BY id ORDER BY ts ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING)", "sum(x) OVER (ORDER BY date_trunc('day', ts))",
		"last_value(x) OVER (PARTITION BY id ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)", "(SELECT sum(x) FROM often)",
		"(SELECT count(*) FROM often AS b WHERE b.id = often.id AND b.ts > often.ts)", "(SELECT max(b.x) FROM often AS b WHERE b.id = often.id AND b.ts >= often.ts)",
	} {
		leaks = append(leaks, "SELECT id, ts, round(1000 * ("+over+"))::BIGINT AS x FROM often")
	}
	leaks = append(leaks,
		"SELECT a.id, a.ts, b.x FROM often AS a ASOF LEFT JOIN often AS b ON a.id = b.id AND a.ts < b.ts",
		"SELECT id, ts, x FROM often QUALIFY row_number() OVER (PARTITION BY id ORDER BY ts DESC) = 1",
		"SELECT id, max(ts) AS ts, count(*) AS x FROM often GROUP BY id",
		"SELECT id, ts, total - x AS x FROM often JOIN (SELECT id, sum(x) AS total FROM often GROUP BY id) USING (id)",
	)
	n := 0
	for _, sql := range leaks {
		v := query(sql, []string{"id int64"}, []string{"x int64"}, src)
		v.View.Event, v.Fingerprint = "ts", sql
		_, err := r.e.CheckCausality(t.Context(), v, CausalityRequest{Instants: 4})
		if !errors.Is(err, fstore.ErrCheck) {
			var leak *Leak
			if _, err := r.e.CheckCausality(t.Context(), v, CausalityRequest{Instants: AllInstants}); !errors.As(err, &leak) || 10*len(leak.Instants) >= 7*int(leak.Compared) {
				t.Errorf("not found: %v\n%s", err, sql)
			}
			continue
		}
		n++
	}
	t.Logf("found %d of %d", n, len(leaks))
	if n < 30 {
		t.Errorf("only %d leaks", n)
	}
}

// A leak that shows at a share c of the candidates is found at N instants at the rate 1 − (1 − c)^N, or more often. The draws
// are those of the check. Their rate is exact over all leaks of that share: those that show anywhere, and those that show in one
// stretch of time. docs/causality.md has the rates of 1,000 seeds.
func TestRareLeaksAreFoundAtTheRateOfIndependentDraws(t *testing.T) {
	t.Parallel()
	seeds := 60
	if os.Getenv("SEEDS") != "" {
		seeds = 1000
	}
	const candidates = 1000
	c := drawing(t, newRepo(t, 1), manyCandidates)
	for _, n := range []int{1, 4, 16, AllInstants} {
		of := seeds
		if n == AllInstants {
			of = 2
		}
		var draws [][]int64
		for seed := range uint64(of) {
			draws = append(draws, c.drawn(t, n, seed))
		}
		for _, share := range []float64{0.01, 0.05, 0.2, 0.5, 0.7} {
			shows := int(math.Round(candidates * share))
			anywhere, together := 0.0, 0.0
			for _, drawn := range draws {
				anywhere += rateAnywhere(drawn, shows, candidates) / float64(of)
				together += rateTogether(drawn, shows, candidates) / float64(of)
			}
			want := 1.0
			if n != AllInstants {
				want = 1 - math.Pow(1-share, float64(n))
			}
			t.Logf("c = %.2f, N = %d: found %.3f, in one stretch %.3f, by the formula %.3f", share, n, anywhere, together, want)
			if least := want - 1e-9; anywhere < least || together < least {
				t.Errorf("c = %.2f, N = %d: found %.4f, in one stretch %.4f, by the formula %.4f", share, n, anywhere, together, want)
			}
		}
	}
}

// rateAnywhere returns the share of the sets of so many candidates that have one that is drawn.
func rateAnywhere(drawn []int64, shows, candidates int) float64 {
	missed := 1.0
	for i := range len(slices.Compact(slices.Clone(drawn))) {
		missed *= max(0, float64(candidates-shows-i)/float64(candidates-i))
	}
	return 1 - missed
}

// rateTogether returns the share of the stretches of so many candidates, around the end too, that have one that is drawn.
func rateTogether(drawn []int64, shows, candidates int) float64 {
	found := 0
	for from := range candidates {
		if slices.ContainsFunc(drawn, func(us int64) bool { return (int(us)-from+candidates)%candidates < shows }) {
			found++
		}
	}
	return float64(found) / float64(candidates)
}

// A leak may come from a view that is read.
func TestHintOfALeakNamesTheViewsThatAreRead(t *testing.T) {
	v := &fstore.ViewVersion{View: fstore.View{Name: "overmid", Inputs: []string{"events", "mid"}}, Views: []fstore.View{{Name: "base"}, {Name: "mid"}}}
	if got, want := upstreamHint(v), "; overmid reads mid: if that leaks, mend it first"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := upstreamHint(&fstore.ViewVersion{View: fstore.View{Inputs: []string{"events"}}}); got != "" {
		t.Errorf("got %q of a view that reads none", got)
	}
}

// What an error of a leak says, by the kind of the leak.
func TestErrorsOfLeaks(t *testing.T) {
	r := newRepo(t, 1)
	r.write("often.parquet", `SELECT i % 2 + 1 AS id, TIMESTAMP '2024-01-01' + to_minutes((i * 7)::INT) AS ts, i AS x FROM range(400) t(i)`)
	src := fstore.Source{Name: "often", Path: "often.parquet", Event: "ts", Available: fstore.Available{Stated: true}}
	for name, c := range map[string]struct {
		sql, hint string
		want      []string
	}{
		"hour": {
			"SELECT id, date_trunc('hour', ts) AS ts, sum(x) AS x FROM often GROUP BY 1, 2", "if fstore validate warns of this SQL, follow its hint; else read no rows after the event time",
			[]string{"v@1 sees the future at ", "of 2 keys (", "id=1, row of ", ": x is ", " by the rows known then, ", " by all rows", "the newest row that was read too early: id=1, ts=", " of source often, known from "},
		},
		"total":      {"SELECT id, ts, sum(x) OVER (PARTITION BY id) AS x FROM often", "read no rows after the event time in frames, joins and subqueries, or declare the window as an aggregation", nil},
		"correlated": {"SELECT id, ts, (SELECT count(*) FROM often AS b WHERE b.ts > often.ts) AS x FROM often", "read no rows after the event time", nil},
		"vanishes":   {"SELECT id, max(ts) AS ts, sum(x) AS x FROM often GROUP BY id", "read no rows", []string{": it is gone once later rows are there"}},
		"comes":      {"SELECT id, ts, x FROM often WHERE ts < (SELECT max(b.ts) FROM often AS b)", "", []string{": it is there only once later rows are"}},
	} {
		v := query(c.sql, []string{"id int64"}, []string{"x int64"}, src)
		v.View.Event = "ts"
		_, err := r.e.CheckCausality(t.Context(), v, CausalityRequest{Instants: 4})
		var leak *Leak
		if !errors.As(err, &leak) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !strings.HasPrefix(leak.Fix, c.hint) {
			t.Errorf("%s: hint %s", name, leak.Fix)
		}
		for _, want := range c.want {
			if !strings.Contains(leak.message(), want) {
				t.Errorf("%s: no %q in\n%s", name, want, leak.message())
			}
		}
	}
	many := &Leak{Instants: make([]time.Time, 9), Keys: 1, Of: 1000, Compared: 12}
	if text := many.message(); !strings.Contains(text, "at 9 of 12 instants") || !strings.Contains(text, "1 of 1,000 keys (0.1 %) has a row") || !strings.HasSuffix(text, " and at 3 more") {
		t.Error(text)
	}
}
