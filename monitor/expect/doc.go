// Package expect checks what definitions expect of rows: it looks at column batches as they stream by, and says of each
// expectation whether it holds, with counts and a few of the rows for which it does not. docs/expectations.md has the meaning
// of every check.
//
// It knows no engine, store or registry. What needs a query of its own, or the counts of an earlier publication, comes in Facts.
package expect
