package offline

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/ext"

	"github.com/fstore-dev/fstore"
)

// tenExpressions are expressions over a request column and features of a view, and the same in SQL over the columns of a
// training set. Both give the same values.
var tenExpressions = [][2]string{
	{"amount float64 = price * n", "price * n"},
	{"share float64 = price / v.x", "price / nullif(x, 0)"},
	{"above bool = price > v.x", "price > x"},
	{"gap float64 = abs(price - v.x)", "abs(price - x)"},
	{"waited float64 = hours(at - event(v))", "epoch_us(t - seen) / 3600000000"},
	{"hour int64 = hour(at)", "hour(t)"},
	{"weekday int64 = weekday(at)", "isodow(t)"},
	{"root float64 = sqrt(abs(v.y))", "sqrt(abs(y))"},
	{"band string = price > 50.0 ? 'high' : 'low'", "CASE WHEN price > 50 THEN 'high' ELSE 'low' END"},
	{"known float64 = coalesce(v.y, 0.0) + n", "coalesce(y, 0) + n"},
}

// BenchmarkOnDemandTraining reads, joins and writes a training set with ten on-demand features, and the same training set
// with their expressions in SQL, which is the limit. FSTORE_BENCH_LABELS sets the number of labels.
func BenchmarkOnDemandTraining(b *testing.B) {
	labels := size("FSTORE_BENCH_LABELS", 2_000_000)
	r := emptyBenchRepo(b)
	at := "TIMESTAMP '2011-01-01' + to_minutes((hash(i + 3) % 400000)::BIGINT)"
	r.write("s.parquet", "SELECT (hash(i) % 100000)::BIGINT AS k, "+at+" AS event, (hash(i + 1) % 100)::DOUBLE AS x, (hash(i + 2) % 1000)::DOUBLE AS y FROM range(1000000) t(i)")
	r.write("l.parquet", "SELECT (hash(i + 4) % 110000)::BIGINT AS k, "+at+" AS t, (hash(i + 7) % 100)::DOUBLE AS price, (hash(i + 9) % 7)::DOUBLE AS n FROM range("+strconv.Itoa(labels)+") t(i)")
	v := view(source_("s.parquet"), []string{"k int64"}, []string{"x float64", "y float64"})
	var features, rewritten []string
	for i, e := range tenExpressions {
		features, rewritten = append(features, e[0]), append(rewritten, fmt.Sprintf("%s AS e%d", e[1], i))
	}
	list := with(all(v), onDemand("d", []string{"price float64", "n float64"}, features, v))
	make := func(b *testing.B, write func(t *training, path string) error) {
		for b.Loop() {
			s, err := r.e.isolated(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			req := r.request("l.parquet", list)
			req.AsOf = &req.Now
			t := &training{session: s, req: &req, byRef: map[fstore.ViewRef]lookup{}, summary: &TrainingSummary{}}
			for _, do := range []func(context.Context) error{t.readLabels, t.readViews, t.join} {
				if err := do(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			if err := write(t, filepath.Join(r.dir, "out.parquet")); err != nil {
				b.Fatal(err)
			}
			s.close()
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*labels), "ns/label")
	}
	b.Run("limit", func(b *testing.B) {
		make(b, func(t *training, path string) error {
			return t.exec(b.Context(), "COPY (\nSELECT k, t, price, n, x, y,\n  "+strings.Join(rewritten, ", ")+"\nFROM (SELECT l0 AS k, t, l2 AS price, l3 AS n, o0 AS x, o1 AS y, o2 AS seen, row FROM _joined)\nORDER BY row) TO "+text(path)+" ("+fileOptions+")")
		})
	})
	b.Run("fstore", func(b *testing.B) {
		make(b, func(t *training, path string) error { return t.copy(b.Context(), "_joined", path) })
	})
}

// BenchmarkOnDemandInterpreter evaluates three of the expressions with cel-go's own interpreter, row by row.
func BenchmarkOnDemandInterpreter(b *testing.B) {
	env, err := cel.NewEnv(cel.Variable("price", cel.DoubleType), cel.Variable("x", cel.DoubleType), cel.Variable("n", cel.DoubleType), ext.Math())
	if err != nil {
		b.Fatal(err)
	}
	var programs []cel.Program
	for _, text := range []string{"price * n", "price / x", "price > x", "math.abs(price - x)", "price > 50.0 ? 'high' : 'low'"} {
		ast, issues := env.Compile(text)
		if issues.Err() != nil {
			b.Fatal(issues.Err())
		}
		p, err := env.Program(ast)
		if err != nil {
			b.Fatal(err)
		}
		programs = append(programs, p)
	}
	row := map[string]any{"price": 1.0, "x": 2.0, "n": 3.0}
	for b.Loop() {
		for i := range 10 {
			if _, _, err := programs[i%len(programs)].Eval(row); err != nil {
				b.Fatal(err)
			}
		}
	}
}
