package stats

import (
	"math"

	"github.com/fstore-dev/fstore"
)

// Norms returns the Euclidean length of each list of numbers: the square root of the sum of squares, added in order in float64. A
// null stays null. Lists of other values are not to be passed.
func Norms(c *fstore.Column) *fstore.Column {
	out := fstore.NewColumn(c.Name, fstore.Float64, c.Len)
	for i := range c.Len {
		if c.IsNull(i) {
			out.AppendNull()
			continue
		}
		out.AppendFloat64(lengthOf(c, i))
	}
	return &out
}

// lengthOf returns the Euclidean length of a list.
func lengthOf(c *fstore.Column, i int) float64 {
	sum := 0.0
	for j := int(c.Offsets[i]); j < int(c.Offsets[i+1]); j++ {
		x := numberAt(c, j)
		sum += float64(x * x) // not fused, so that every platform gives the same bits
	}
	return math.Sqrt(sum)
}

// numberAt returns a number of a list column.
func numberAt(c *fstore.Column, j int) float64 {
	switch c.Type.Elem() {
	case fstore.Int32:
		return float64(c.Int32s[j])
	case fstore.Int64:
		return float64(c.Int64s[j])
	case fstore.Float32:
		return float64(c.Float32s[j])
	case fstore.Float64:
		return c.Float64s[j]
	case fstore.Bool, fstore.String, fstore.Bytes, fstore.Timestamp: // are no numbers
	}
	return 0
}

// HasNorm reports whether values of a type are lists of numbers.
func HasNorm(t fstore.Type) bool {
	switch t.Elem() {
	case fstore.Int32, fstore.Int64, fstore.Float32, fstore.Float64:
		return t.IsList()
	case fstore.Bool, fstore.String, fstore.Bytes, fstore.Timestamp: // are no numbers
	}
	return false
}
