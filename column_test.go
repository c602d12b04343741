package fstore_test

import (
	"bytes"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var scalars = []fstore.Type{fstore.Bool, fstore.Int32, fstore.Int64, fstore.Float32, fstore.Float64, fstore.String, fstore.Bytes, fstore.Timestamp}

func drawType(t *rapid.T) fstore.Type {
	typ := rapid.SampledFrom(scalars).Draw(t, "type")
	if rapid.Bool().Draw(t, "list") {
		return fstore.List(typ)
	}
	return typ
}

// drawScalar draws a value as Column.Value returns it.
func drawScalar(t *rapid.T, typ fstore.Type) any {
	switch typ {
	case fstore.Bool:
		return rapid.Bool().Draw(t, "v")
	case fstore.Int32:
		return rapid.Int32().Draw(t, "v")
	case fstore.Int64:
		return rapid.Int64().Draw(t, "v")
	case fstore.Float32:
		return rapid.OneOf(rapid.Float32(), rapid.SampledFrom([]float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 1e-45, math.MaxFloat32})).Draw(t, "v") + 0
	case fstore.Float64:
		return rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1), 5e-324, math.MaxFloat64, 1e21, 1e-7})).Draw(t, "v") + 0
	case fstore.String:
		return rapid.String().Draw(t, "v")
	case fstore.Bytes:
		return append([]byte{}, rapid.SliceOf(rapid.Byte()).Draw(t, "v")...)
	case fstore.Timestamp: // below
	}
	// years 0001 to 9999: what RFC 3339 can write
	return fstore.FromMicros(rapid.Int64Range(-62135596800000000, 253402300799999999).Draw(t, "v"))
}

// drawRow appends a drawn value, or a null, to a column.
func drawRow(t *rapid.T, c *fstore.Column) {
	if rapid.IntRange(0, 3).Draw(t, "null") == 0 {
		c.AppendNull()
		return
	}
	if !c.Type.IsList() {
		c.Append(drawScalar(t, c.Type))
		return
	}
	elems := fstore.NewColumn("", c.Type.Elem(), 0)
	n := rapid.IntRange(0, 4).Draw(t, "n")
	for range n {
		elems.Append(drawScalar(t, c.Type.Elem()))
	}
	elems.Type, elems.Len, elems.Offsets = c.Type, 1, []int32{0, int32(n)}
	c.AppendFrom(&elems, 0)
}

func drawColumn(t *rapid.T) *fstore.Column {
	c := fstore.NewColumn("c", drawType(t), 0)
	for range rapid.IntRange(0, 20).Draw(t, "rows") {
		drawRow(t, &c)
	}
	return &c
}

// cells shows the rows of a column, nulls told from empty values.
func cells(c *fstore.Column) (out []string) {
	for i := range c.Len {
		out = append(out, fmt.Sprintf("%T %#v", c.Value(i), c.Value(i)))
	}
	return out
}

func same(t interface {
	Helper()
	Fatalf(string, ...any)
}, got, want any,
) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("-want +got:\n%s", d)
	}
}

func TestAColumnCopiedRowByRowIsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawColumn(t)
		copied := fstore.NewColumn("c", c.Type, 0)
		for i := range c.Len {
			copied.AppendFrom(c, i)
		}
		same(t, cells(&copied), cells(c))
	})
}

func TestAColumnOfBoxedValuesHoldsThem(t *testing.T) {
	at := fstore.FromMicros(1)
	for _, c := range []struct {
		typ    fstore.Type
		values []any
	}{
		{fstore.Bool, []any{true, nil, false}},
		{fstore.Int32, []any{int32(-1), nil}},
		{fstore.Int64, []any{nil, int64(1<<53 + 1)}},
		{fstore.Float32, []any{float32(1.5), nil}},
		{fstore.Float64, []any{nil, 0.1}},
		{fstore.String, []any{"", nil, "s"}},
		{fstore.Bytes, []any{[]byte{}, nil, []byte{0}}},
		{fstore.Timestamp, []any{at, nil}},
		{fstore.List(fstore.Bool), []any{[]bool{true}, nil, []bool{}}},
		{fstore.List(fstore.Int32), []any{nil, []int32{1, 2}}},
		{fstore.List(fstore.Int64), []any{[]int64{}, []int64{1}, nil}},
		{fstore.List(fstore.Float32), []any{[]float32{1}, nil}},
		{fstore.List(fstore.Float64), []any{[]float64{1}, nil, []float64{2, 3}}},
		{fstore.List(fstore.String), []any{[]string{""}, nil, []string{"a", "b"}}},
		{fstore.List(fstore.Bytes), []any{[][]byte{{}, {1}}, nil}},
		{fstore.List(fstore.Timestamp), []any{[]time.Time{at, at}, nil, []time.Time{}}},
	} {
		col := fstore.NewColumn("c", c.typ, 0)
		for _, v := range c.values {
			col.Append(v)
		}
		var got []any
		for i := range col.Len {
			got = append(got, col.Value(i))
		}
		if d := cmp.Diff(c.values, got); d != "" {
			t.Errorf("%s: -want +got:\n%s", c.typ, d)
		}
	}
}

func TestValidityIsKeptAcrossBytesOfTheBitmap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.Bool(), 0, 40).Draw(t, "valid")
		c := fstore.NewColumn("c", fstore.Int64, 0)
		for _, valid := range want {
			if valid {
				c.Append(int64(1))
			} else {
				c.AppendNull()
			}
		}
		for i, valid := range want {
			if c.IsNull(i) == valid {
				t.Fatalf("row %d of %v", i, want)
			}
		}
		if c.Valid != nil && len(c.Valid) != (len(want)+7)/8 {
			t.Fatalf("%d bytes for %d rows", len(c.Valid), len(want))
		}
	})
}

func TestABitmapBeginsFullAndHasNoBitsBeyondItsRows(t *testing.T) {
	for n := range 20 {
		b := fstore.NewBitmap(n)
		set := 0
		for i := range 8 * len(b) {
			if b.Get(i) {
				set++
			}
		}
		if set != n {
			t.Errorf("%d rows: %d bits", n, set)
		}
		if n > 0 {
			if b.Clear(n - 1); b.Get(n - 1) {
				t.Errorf("%d rows: the last is still there", n)
			}
			if b.Set(n - 1); !b.Get(n - 1) {
				t.Errorf("%d rows: the last is not there", n)
			}
		}
	}
}

func TestTypesAreWrittenAndRead(t *testing.T) {
	for _, typ := range scalars {
		for _, typ := range []fstore.Type{typ, fstore.List(typ)} {
			b, err := typ.MarshalText()
			if err != nil {
				t.Fatal(err)
			}
			var got fstore.Type
			if err := got.UnmarshalText(b); err != nil || got != typ {
				t.Errorf("%s: got %s, %v", b, got, err)
			}
		}
	}
	for _, s := range []string{"", "int", "INT64", "list<int64", "list<list<int64>>", "list<>", "invalid", "list<invalid>"} {
		if got, err := fstore.ParseType(s); err == nil {
			t.Errorf("%q: got %s", s, got)
		}
	}
	if _, err := fstore.Invalid.MarshalText(); err == nil {
		t.Error("the invalid type was written")
	}
}

func TestBatchColumnByName(t *testing.T) {
	b := fstore.Batch{Columns: []fstore.Column{{Name: "a"}, {Name: "b", Bytes: [][]byte{bytes.Repeat([]byte("x"), 3)}}}}
	if c := b.Column("b"); c != &b.Columns[1] {
		t.Errorf("got %v", c)
	}
	if c := b.Column("c"); c != nil {
		t.Errorf("got %v", c)
	}
}

func TestNullsAreCounted(t *testing.T) {
	for n := range 40 {
		c, want := fstore.NewColumn("x", fstore.Int64, n), 0
		for i := range n {
			if i%3 == 1 {
				c.AppendNull()
				want++
			} else {
				c.AppendInt64(int64(i))
			}
		}
		if got := c.Nulls(); got != want {
			t.Errorf("of %d rows: got %d, want %d", n, got, want)
		}
		if len(c.Valid) > 0 && n%8 > 0 {
			c.Valid[n/8] = ^c.Valid[n/8]&^(1<<(n%8)-1) | c.Valid[n/8]&(1<<(n%8)-1) // bits beyond the rows mean nothing
			if got := c.Nulls(); got != want {
				t.Errorf("of %d rows, with bits beyond: got %d, want %d", n, got, want)
			}
		}
	}
}
