package load

import "time"

// Outcome is what became of a call.
type Outcome struct {
	Failure string       // the kind of its error; "" if it was answered
	Late    bool         // there was no answer in time: the time that it was waited for counts like that of an answer
	Counts  [Kinds]int64 // of whatever the caller counts, summed over the answers
}

// Kinds is how many kinds of things a caller may count.
const Kinds = 8

// NotBegun is the failure of a call whose time was over before it could begin.
const NotBegun = "not_begun"

// Result is what was measured: of the calls that were due in the duration, after the warm-up.
type Result struct {
	Elapsed time.Duration // the duration, or less if the load was stopped
	Stopped bool          // ctx ended

	Answered   int64
	InTime     int64            // answers that came before the duration ended
	Failures   map[string]int64 // by kind
	Unfinished int64            // calls that the end of ctx cut off, or that were overdue then
	Latency    Histogram        // of answers, and of calls that had none in time, from when they were due
	Counts     [Kinds]int64

	// Of an open loop:
	Due, Begun int64     // calls; those that began before the duration ended
	AtLimit    bool      // calls had to wait because MaxInFlight were running
	Lag        Histogram // how late calls began, or how overdue they were when ctx ended
}

func (r *Result) record(o Outcome, took time.Duration, inTime bool) {
	if o.Failure == "" || o.Late {
		r.Latency.Record(took)
	}
	if o.Failure != "" {
		r.Failures[o.Failure]++
		return
	}
	r.Answered++
	if inTime {
		r.InTime++
	}
	for i, n := range o.Counts {
		r.Counts[i] += n
	}
}

// Failed returns the number of calls that failed.
func (r *Result) Failed() (n int64) {
	for _, of := range r.Failures {
		n += of
	}
	return n
}

// Calls returns the number of calls that were answered or failed.
func (r *Result) Calls() int64 { return r.Answered + r.Failed() }

// PerSecond returns a number of calls as a rate over the duration; 0 if that is empty.
func (r *Result) PerSecond(n int64) float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(n) / r.Elapsed.Seconds()
}

// KeptUp reports whether the load was the one planned: 99 % of the calls of an open loop began before the duration ended, and
// if any were timed, what the times of 99 % of the calls owe to the generator is at most a quarter of the 99th percentile.
// A closed loop is always kept up.
func (r *Result) KeptUp() bool {
	const most = 4
	return r.Begun*100 >= r.Due*99 && (r.Latency.Count() == 0 || most*r.Lag.Quantile(0.99) <= r.Latency.Quantile(0.99))
}
