package window

import (
	"math"

	"github.com/fstore-dev/fstore"
)

// The values of columns of every type, as one of the three kinds of value.

func intAt(c *fstore.Column, row int) int64 {
	if c.Type == fstore.Int32 {
		return int64(c.Int32s[row])
	}
	if c.Type == fstore.Bool {
		if c.Bools[row] {
			return 1
		}
		return 0
	}
	return c.Int64s[row]
}

func appendInt(c *fstore.Column, v int64) {
	if c.Type == fstore.Int32 {
		c.Append(int32(v))
		return
	}
	if c.Type == fstore.Bool {
		c.Append(v != 0)
		return
	}
	c.AppendInt64(v)
}

// floatAt returns a value in its one form: there is one zero and one NaN.
func floatAt(c *fstore.Column, row int) float64 {
	x := 0.0
	if c.Type == fstore.Float32 {
		x = float64(c.Float32s[row])
	} else {
		x = c.Float64s[row]
	}
	if math.IsNaN(x) {
		return math.NaN()
	}
	return x + 0 // -0 becomes 0
}

func appendFloat(c *fstore.Column, x float64) {
	if c.Type == fstore.Float32 {
		c.Append(float32(x))
		return
	}
	c.AppendFloat64(x)
}

func textAt(c *fstore.Column, row int) string {
	if c.Type == fstore.Bytes {
		return string(c.Bytes[row])
	}
	return c.Strings[row]
}

func appendText(c *fstore.Column, s string) {
	if c.Type == fstore.Bytes {
		c.Append([]byte(s))
		return
	}
	c.Append(s)
}
