package vector

import (
	"bytes"
	"cmp"
)

// Ints returns the vector's integers. Kernels for several types take this function, or one of those below.
func Ints(v *Vector) []int64 { return v.Ints }

// Floats returns the vector's floats.
func Floats(v *Vector) []float64 { return v.Floats }

// Texts returns the vector's texts.
func Texts(v *Vector) []string { return v.Texts }

// Equal returns a kernel for ==.
func Equal[T comparable](values func(*Vector) []T) Kernel {
	return func(c *Call) {
		a, b, out := values(c.Args[0])[:c.N], values(c.Args[1])[:c.N], c.Out.BoolsFor(c.N)
		for i := range out {
			out[i] = a[i] == b[i]
		}
	}
}

// Unequal returns a kernel for !=.
func Unequal[T comparable](values func(*Vector) []T) Kernel {
	return func(c *Call) {
		a, b, out := values(c.Args[0])[:c.N], values(c.Args[1])[:c.N], c.Out.BoolsFor(c.N)
		for i := range out {
			out[i] = a[i] != b[i]
		}
	}
}

// Less returns a kernel for <.
func Less[T cmp.Ordered](values func(*Vector) []T) Kernel {
	return func(c *Call) {
		a, b, out := values(c.Args[0])[:c.N], values(c.Args[1])[:c.N], c.Out.BoolsFor(c.N)
		for i := range out {
			out[i] = a[i] < b[i]
		}
	}
}

// LessEqual returns a kernel for <=.
func LessEqual[T cmp.Ordered](values func(*Vector) []T) Kernel {
	return func(c *Call) {
		a, b, out := values(c.Args[0])[:c.N], values(c.Args[1])[:c.N], c.Out.BoolsFor(c.N)
		for i := range out {
			out[i] = a[i] <= b[i]
		}
	}
}

// Greater returns a kernel for >.
func Greater[T cmp.Ordered](values func(*Vector) []T) Kernel {
	return func(c *Call) {
		a, b, out := values(c.Args[0])[:c.N], values(c.Args[1])[:c.N], c.Out.BoolsFor(c.N)
		for i := range out {
			out[i] = a[i] > b[i]
		}
	}
}

// GreaterEqual returns a kernel for >=.
func GreaterEqual[T cmp.Ordered](values func(*Vector) []T) Kernel {
	return func(c *Call) {
		a, b, out := values(c.Args[0])[:c.N], values(c.Args[1])[:c.N], c.Out.BoolsFor(c.N)
		for i := range out {
			out[i] = a[i] >= b[i]
		}
	}
}

// Bools returns the values of type bool.
func Bools(v *Vector) []bool { return v.Bools }

// CompareBytes returns a kernel that tests the order of two values of bytes: -1, 0 or 1, as bytes.Compare returns it.
func CompareBytes(test func(order int) bool) Kernel {
	return func(c *Call) {
		a, b, out := c.Args[0].Bytes[:c.N], c.Args[1].Bytes[:c.N], c.Out.BoolsFor(c.N)
		for i := range out {
			out[i] = test(bytes.Compare(a[i], b[i]))
		}
	}
}

// CompareBools returns a kernel that tests the order of two values of type bool. false comes before true.
func CompareBools(test func(order int) bool) Kernel {
	return func(c *Call) {
		a, b, out := c.Args[0].Bools[:c.N], c.Args[1].Bools[:c.N], c.Out.BoolsFor(c.N)
		for i := range out {
			order := 0
			switch {
			case a[i] && !b[i]:
				order = 1
			case !a[i] && b[i]:
				order = -1
			}
			out[i] = test(order)
		}
	}
}

// Not negates.
func Not(c *Call) {
	a, out := c.Args[0].Bools[:c.N], c.Out.BoolsFor(c.N)
	for i := range out {
		out[i] = !a[i]
	}
}
