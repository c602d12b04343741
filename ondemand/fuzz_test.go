package ondemand

import (
	"errors"
	"math"
	"testing"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/columntest"
)

// FuzzExpression checks that no text makes the check or the evaluation panic, and that every result has the form of a
// column.
func FuzzExpression(f *testing.F) {
	for _, fn := range functions() {
		for _, e := range fn.examples {
			f.Add(e.expression)
		}
	}
	for _, e := range []string{
		"pickup_lat > 0 ? [n, small] : null", "vec[n] + dot(vec, vec)", "split(name, '')[n]", "n % 0 == 1 || !vip", "coalesce(tags, split(name, 'a'))",
		"raw < b'\\xff' && paid < at", "hour(at, name) in [1, n]", "x == null ? y", "replace(name, name, name + name)", "f", "event(customer_orders) - at",
	} {
		f.Add(e)
	}
	f.Fuzz(func(t *testing.T, expression string) {
		for _, s := range fstore.Scalars() {
			for _, typ := range []fstore.Type{s, fstore.List(s)} {
				p, problems := Compile(shop, []Feature{{Name: "f", Type: typ, Expression: expression}})
				for _, problem := range problems {
					if problem.Line < 1 || problem.Col < 1 || problem.Message == "" {
						t.Errorf("%q: %+v", expression, problem)
					}
				}
				if p != nil {
					evaluateAnything(t, p, typ)
				}
			}
		}
	})
}

// evaluateAnything evaluates a program over columns with nulls and odd values.
func evaluateAnything(t *testing.T, p *Program, typ fstore.Type) {
	const rows = 21
	var inputs []*fstore.Column
	for _, in := range p.Inputs() {
		inputs = append(inputs, requested(t, in.Type, rows))
	}
	r, err := p.Eval(rows, inputs)
	if err != nil {
		t.Fatal(err)
	}
	c := &r.Columns[0]
	if c.Type != typ || c.Len != rows {
		t.Errorf("the result is %s with %d rows", c.Type, c.Len)
	}
	for i := range rows {
		_ = c.Value(i) // panics if a slice is short
	}
}

// requested returns a column that a request could hold, of the type itself or of another that converts to it.
func requested(t *testing.T, typ fstore.Type, rows int) *fstore.Column {
	out := oddColumn(typ, rows)
	for _, from := range columntest.Types() {
		c, err := Convert(oddColumn(from, rows), typ)
		switch {
		case err != nil && !errors.Is(err, fstore.ErrInvalid):
			t.Fatal(err)
		case err == nil && (c.Type != typ || !c.Whole()):
			t.Fatalf("%s to %s: %+v", from, typ, c)
		case err == nil:
			out = c
		}
	}
	return out
}

func oddColumn(typ fstore.Type, rows int) *fstore.Column {
	c := fstore.NewColumn("", typ, rows)
	for i := range rows {
		switch {
		case i%5 == 0:
			c.AppendNull()
		case typ.IsList():
			c.AppendList(oddValues(typ.Elem(), i%4))
		default:
			c.AppendFrom(oddValues(typ, 7), i%7)
		}
	}
	return &c
}

var nan, inf = math.NaN(), math.Inf(1)

// oddValues returns up to 7 values of a scalar type.
func oddValues(typ fstore.Type, n int) *fstore.Column {
	var all []any
	switch typ {
	case fstore.Bool:
		all = []any{true, false, true, false, true, false, true}
	case fstore.Int32:
		all = []any{int32(0), int32(1), int32(-1), int32(1<<31 - 1), int32(-1 << 31), int32(7), int32(100)}
	case fstore.Int64:
		all = []any{int64(0), int64(1), int64(-1), int64(1<<63 - 1), int64(-1 << 63), int64(7), int64(100)}
	case fstore.Float32:
		all = []any{float32(0), float32(1), float32(-1), float32(nan), float32(inf), float32(-inf), float32(0.1)}
	case fstore.Float64:
		all = []any{0.0, 1.0, -1.0, nan, inf, -inf, 1e300}
	case fstore.String:
		all = []any{"", "a", "UTC", "e\u0301", "\xff\xfe", "2011-12-09", "-7"}
	case fstore.Bytes:
		all = []any{[]byte{}, []byte("a"), []byte{0}, []byte{255}, []byte("b"), []byte("c"), []byte("d")}
	case fstore.Timestamp:
		for _, us := range []int64{0, 1, -1, 1<<63 - 1, -1 << 63, 1e15, -62135596800e6} {
			all = append(all, fstore.FromMicros(us))
		}
	}
	return column(typ, all[:n]...)
}
