// Package materialize updates the online store to hold a view version as of an instant P. It computes the view,
// compares it with the manifest of what the store holds, writes the difference in key order, and publishes.
//
// It keeps these rules whenever it is stopped:
//
//   - The header in the store is the truth. The state folder only explains it: a manifest counts only if its
//     generation and run are those of the header. Otherwise the run fills a new generation next to the existing one
//     and moves the pointer once it is complete.
//   - Before the first write of a run, its manifest and all its differences (the spool) are durable. So an
//     interrupted run resumes at the header's watermark, without its sources.
//   - An interrupted run is finished and published before the next one begins. Each key of a generation that
//     readers see has its value as of the header's Published or RunAt, never of a third instant.
//   - Every write is one atomic step from the exact header last written to the next one. A run that lost its
//     lease cannot write. Reading the header settles a write whose outcome is unknown.
//   - A run deletes a generation that readers have left by the list in its manifest. The state stays until then.
//
// Memory is bounded whatever the size of the view: see docs/materialize.md.
package materialize
