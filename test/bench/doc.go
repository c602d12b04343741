// Package bench holds the benchmarks that cross packages. Each measures one of the speed goals (docs/performance.md) and
// its limit in the same run, and reports the ratio. Benchmarks of offline work are in package offline. Run them all with
// make bench.
package bench
