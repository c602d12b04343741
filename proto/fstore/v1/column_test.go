package fstorev1_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/alloctest"
	"github.com/fstore-dev/fstore/internal/columntest"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

func TestColumnsSurviveTheWire(t *testing.T) {
	for _, typ := range columntest.Types() {
		t.Run(typ.String(), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				want := columntest.Draw(t, typ, rapid.IntRange(0, 20).Draw(t, "rows"))
				b, err := proto.Marshal(fstorev1.NewColumn(&want))
				if err != nil {
					t.Fatal(err)
				}
				var m fstorev1.Column
				if err := proto.Unmarshal(b, &m); err != nil {
					t.Fatal(err)
				}
				same(t, &m, &want)
				if len(m.Offsets) == 0 && want.Len > 0 {
					m.Type = "" // the field of the values tells it
					same(t, &m, &want)
				}
			})
		})
	}
}

// same fails unless a message holds a column.
func same(t *rapid.T, m *fstorev1.Column, want *fstore.Column) {
	got, err := fstorev1.ColumnOf(m)
	if err != nil {
		t.Fatal(err)
	}
	if got.Type != want.Type || got.Len != want.Len || got.Name != want.Name {
		t.Fatalf("got %s %s with %d rows, want %s with %d", got.Name, got.Type, got.Len, want.Type, want.Len)
	}
	if diff := cmp.Diff(columntest.Rows(want), columntest.Rows(&got)); diff != "" {
		t.Fatal(diff)
	}
}

func TestColumnSharesTheMessagesValues(t *testing.T) {
	m := &fstorev1.Column{Name: "k", Int64Values: []int64{1, 2, 3}}
	c, err := fstorev1.ColumnOf(m)
	if err != nil {
		t.Fatal(err)
	}
	if &c.Int64s[0] != &m.Int64Values[0] {
		t.Error("the values were copied")
	}
	if back := fstorev1.NewColumn(&c); &c.Int64s[0] != &back.Int64Values[0] {
		t.Error("the values were copied on the way back")
	}
}

// A null row has the zero value on the wire, so that values[i] is the value of row i, whatever the type.
func TestNullsAreZeroValuesOnTheWire(t *testing.T) {
	c := fstore.NewColumn("c", fstore.Int64, 3)
	for _, v := range []any{int64(7), nil, int64(9)} {
		c.Append(v)
	}
	lists := fstore.NewColumn("l", fstore.List(fstore.String), 3)
	for _, v := range []any{[]string{"a", ""}, nil, []string{}} {
		lists.Append(v)
	}
	for _, test := range []struct {
		column *fstore.Column
		want   *fstorev1.Column
	}{
		{&c, &fstorev1.Column{Name: "c", Type: "int64", Int64Values: []int64{7, 0, 9}, Validity: []byte{0b101}}},
		{&lists, &fstorev1.Column{
			Name: "l", Type: "list<string>", StringValues: []string{"a", ""}, Offsets: []int32{0, 2, 2, 2}, Validity: []byte{0b101},
		}},
	} {
		if got := fstorev1.NewColumn(test.column); !proto.Equal(got, test.want) {
			t.Errorf("got %v, want %v", got, test.want)
		}
	}
}

func TestBadColumns(t *testing.T) {
	type column = fstorev1.Column
	floats := []float32{1, 2}
	for _, c := range []struct {
		name, want string
		m          *column
	}{
		{"nothing", "it has no values set", &column{}},
		{"offsets alone", "it has no values set", &column{Offsets: []int32{0}}},
		{"validity alone", "it has no values set", &column{Validity: []byte{1}}},
		{"two types", "it has values of more than one type", &column{Int64Values: []int64{1}, StringValues: []string{"a"}}},
		{"two types that share a slice", "it has values of more than one type", &column{Int64Values: []int64{1}, TimestampValues: []int64{1}}},
		{"an unknown type", `unknown type "decimal"`, &column{Type: "decimal", Int64Values: []int64{1}}},
		{"another type", "its type is int64 and its values are timestamp_values", &column{Type: "int64", TimestampValues: []int64{1}}},
		{"another type of elements", "its type is list<int64> and its values are float32_values", &column{Type: "list<int64>", Float32Values: floats, Offsets: []int32{0, 2}}},
		{"a list type without offsets", "its type is list<float32> and it has 0 offsets", &column{Type: "list<float32>", Float32Values: floats}},
		{"offsets of another type", "its type is float32 and it has 2 offsets", &column{Type: "float32", Float32Values: floats, Offsets: []int32{0, 2}}},
		{"short validity", "its validity has 1 bytes, want 2 for 9 rows", &column{Int64Values: make([]int64, 9), Validity: []byte{1}}},
		{"long validity", "its validity has 9 bytes, want 1 for 2 rows", &column{Float32Values: floats, Validity: make([]byte, 9)}},
		{"validity of no rows", "its validity has 1 bytes, want 0 for 0 rows", &column{Type: "string", Validity: []byte{0}}},
		{"validity of elements", "its validity has 2 bytes, want 1 for 1 rows", &column{Int64Values: make([]int64, 9), Offsets: []int32{0, 9}, Validity: []byte{1, 1}}},
		{"first offset", "offset 0 of its lists is wrong", &column{Float32Values: floats, Offsets: []int32{1, 2}}},
		{"falling offsets", "offset 2 of its lists is wrong", &column{Float32Values: floats, Offsets: []int32{0, 2, 1, 2}}},
		{"offsets beyond the elements", "offset 1 of its lists is wrong", &column{Float32Values: floats, Offsets: []int32{0, 3}}},
		{"offsets of no elements", "offset 1 of its lists is wrong", &column{Type: "list<string>", Offsets: []int32{0, math.MaxInt32}}},
		{"negative offset", "offset 0 of its lists is wrong", &column{Float32Values: floats, Offsets: []int32{-1, 2}}},
		{"elements beyond the offsets", "offset 2 of its lists is wrong", &column{Float32Values: floats, Offsets: []int32{0, 1}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.m.Name = "k"
			_, err := fstorev1.ColumnOf(c.m)
			if want := `column "k": ` + c.want; !errors.Is(err, fstore.ErrInvalid) || !strings.HasPrefix(err.Error(), want+" (") {
				t.Errorf("got %v, want %s and a hint", err, want)
			}
		})
	}
}

// FuzzColumn holds that no message makes ColumnOf panic or allocate, that what it takes is whole, and that it is the
// same after another way over the wire.
func FuzzColumn(f *testing.F) {
	for _, c := range []*fstorev1.Column{
		{},
		{Type: "int64"},
		{Name: "k", Int64Values: []int64{1, -2, math.MaxInt64}},
		{Name: "s", StringValues: []string{"a", ""}, Validity: []byte{1}},
		{Name: "t", TimestampValues: []int64{1 << 50, 0}},
		{Name: "b", BytesValues: [][]byte{[]byte("b"), {}}},
		{Name: "o", BoolValues: []bool{true, false}},
		{Name: "i", Int32Values: []int32{1, -1}, Float64Values: []float64{1}},
		{Type: "list<bytes>", BytesValues: [][]byte{{1}}, Offsets: []int32{0, 1}},
		{Float64Values: []float64{math.NaN(), -0.5}, Offsets: []int32{0, 2, 2}, Validity: []byte{0xff}},
		{Int64Values: []int64{1}, Offsets: []int32{0, math.MaxInt32}},
	} {
		b, err := proto.Marshal(c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var m fstorev1.Column
		if proto.Unmarshal(b, &m) != nil {
			return
		}
		var c fstore.Column
		var err error
		alloctest.AtMost(t, 8*len(b), func() { c, err = fstorev1.ColumnOf(&m) })
		if err != nil {
			if !errors.Is(err, fstore.ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		sent, err := proto.Marshal(fstorev1.NewColumn(&c))
		if err != nil {
			t.Fatal(err)
		}
		var again fstorev1.Column
		if err := proto.Unmarshal(sent, &again); err != nil {
			t.Fatal(err)
		}
		back, err := fstorev1.ColumnOf(&again)
		if err != nil {
			t.Fatal(err)
		}
		if back.Name != c.Name || back.Type != c.Type || back.Len != c.Len {
			t.Fatalf("%s %s of %d rows became %s %s of %d", c.Name, c.Type, c.Len, back.Name, back.Type, back.Len)
		}
		if diff := cmp.Diff(columntest.Rows(&c), columntest.Rows(&back)); diff != "" {
			t.Fatal(diff)
		}
	})
}
