package duckdb_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore/offline/duckdb"
)

func connect(t *testing.T) *duckdb.Conn {
	t.Helper()
	_, c := open(t)
	return c
}

func open(t *testing.T) (*duckdb.DB, *duckdb.Conn) {
	t.Helper()
	db, err := duckdb.Open(duckdb.Config{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	c, err := db.Connect(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		db.Close()
	})
	return db, c
}

// rows returns all rows of a query, boxed.
func rows(t *testing.T, c *duckdb.Conn, sql string) [][]any {
	t.Helper()
	r, err := c.Query(context.Background(), sql)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var out [][]any
	for {
		b, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if b == nil {
			return out
		}
		for i := range b.Len {
			var row []any
			for k := range b.Columns {
				row = append(row, b.Columns[k].Value(i))
			}
			out = append(out, row)
		}
	}
}

func TestEveryTypeIsReadWithItsNulls(t *testing.T) {
	c := connect(t)
	got := rows(t, c, `
		SELECT * FROM (VALUES
			(true, 1::INTEGER, 9007199254740993::BIGINT, 1.5::FLOAT, 'inf'::DOUBLE, 'short', 'a\x00b'::BLOB, TIMESTAMP '1969-12-31 23:59:59.999999'),
			(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
			(false, -1, -9223372036854775808, -2.5, 'nan', 'a string that is longer than twelve bytes: ü', ''::BLOB, TIMESTAMP '2011-12-09 12:50:00'))`)
	if nan, ok := got[2][4].(float64); !ok || !math.IsNaN(nan) {
		t.Errorf("got %v, want NaN", got[2][4])
	}
	got[2][4] = "nan"
	want := [][]any{
		{true, int32(1), int64(9007199254740993), float32(1.5), math.Inf(1), "short", []byte("a\x00b"), time.UnixMicro(-1).UTC()},
		{nil, nil, nil, nil, nil, nil, nil, nil},
		{false, int32(-1), int64(math.MinInt64), float32(-2.5), "nan", "a string that is longer than twelve bytes: ü", []byte{}, time.Date(2011, 12, 9, 12, 50, 0, 0, time.UTC)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestListsAreReadInRowOrderWhateverOrderDuckDBHoldsThemIn(t *testing.T) {
	c := connect(t)
	got := rows(t, c, `
		SELECT l, s
		FROM (VALUES (1, [1.5::FLOAT, 2], ['x', 'a longer string than that']), (2, NULL, []), (3, []::FLOAT[], NULL), (4, [4], ['ü'])) t(i, l, s)
		ORDER BY i DESC`)
	want := [][]any{
		{[]float32{4}, []string{"ü"}},
		{[]float32{}, nil},
		{nil, []string{}},
		{[]float32{1.5, 2}, []string{"x", "a longer string than that"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestManyRowsStream(t *testing.T) {
	c := connect(t)
	r, err := c.Query(context.Background(), "SELECT i, i::VARCHAR FROM range(100000) t(i)")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	n := 0
	for {
		b, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if b == nil {
			break
		}
		n += b.Len
	}
	if n != 100000 {
		t.Errorf("got %d rows", n)
	}
}

func TestErrorsSayWhere(t *testing.T) {
	c := connect(t)
	for sql, at := range map[string]string{
		"selec 1": "selec",
		"SELECT 'äöü', nonexist FROM range(3)": "nonexist",
		"SELECT 'äöü' FROM nowhere":            "nowhere",
	} {
		err := c.Exec(context.Background(), sql)
		var e *duckdb.Error
		if !errors.As(err, &e) {
			t.Fatalf("%s: got %v", sql, err)
		}
		if want := strings.Index(sql, at); e.Offset != want {
			t.Errorf("%s: offset %d, want %d (%v)", sql, e.Offset, want, err)
		}
	}
}

func TestCancelEndsAQuery(t *testing.T) {
	c := connect(t)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	err := c.Exec(ctx, "SELECT count(*) FROM range(10000000000) a, range(1000) b WHERE a.range * b.range = -1")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if got := rows(t, c, "SELECT 1"); len(got) != 1 {
		t.Error("the connection cannot be used any more")
	}
}

func TestNothingIsDownloaded(t *testing.T) {
	c := connect(t)
	if err := c.Exec(context.Background(), "SELECT * FROM 's3://bucket/x.parquet'"); err == nil {
		t.Error("an extension was loaded")
	}
}
