package ondemand

import (
	"fmt"
	"testing"

	"cel.dev/cel-go/cel"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/alloctest"
)

// trip is a view of five expressions, as users write them.
var trip = []Feature{
	{Name: "distance_km", Type: fstore.Float64, Expression: "haversine_km(lat, lon, store_lat, store_lon)"},
	{Name: "is_far", Type: fstore.Bool, Expression: "distance_km > 5"},
	{Name: "hour", Type: fstore.Int64, Expression: "hour(at, 'Asia/Kolkata')"},
	{Name: "over_average", Type: fstore.Float64, Expression: "amount / coalesce(average, 1)"},
	{Name: "hours_since_order", Type: fstore.Float64, Expression: "hours(at - last)"},
}

func tripColumns(rows int) map[string]*fstore.Column {
	columns := map[string]*fstore.Column{}
	for _, name := range []string{"lat", "lon", "store_lat", "store_lon", "amount", "average"} {
		c := fstore.NewColumn(name, fstore.Float64, rows)
		for i := range rows {
			if name == "average" && i%10 == 0 {
				c.AppendNull()
			} else {
				c.AppendFloat64(float64(i%180)/3 + 1)
			}
		}
		columns[name] = &c
	}
	for _, name := range []string{"at", "last"} {
		c := fstore.NewColumn(name, fstore.Timestamp, rows)
		for i := range rows {
			c.AppendInt64(1323434700_000000 + int64(i)*60_000_000)
		}
		columns[name] = &c
	}
	return columns
}

func compiled(t testing.TB, features []Feature, columns map[string]*fstore.Column) (*Program, []*fstore.Column) {
	t.Helper()
	env := Env{}
	for name, c := range columns {
		if name != atName {
			env.Columns = append(env.Columns, Column{name, c.Type})
		}
	}
	p, problems := Compile(env, features)
	if problems != nil {
		t.Fatal(problems)
	}
	var inputs []*fstore.Column
	for _, in := range p.Inputs() {
		inputs = append(inputs, columns[in.Name])
	}
	return p, inputs
}

func benchmark(b *testing.B, features []Feature, columns map[string]*fstore.Column, rows int) {
	p, inputs := compiled(b, features, columns)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Eval(rows, inputs); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
}

func BenchmarkTrip(b *testing.B) {
	for _, rows := range []int{1, 100, 1_000_000} {
		b.Run(fmt.Sprint(rows), func(b *testing.B) { benchmark(b, trip, tripColumns(rows), rows) })
	}
}

// fifty are arithmetic features of three operators each.
func fifty() (features []Feature) {
	for i := range 50 {
		features = append(features, Feature{Name: fmt.Sprintf("f%d", i), Type: fstore.Float64, Expression: fmt.Sprintf("(amount - average) / lat + %d", i)})
	}
	return features
}

func BenchmarkFifty(b *testing.B) {
	for _, rows := range []int{1, 100} {
		b.Run(fmt.Sprint(rows), func(b *testing.B) { benchmark(b, fifty(), tripColumns(rows), rows) })
	}
}

// BenchmarkFiftyByCel evaluates the same expressions with cel-go's interpreter, row by row.
func BenchmarkFiftyByCel(b *testing.B) {
	env, err := cel.NewEnv(cel.Variable("amount", cel.DoubleType), cel.Variable("average", cel.DoubleType), cel.Variable("lat", cel.DoubleType))
	if err != nil {
		b.Fatal(err)
	}
	var programs []cel.Program
	for _, f := range fifty() {
		tree, issues := env.Compile(f.Expression + ".0")
		if issues.Err() != nil {
			b.Fatal(issues.Err())
		}
		p, err := env.Program(tree)
		if err != nil {
			b.Fatal(err)
		}
		programs = append(programs, p)
	}
	for _, rows := range []int{1, 100} {
		b.Run(fmt.Sprint(rows), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for i := range rows {
					row := map[string]any{"amount": float64(i), "average": 2.5, "lat": 1.5}
					for _, p := range programs {
						if _, _, err := p.Eval(row); err != nil {
							b.Fatal(err)
						}
					}
				}
			}
		})
	}
}

// What an evaluation allocates does not grow with its rows.
func TestAllocationsDoNotGrowWithRows(t *testing.T) {
	count := func(rows, enough int) int {
		columns := tripColumns(rows)
		p, inputs := compiled(t, trip, columns)
		return alloctest.Fewest(enough, func() {
			if _, err := p.Eval(rows, inputs); err != nil {
				t.Fatal(err)
			}
		})
	}
	few := count(10, 0)
	if many := count(20_000, few); many > few {
		t.Errorf("10 rows take %d allocations, 20,000 take %d", few, many)
	}
}
