// Package fused has what a compiler may fuse. A test checks that it finds it.
package fused

// Sum may round once or twice.
func Sum(x, y, z float64) float64 { return x*y + z }
