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
		sum := 0.0
		for j := c.Offsets[i]; j < c.Offsets[i+1]; j++ {
			x := 0.0
			switch c.Type.Elem() {
			case fstore.Int32:
				x = float64(c.Int32s[j])
			case fstore.Int64:
				x = float64(c.Int64s[j])
			case fstore.Float32:
				x = float64(c.Float32s[j])
			case fstore.Float64:
				x = c.Float64s[j]
			case fstore.Bool, fstore.String, fstore.Bytes, fstore.Timestamp: // are no numbers
			}
			sum += float64(x * x) // not fused, so that every platform gives the same bits
		}
		out.AppendFloat64(math.Sqrt(sum))
	}
	return &out
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
