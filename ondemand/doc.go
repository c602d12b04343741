// Package ondemand evaluates on-demand features: expressions over values that exist only at request time, such as the
// distance to the store or the hours since the last order.
//
// Expressions are written in CEL. cel-go only reads the text. Compile rewrites it to a tree of fstore's own, checks types
// against one table of functions (docs/on-demand.md shows it), and Program.Eval computes columns from columns. Training
// and serving call the same Eval, so the two cannot differ.
//
// A caller describes the names that expressions may use (Env) and the features (Feature), and calls Compile once. The
// Program says which columns it reads (Program.Inputs), among them at and the event times of views. Eval takes these
// columns for any number of rows and returns a column for each feature, with the rows that have a value of their own and
// the counts of faults. Program.Canonical is what a fingerprint holds of an expression.
//
// The caller sees to it that names are distinct: an earlier feature of the view hides a column of its name.
//
// Beneath it, package vector has the loops over values, mathx the functions of mathematics, and zone the time zones.
//
// An expression has no clock, no randomness and no I/O: equal inputs give equal bits on every machine.
package ondemand
