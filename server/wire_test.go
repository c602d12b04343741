package server

import (
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/fstore-dev/fstore"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// allTypes are the types there are.
func allTypes() (out []fstore.Type) {
	for t := fstore.Bool; t <= fstore.Timestamp; t++ {
		out = append(out, t, fstore.List(t))
	}
	return out
}

// drawColumn draws a column of a type, nulls included.
func drawColumn(t *rapid.T, typ fstore.Type, rows int) fstore.Column {
	c := fstore.NewColumn("c", typ, rows)
	for range rows {
		switch {
		case rapid.IntRange(0, 4).Draw(t, "null") == 0:
			c.AppendNull()
		case typ.IsList():
			appendDrawn(t, &c, rapid.IntRange(0, 3).Draw(t, "length"))
		default:
			appendDrawn(t, &c, 1)
		}
	}
	return c
}

func appendDrawn(t *rapid.T, c *fstore.Column, n int) {
	switch c.Type.Elem() {
	case fstore.Bool:
		appendTo(t, c, rapid.Bool(), n)
	case fstore.Int32:
		appendTo(t, c, rapid.Int32(), n)
	case fstore.Int64, fstore.Timestamp:
		appendTo(t, c, rapid.Int64(), n)
	case fstore.Float32:
		appendTo(t, c, rapid.OneOf(rapid.Float32(), rapid.Just(float32(math.NaN())), rapid.Just(float32(math.Inf(-1)))), n)
	case fstore.Float64:
		appendTo(t, c, rapid.OneOf(rapid.Float64(), rapid.Just(math.NaN()), rapid.Just(math.Inf(1))), n)
	case fstore.String:
		appendTo(t, c, rapid.String(), n)
	case fstore.Bytes:
		appendTo(t, c, rapid.SliceOf(rapid.Byte()), n)
	}
}

func appendTo[T any](t *rapid.T, c *fstore.Column, g *rapid.Generator[T], n int) {
	values := rapid.SliceOfN(g, n, n).Draw(t, "values")
	if c.Type.IsList() {
		c.Append(values)
	} else {
		c.Append(values[0])
	}
}

// printed returns a column's rows as text: NaN equals itself, and empty bytes are empty bytes.
func printed(c *fstore.Column) []string {
	out := make([]string, c.Len)
	for i := range out {
		out[i] = fmt.Sprintf("%v %q", c.IsNull(i), c.AppendJSON(nil, i))
	}
	return out
}

func TestColumnsSurviveTheWire(t *testing.T) {
	for _, typ := range allTypes() {
		t.Run(typ.String(), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				want := drawColumn(t, typ, rapid.IntRange(0, 20).Draw(t, "rows"))
				var values fstorev1.Values
				valuesOf(&values, &want)
				b, err := proto.Marshal(&fstorev1.Column{Name: "c", Values: &values, Validity: want.Valid})
				if err != nil {
					t.Fatal(err)
				}
				var m fstorev1.Column
				if err := proto.Unmarshal(b, &m); err != nil {
					t.Fatal(err)
				}
				got, err := columnFrom(m.Name, m.Values, m.Validity)
				if err != nil {
					t.Fatal(err)
				}
				if got.Type != want.Type || got.Len != want.Len || got.Name != "c" {
					t.Fatalf("got %s %s with %d rows, want %s with %d", got.Name, got.Type, got.Len, want.Type, want.Len)
				}
				if diff := cmp.Diff(printed(&want), printed(&got)); diff != "" {
					t.Fatal(diff)
				}
			})
		})
	}
}

func TestColumnSharesTheMessagesValues(t *testing.T) {
	m := int64s("k", 1, 2, 3)
	c, err := columnFrom(m.Name, m.Values, m.Validity)
	if err != nil {
		t.Fatal(err)
	}
	if &c.Int64s[0] != &m.Values.GetInt64Values().Values[0] {
		t.Error("the values were copied")
	}
	var back fstorev1.Values
	valuesOf(&back, &c)
	if &c.Int64s[0] != &back.GetInt64Values().Values[0] {
		t.Error("the values were copied on the way back")
	}
}

func TestBadColumns(t *testing.T) {
	floats := &fstorev1.Values{Kind: &fstorev1.Values_Float32Values{Float32Values: &fstorev1.Float32Values{Values: []float32{1, 2}}}}
	lists := func(elements *fstorev1.Values, offsets ...int32) *fstorev1.Values {
		return &fstorev1.Values{Kind: &fstorev1.Values_ListValues{ListValues: &fstorev1.ListValues{Offsets: offsets, Elements: elements}}}
	}
	for _, c := range []struct {
		name, want string
		values     *fstorev1.Values
		validity   []byte
	}{
		{"no values", `column "k": it has no values set`, nil, nil},
		{"no kind", `column "k": it has no values set`, &fstorev1.Values{}, nil},
		{"short validity", `column "k": its validity has 1 bytes, want 2 for 9 rows`, int64s("", 1, 2, 3, 4, 5, 6, 7, 8, 9).Values, []byte{1}},
		{"long validity", `column "k": its validity has 9 bytes, want 1 for 2 rows`, floats, make([]byte, 9)},
		{"lists of lists", `column "k": its lists have no elements set`, lists(lists(floats, 0, 2), 0, 1), nil},
		{"lists without elements", `column "k": its lists have no elements set`, lists(nil, 0), nil},
		{"no offsets", `column "k": offset 0 of its lists is wrong`, lists(floats), nil},
		{"first offset", `column "k": offset 0 of its lists is wrong`, lists(floats, 1, 2), nil},
		{"falling offsets", `column "k": offset 2 of its lists is wrong`, lists(floats, 0, 2, 1, 2), nil},
		{"offsets beyond the elements", `column "k": offset 1 of its lists is wrong`, lists(floats, 0, 3), nil},
		{"negative offset", `column "k": offset 0 of its lists is wrong`, lists(floats, -1, 2), nil},
		{"elements beyond the offsets", `column "k": offset 2 of its lists is wrong`, lists(floats, 0, 1), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := columnFrom("k", c.values, c.validity)
			wantRefusal(t, err, fstore.ErrInvalid, c.want)
		})
	}
}
