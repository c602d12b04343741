package duckdb_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"weak"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/duckdb"
)

// takesNumbers returns a function of one int64, of which it gives one.
func takesNumbers(call func(rows int, args []fstore.Column) ([]fstore.Column, error)) *duckdb.Function {
	return &duckdb.Function{Name: "f", Takes: []fstore.Type{fstore.Int64}, Gives: []fstore.Type{fstore.Int64}, Call: call}
}

// run returns the error of a query.
func run(t *testing.T, c *duckdb.Conn, sql string) error {
	t.Helper()
	r, err := c.Query(t.Context(), sql)
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		if b, err := r.Next(); err != nil || b == nil {
			return err
		}
	}
}

// An error, a panic and a result that is not as declared end the query. The connection can be used afterwards.
func TestAFunctionThatFailsEndsTheQuery(t *testing.T) {
	late := func(fail func() ([]fstore.Column, error)) func(int, []fstore.Column) ([]fstore.Column, error) {
		return func(_ int, args []fstore.Column) ([]fstore.Column, error) {
			if slices.Contains(args[0].Int64s, 7000) {
				return fail()
			}
			return args, nil
		}
	}
	for _, c := range []struct {
		name, want string
		fail       func() ([]fstore.Column, error)
	}{
		{"error", "seven thousand is too many", func() ([]fstore.Column, error) { return nil, errors.New("seven thousand is too many") }},
		{"panic", "the function f panicked: seven", func() ([]fstore.Column, error) { panic("seven") }},
		{"runtime_error", "the function f panicked: runtime error: slice bounds out of range", func() ([]fstore.Column, error) { return []fstore.Column{}[len(t.Name()):], nil }},
		{"no_columns", "the function f panicked: runtime error: index out of range", func() ([]fstore.Column, error) { return nil, nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := connect(t)
			if err := conn.Define(takesNumbers(late(c.fail))); err != nil {
				t.Fatal(err)
			}
			if err := run(t, conn, "SELECT f(i).c0 FROM range(10000) t(i)"); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if got := rows(t, conn, "SELECT f(i).c0 FROM range(2) t(i)"); !cmp.Equal(got, [][]any{{int64(0)}, {int64(1)}}) {
				t.Errorf("afterwards: %v", got)
			}
		})
	}
}

// Threads call a function at the same time, once for each row, and the rows come out in their order.
func TestThreadsCallAFunctionOnceForEachRow(t *testing.T) {
	conn := connect(t)
	const all = 500_000
	var mu sync.Mutex
	seen := make([]int, all)
	if err := conn.Define(takesNumbers(func(n int, args []fstore.Column) ([]fstore.Column, error) {
		out := fstore.Column{Type: fstore.Int64, Len: n}
		for _, i := range args[0].Int64s {
			out.Int64s = append(out.Int64s, 3*i)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, i := range args[0].Int64s {
			seen[i]++
		}
		return []fstore.Column{out}, nil
	})); err != nil {
		t.Fatal(err)
	}
	if err := conn.Exec(t.Context(), "CREATE TABLE n AS SELECT i FROM range(500000) t(i)"); err != nil {
		t.Fatal(err)
	}
	// A result that is read twice is computed once.
	if err := conn.Exec(t.Context(), "CREATE TABLE out AS SELECT i, r.c0 AS a, r.c0 + 1 AS b FROM (SELECT i, f(i) AS r FROM n)"); err != nil {
		t.Fatal(err)
	}
	got := rows(t, conn, "SELECT count(*), count(*) FILTER (WHERE a = 3 * i AND b = a + 1), bool_and(i = rowid) FROM out")
	if !cmp.Equal(got, [][]any{{int64(all), int64(all), true}}) {
		t.Errorf("got %v", got)
	}
	for i, n := range seen {
		if n != 1 {
			t.Fatalf("row %d was computed %d times", i, n)
		}
	}
}

// Rows of the same arguments are computed each, and so are rows of nulls.
func TestAFunctionIsCalledForConstantsAndNulls(t *testing.T) {
	conn := connect(t)
	var last atomic.Int64
	if err := conn.Define(takesNumbers(func(n int, _ []fstore.Column) ([]fstore.Column, error) {
		out := fstore.Column{Type: fstore.Int64, Len: n}
		for range n {
			out.Int64s = append(out.Int64s, last.Add(1))
		}
		return []fstore.Column{out}, nil
	})); err != nil {
		t.Fatal(err)
	}
	for _, arg := range []string{"1", "NULL"} {
		if got := rows(t, conn, "SELECT count(DISTINCT r.c0) FROM (SELECT f("+arg+") AS r FROM range(5000))"); !cmp.Equal(got, [][]any{{int64(5000)}}) {
			t.Errorf("f(%s) gives %v values", arg, got)
		}
	}
}

// Values of every type pass through a function as they are, in whatever order the engine holds them.
func TestEveryTypePassesThroughAFunction(t *testing.T) {
	db, conn := open(t)
	f := &duckdb.Function{Name: "same", Call: func(_ int, args []fstore.Column) ([]fstore.Column, error) { return args, nil }}
	var declared, args, results []string
	var columns []fstore.Column
	for scalar := fstore.Bool; scalar <= fstore.Timestamp; scalar++ {
		for _, typ := range []fstore.Type{scalar, fstore.List(scalar)} {
			c := fstore.NewColumn("", typ, 0)
			for row := range 5000 {
				appendTestValue(&c, typ, row)
			}
			name := fmt.Sprint("a", len(columns))
			declared, args = append(declared, name+" "+engineTypes[scalar]+map[bool]string{true: "[]"}[typ.IsList()]), append(args, name)
			results = append(results, fmt.Sprint("r.c", len(columns)))
			f.Takes, f.Gives, columns = append(f.Takes, typ), append(f.Gives, typ), append(columns, c)
		}
	}
	if err := conn.Define(f); err != nil {
		t.Fatal(err)
	}
	if err := conn.Exec(t.Context(), "CREATE TABLE t ("+strings.Join(declared, ", ")+")"); err != nil {
		t.Fatal(err)
	}
	a, err := db.Appender("t", f.Takes)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(a.Append(columns), a.Close()); err != nil {
		t.Fatal(err)
	}
	for _, order := range []string{"rowid", "rowid DESC"} {
		want := rows(t, conn, "SELECT * FROM t ORDER BY "+order)
		got := rows(t, conn, "SELECT "+strings.Join(results, ", ")+" FROM (SELECT same("+strings.Join(args, ", ")+") AS r FROM (FROM t ORDER BY "+order+"))")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("by %s (-is +passed)\n%.2000s", order, diff)
		}
	}
}

// A database that is closed keeps nothing of its functions.
func TestAClosedDatabaseReleasesItsFunctions(t *testing.T) {
	db, err := duckdb.Open(duckdb.Config{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f := takesNumbers(func(_ int, args []fstore.Column) ([]fstore.Column, error) { return args, nil })
	held := weak.Make(f)
	if err := errors.Join(conn.Define(f), run(t, conn, "SELECT f(1).c0")); err != nil {
		t.Fatal(err)
	}
	if runtime.GC(); held.Value() == nil {
		t.Error("the function is gone while the database is open")
	}
	conn.Close()
	db.Close()
	if runtime.GC(); held.Value() != nil {
		t.Error("the function is still there")
	}
}
