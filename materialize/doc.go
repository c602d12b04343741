// Package materialize updates the online store to hold a view version as of an instant P. It computes the view, compares
// it with the manifest of what the store holds, writes the difference in key order, and publishes.
//
// It keeps these rules, whatever stops it and whenever:
//
//   - The header in the store is the truth; the state folder only explains it. A manifest counts only if its
//     generation and run are the header's. Otherwise the run fills a new generation beside what is there and
//     moves the pointer when it is complete.
//   - Before a run's first write its manifest and all its differences (the spool) are durable, so that an
//     interrupted run is finished from where the header's watermark stands, without its sources.
//   - An interrupted run is finished and published before the next one begins: each key of a generation that
//     readers see holds its value as of the header's Published or of its RunAt, never of a third instant.
//   - Every write is one atomic step from the exact header last written to the next one. A run that lost its
//     lease cannot write; a write whose outcome is unknown is settled by reading the header.
//   - What readers have left is deleted by its manifest's list; what is in state is kept until that is done.
//
// Memory is bounded whatever the view's size: see docs/materialize.md.
package materialize
