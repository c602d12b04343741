// Package bench holds the benchmarks that cross packages. Each measures a row of the speed goals beside its limit,
// in the same run, and reports the ratio; the offline rows are in package offline. Run them with make bench.
package bench
