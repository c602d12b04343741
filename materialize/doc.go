// Package materialize updates the online store to hold a view version as of an instant P. It computes the view,
// compares it with the manifest of what the store holds, writes the difference in key order, and publishes.
//
// It keeps these rules whenever it is stopped:
//
//   - The header and the fence in the store are the truth. The state folder only explains them: a manifest counts only
//     if its generation and run are those of the header, and if the fence fits. Otherwise the run fills a new
//     generation next to the existing one and moves the pointer once it is complete.
//   - Before the first write of a run, its manifest and all its differences (the spool) are durable. So an
//     interrupted run resumes at the fence's watermark, without its sources.
//   - An interrupted run is finished and published before the next one begins. Each key of a generation that
//     readers see has its value as of the header's Published or RunAt, never of a third instant.
//   - Every write is one atomic step from the exact header or fence last written to the next one. A run that lost its
//     lease cannot write. Reading the header or fence settles a write whose outcome is unknown.
//   - A run deletes a generation that readers have left by the list in its manifest, and only as long as the pointer is
//     the one that left it. The state stays until then.
//   - A store may lose its last commits at any time (docs/design/fences.md). The next run goes on from what is left.
//
// Memory is bounded whatever the size of the view: see docs/materialize.md.
package materialize
