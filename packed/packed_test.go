package packed

import (
	"math"
	"testing"

	"github.com/fstore-dev/fstore"
)

// A value that is read back is what was written, and bytes that are no value are refused.
func TestValuesComeBack(t *testing.T) {
	c := func(typ fstore.Type, v any) *fstore.Column {
		out := fstore.NewColumn("", typ, 1)
		out.Append(v)
		return &out
	}
	for _, want := range []*fstore.Column{
		c(fstore.String, ""), c(fstore.String, "naïve"), c(fstore.Bytes, []byte{0, 0xff}),
		c(fstore.List(fstore.Bool), []bool{true, false}), c(fstore.List(fstore.Int32), []int32{math.MinInt32}),
		c(fstore.List(fstore.Int64), []int64{}), c(fstore.List(fstore.Float32), []float32{1, float32(math.NaN())}),
		c(fstore.List(fstore.Float64), []float64{math.Inf(1), 0}), c(fstore.List(fstore.String), []string{"", "a"}),
	} {
		b := Append(nil, want, 0)
		if len(b) != Size(want, 0) {
			t.Errorf("%s: %d bytes, and the size is %d", want.Type, len(b), Size(want, 0))
		}
		got := fstore.NewColumn("", want.Type, 1)
		if !Read(&got, b) || string(got.AppendJSON(nil, 0)) != string(want.AppendJSON(nil, 0)) {
			t.Errorf("%s: %s, want %s", want.Type, got.AppendJSON(nil, 0), want.AppendJSON(nil, 0))
		}
	}
	for _, wrong := range []struct {
		typ fstore.Type
		b   []byte
	}{
		{fstore.Int64, make([]byte, 7)},
		{fstore.Bool, nil},
		{fstore.List(fstore.Int32), make([]byte, 5)},
		{fstore.List(fstore.String), []byte{2, 'a'}},
		{fstore.List(fstore.Bytes), []byte{0x80}},
	} {
		if got := fstore.NewColumn("", wrong.typ, 1); Read(&got, wrong.b) {
			t.Errorf("%s from %x: %s", wrong.typ, wrong.b, got.AppendJSON(nil, 0))
		}
	}
}
