// Package window holds the arithmetic of windowed features: which instants a window covers, and sums that do not depend on
// the order of their rows. Training, materialization and serving all use it, so that one formula gives one value
// everywhere.
//
// A window is asked for at an instant T, which it includes. It covers the events after its start,
//
//	start(T) = floor((T - length) / hop) * hop
//
// counted in microseconds from the Unix epoch. Its end is exact and its start moves in hops: with a hop of a microsecond it
// is a rolling window, with a larger one a sawtooth window.
//
// Sweep computes values at the instants of labels and publications. Recorder computes the records of views without a
// schedule, whose windows move with the clock; Tiles writes and reads them.
package window
