// Package drift says how the distribution of current rows differs from that of a reference, feature by feature: scores with their
// thresholds, and a verdict. It works on counts in the reference's bins (package stats), so the rows are read once and none is
// kept. A score is an alarm only if it is at its threshold or above and if two samples of these sizes from one distribution would
// hardly ever score as high: nothing fires on too little data. docs/drift.md explains it to users.
package drift
