package stats

import (
	"math"

	"github.com/fstore-dev/fstore"
)

// MaxCentroid is the most numbers of lists that have a centroid, which a lock holds.
const MaxCentroid = 4096

// Direction adds up lists of numbers, each divided by its Euclidean length. The zero value is ready.
type Direction struct {
	sum    []float64
	uneven bool // lists have different lengths, or too many numbers
}

// Add adds the lists of a column, in order. Nulls, and lists without a direction, do not count.
func (d *Direction) Add(c *fstore.Column) {
	for i := range c.Len {
		size := int(c.Offsets[i+1] - c.Offsets[i])
		if c.IsNull(i) || d.uneven {
			continue
		}
		if d.sum == nil && size <= MaxCentroid {
			d.sum = make([]float64, size)
		}
		if d.uneven = size != len(d.sum); d.uneven {
			return
		}
		if length := lengthOf(c, i); hasDirection(length) {
			for j := range d.sum {
				d.sum[j] += numberAt(c, int(c.Offsets[i])+j) / length
			}
		}
	}
}

// Centroid returns the direction of all lists together, as a list of length 1; nil if there is none, or if lists have different lengths.
func (d *Direction) Centroid() []float32 {
	squares := 0.0
	for _, x := range d.sum {
		squares += float64(x * x)
	}
	length := math.Sqrt(squares)
	if d.uneven || !hasDirection(length) {
		return nil
	}
	out := make([]float32, len(d.sum))
	for i, x := range d.sum {
		out[i] = float32(x / length)
	}
	return out
}

// Cosines returns the cosine of the angle of each list to a centroid. It is null for a null, for a list of another length, and for one
// without a direction.
func Cosines(c *fstore.Column, centroid []float32) *fstore.Column {
	out := fstore.NewColumn(c.Name, fstore.Float64, c.Len)
	squares := 0.0
	for _, x := range centroid {
		squares += float64(float64(x) * float64(x))
	}
	for i := range c.Len {
		length := 0.0
		if !c.IsNull(i) && int(c.Offsets[i+1]-c.Offsets[i]) == len(centroid) {
			length = lengthOf(c, i) * math.Sqrt(squares)
		}
		if !hasDirection(length) {
			out.AppendNull()
			continue
		}
		product := 0.0
		for j, x := range centroid {
			product += float64(numberAt(c, int(c.Offsets[i])+j) * float64(x)) // not fused, so that every platform gives the same bits
		}
		out.AppendFloat64(min(max(product/length, -1), 1))
	}
	return &out
}

// hasDirection reports whether a list of a length has a direction: it is not 0, infinite or NaN.
func hasDirection(length float64) bool { return length > 0 && !math.IsInf(length, 0) }
