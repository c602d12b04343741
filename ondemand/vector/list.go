package vector

import "math"

// Size counts the elements of a list.
func Size(c *Call) {
	offsets, out := c.Args[0].Offsets[:c.N+1], c.Out.IntsFor(c.N)
	for i := range out {
		out[i] = int64(offsets[i+1] - offsets[i])
	}
}

// Index returns a kernel that takes the element at a position, from 0.
func Index[T any](values func(*Vector) []T, memory func(*Vector, int) []T) Kernel {
	return func(c *Call) {
		var zero T
		offsets, elements, at, out := c.Args[0].Offsets, values(c.Args[0]), c.Args[1].Ints[:c.N], memory(c.Out, c.N)
		for i := range out {
			if out[i] = zero; at[i] < 0 || at[i] >= int64(offsets[i+1]-offsets[i]) {
				c.Fail(i, OutOfBounds)
				continue
			}
			out[i] = elements[int64(offsets[i])+at[i]]
		}
	}
}

// Contains returns a kernel that looks for the first operand in the second, a list.
func Contains(s Storage) Kernel {
	return func(c *Call) {
		x, list, out := c.Args[0], c.Args[1], c.Out.BoolsFor(c.N)
		for i := range out {
			out[i] = false
			if c.Skip(i) {
				continue
			}
			for j := list.Offsets[i]; j < list.Offsets[i+1] && !out[i]; j++ {
				out[i] = x.equals(s, i, list, int(j))
			}
		}
	}
}

// row returns the elements of row i of a list of floats.
func (v *Vector) row(i int) []float64 { return v.Floats[v.Offsets[i]:v.Offsets[i+1]] }

// Reduce returns a kernel that makes one number from a list.
func Reduce(f func([]float64) float64) Kernel {
	return func(c *Call) {
		list, out := c.Args[0], c.Out.FloatsFor(c.N)
		for i := range out {
			if out[i] = 0; !c.Skip(i) {
				out[i] = f(list.row(i))
			}
		}
	}
}

// ReduceSome is Reduce for functions that have no result for an empty list: it is null.
func ReduceSome(f func([]float64) float64) Kernel {
	return func(c *Call) {
		list, out := c.Args[0], c.Out.FloatsFor(c.N)
		for i := range out {
			switch out[i] = 0; {
			case c.Skip(i):
			case list.Offsets[i] == list.Offsets[i+1]:
				c.Out.SetNull(i, c.N)
			default:
				out[i] = f(list.row(i))
			}
		}
	}
}

// ReduceTwo returns a kernel that makes one number from two lists of equal length.
func ReduceTwo(f func(a, b []float64) float64) Kernel {
	return func(c *Call) {
		out := c.Out.FloatsFor(c.N)
		for i := range out {
			if out[i] = 0; c.Skip(i) {
				continue
			}
			a, b := c.Args[0].row(i), c.Args[1].row(i)
			if len(a) != len(b) {
				c.Fail(i, Argument)
				continue
			}
			out[i] = f(a, b)
		}
	}
}

// Sum adds the elements from the first to the last. All reductions go in this order.
func Sum(xs []float64) float64 {
	sum := 0.0
	for _, x := range xs {
		sum += x
	}
	return sum
}

// Mean returns Sum divided by the number of elements.
func Mean(xs []float64) float64 { return Sum(xs) / float64(len(xs)) }

// Min returns the smallest element; NaN if any element is NaN.
func Min(xs []float64) float64 {
	least := math.Inf(1)
	for _, x := range xs {
		least = min(least, x)
	}
	return least
}

// Max returns the largest element; NaN if any element is NaN.
func Max(xs []float64) float64 {
	most := math.Inf(-1)
	for _, x := range xs {
		most = max(most, x)
	}
	return most
}

// Dot adds the products of the elements. float64(…) keeps the compiler from fusing a product with its sum.
func Dot(a, b []float64) float64 {
	sum := 0.0
	for i, x := range a {
		sum += float64(x * b[i])
	}
	return sum
}

// Norm returns the square root of the sum of squares.
func Norm(xs []float64) float64 { return math.Sqrt(Dot(xs, xs)) }

// Cosine returns Dot divided by the product of the norms. It is NaN if a norm is 0, so also for empty lists.
func Cosine(a, b []float64) float64 { return Dot(a, b) / float64(Norm(a)*Norm(b)) }
