package stats

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/fstore-dev/fstore"
)

// lists returns a column of lists.
func lists(values ...[]float64) *fstore.Column {
	c := fstore.NewColumn("l", fstore.List(fstore.Float64), len(values))
	for _, v := range values {
		if v == nil {
			c.AppendNull()
			continue
		}
		c.Append(v)
	}
	return &c
}

// The centroid is the mean direction, of length 1, and lists of its direction have a cosine of 1, whatever their lengths.
func TestTheCentroidIsTheMeanDirection(t *testing.T) {
	var d Direction
	c := lists([]float64{3, 0}, nil, []float64{0, 0.1}, []float64{0, 0})
	d.Add(c)
	half := math.Sqrt(0.5)
	centroid := d.Centroid()
	if len(centroid) != 2 || math.Abs(float64(centroid[0])-half) > 1e-7 || math.Abs(float64(centroid[1])-half) > 1e-7 {
		t.Fatal(centroid)
	}
	got := Cosines(lists([]float64{5, 5}, []float64{-1, -1}, []float64{1, -1}, []float64{0, 0}, nil, []float64{1, 1, 1}, []float64{math.NaN(), 1}, []float64{math.Inf(1), 1}), centroid)
	for i, want := range []float64{1, -1, 0} {
		if got.IsNull(i) || math.Abs(got.Float64s[i]-want) > 1e-7 {
			t.Errorf("list %d has cosine %v, want %v", i, got.Float64s[i], want)
		}
	}
	for i := 3; i < got.Len; i++ {
		if !got.IsNull(i) {
			t.Errorf("list %d has cosine %v", i, got.Float64s[i])
		}
	}
}

// Lists of different lengths, too long ones, and lists that cancel out have no centroid.
func TestSomeListsHaveNoCentroid(t *testing.T) {
	for name, c := range map[string]*fstore.Column{
		"none": lists(), "nulls": lists(nil), "empty": lists([]float64{}), "zeros": lists([]float64{0, 0}),
		"uneven": lists([]float64{1}, []float64{1, 2}), "long": lists(make([]float64, MaxCentroid+1)), "opposite": lists([]float64{2}, []float64{-3}),
	} {
		var d Direction
		d.Add(c)
		if got := d.Centroid(); got != nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A cosine is between -1 and 1 and does not depend on lengths.
func TestCosinesAreOfDirections(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		one := rapid.SliceOfN(rapid.Float64Range(-1e100, 1e100), 3, 3).Draw(t, "list")
		centroid := []float32{1, 2, 3}
		scaled := []float64{one[0] * 4, one[1] * 4, one[2] * 4}
		c := Cosines(lists(one, scaled), centroid)
		if c.IsNull(0) {
			return
		}
		if x := c.Float64s[0]; !(x >= -1 && x <= 1) || math.Abs(x-c.Float64s[1]) > 1e-12 {
			t.Errorf("%v and %v", x, c.Float64s[1])
		}
	})
}
