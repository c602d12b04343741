// Package ondemand evaluates on-demand features: expressions over values that exist only at request time, such as the
// distance to the store or the hours since the last order.
//
// Expressions are written in CEL. cel-go only reads the text. Compile rewrites it to a tree of fstore's own, checks types
// against one table of functions (docs/on-demand.md shows it), and Program.Eval computes columns from columns. Training
// and serving call the same Eval, so the two cannot differ.
//
// An expression has no clock, no randomness and no I/O: equal inputs give equal bits on every machine.
package ondemand
