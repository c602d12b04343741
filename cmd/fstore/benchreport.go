package main

import (
	"cmp"
	"maps"
	"slices"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/internal/load"
	"github.com/fstore-dev/fstore/online"
)

// benchReport is what bench prints. docs/commands/schema/bench.json is its schema.
type benchReport struct {
	Server         string   `json:"server"`
	Service        string   `json:"service,omitempty"`
	Model          string   `json:"model,omitempty"`
	Features       []string `json:"features,omitempty"`
	Concurrency    int      `json:"concurrency,omitempty"` // of a closed loop
	Connections    int      `json:"connections"`
	KeysPerRequest int      `json:"keys_per_request"`
	KeyRows        int      `json:"key_rows"`
	Seed           uint64   `json:"seed"`
	WarmupSeconds  float64  `json:"warmup_seconds"`
	Seconds        float64  `json:"seconds"`
	Stopped        bool     `json:"stopped,omitempty"`

	Requests         int64            `json:"requests"`
	Answers          int64            `json:"answers"`
	AnswersPerSecond float64          `json:"answers_per_second"`
	Failed           int64            `json:"failed"`
	FailedShare      float64          `json:"failed_share"`
	Failures         []benchFailure   `json:"failures,omitempty"`
	Unfinished       int64            `json:"unfinished,omitempty"`
	Latency          *benchLatency    `json:"latency_seconds"` // nil: nothing was timed
	Histogram        []benchBin       `json:"histogram"`
	Values           map[string]int64 `json:"values"` // by status
	StaleAnswers     int64            `json:"stale_answers"`
	SentBytes        int64            `json:"sent_bytes"`
	ReceivedBytes    int64            `json:"received_bytes"`
	Open             *benchOpen       `json:"open,omitempty"` // nil: a closed loop
	Checks           []benchCheck     `json:"checks,omitempty"`
}

type benchFailure struct {
	Kind     string `json:"kind"` // see project.KindOf, and load.NotBegun
	Requests int64  `json:"requests"`
	Example  string `json:"example"`
}

// benchLatency has times in seconds. A quantile is nil if too few requests were timed.
type benchLatency struct {
	Min  float64  `json:"min"`
	Mean float64  `json:"mean"`
	P50  *float64 `json:"p50"`
	P90  *float64 `json:"p90"`
	P99  *float64 `json:"p99"`
	P999 *float64 `json:"p99_9"`
	Max  float64  `json:"max"`
}

type benchBin struct {
	Below    float64 `json:"below_seconds"`
	Requests int64   `json:"requests"`
}

type benchOpen struct {
	Rate           float64 `json:"rate"`
	Arrivals       string  `json:"arrivals"`
	MaxInFlight    int     `json:"max_in_flight"`
	DuePerSecond   float64 `json:"due_per_second"`
	BegunPerSecond float64 `json:"begun_per_second"`
	Lag            lag     `json:"lag_seconds"`
	AtLimit        bool    `json:"at_limit"`
	KeptUp         bool    `json:"kept_up"`
}

// lag is how late requests began.
type lag struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

type benchCheck struct {
	Check  string `json:"check"` // the flag
	OK     bool   `json:"ok"`
	Result string `json:"result"`
}

const generatorIsLate = "bench did not keep to the rate: requests began later than they were due, and the times of answers include that"

// newBenchReport returns the result. mask hides passwords in the messages of errors.
func newBenchReport(a *asking, r *load.Result, mask func(string) string) *benchReport {
	out := &benchReport{
		Server: a.server.Address, Service: a.selected.Service, Features: a.selected.Features,
		Connections: len(a.clients), KeysPerRequest: a.keys, Seed: a.seed, WarmupSeconds: a.warmup.Seconds(), Seconds: r.Elapsed.Seconds(),
		Stopped: r.Stopped, Requests: r.Calls(), Answers: r.Answered, AnswersPerSecond: r.PerSecond(r.InTime), Failed: r.Failed(),
		FailedShare: share(r.Failed(), r.Calls()), Unfinished: r.Unfinished, Latency: latencyOf(&r.Latency), Histogram: []benchBin{},
		Values: map[string]int64{}, StaleAnswers: r.Counts[countStale], SentBytes: r.Counts[countSent], ReceivedBytes: r.Counts[countReceived],
	}
	if a.selected.Model.Name != "" {
		out.Model = a.selected.Model.String()
	}
	if len(a.rows.Columns) > 0 {
		out.KeyRows = a.rows.Columns[0].Len
	}
	for _, kind := range slices.Sorted(maps.Keys(r.Failures)) {
		out.Failures = append(out.Failures, benchFailure{kind, r.Failures[kind], mask(fstore.MessageOf(a.example(kind)))})
	}
	slices.SortStableFunc(out.Failures, func(a, b benchFailure) int { return cmp.Compare(b.Requests, a.Requests) })
	for below, n := range r.Latency.Octaves() {
		out.Histogram = append(out.Histogram, benchBin{below.Seconds(), n})
	}
	for s := range online.Status(statuses) {
		out.Values[s.String()] = r.Counts[s]
	}
	if a.rate > 0 {
		out.Open = &benchOpen{
			Rate: a.rate, Arrivals: a.arrivals, MaxInFlight: a.inFlight, DuePerSecond: r.PerSecond(r.Due), BegunPerSecond: r.PerSecond(r.Begun),
			Lag:     lag{r.Lag.Quantile(0.5).Seconds(), r.Lag.Quantile(0.99).Seconds(), r.Lag.Max().Seconds()},
			AtLimit: r.AtLimit, KeptUp: r.KeptUp(),
		}
	} else {
		out.Concurrency = a.concurrency
	}
	out.Checks = a.limits.check(out, r)
	return out
}

func share(n, of int64) float64 { return float64(n) / float64(max(1, of)) }

func latencyOf(h *load.Histogram) *benchLatency {
	if h.Count() == 0 {
		return nil
	}
	at := func(q float64) *float64 {
		if h.Count() < load.Needed(q) {
			return nil
		}
		seconds := h.Quantile(q).Seconds()
		return &seconds
	}
	return &benchLatency{
		Min: h.Min().Seconds(), Mean: h.Mean().Seconds(), Max: h.Max().Seconds(),
		P50: at(0.5), P90: at(0.9), P99: at(0.99), P999: at(0.999),
	}
}

// check compares what was measured with the limits. What cannot be judged has not passed.
func (l *limits) check(b *benchReport, r *load.Result) (checks []benchCheck) {
	if l.p99 != nil {
		checks = append(checks, checkP99(*l.p99, r))
	}
	if l.errors != nil {
		c := benchCheck{Check: "fail-errors", Result: "no request was answered or failed"}
		if b.Requests > 0 {
			c.OK, c.Result = b.FailedShare <= *l.errors, percent(b.FailedShare)+" of the requests failed, the limit is "+percent(*l.errors)
		}
		checks = append(checks, c)
	}
	if len(checks) > 0 && !b.keptUp() {
		checks = append(checks, benchCheck{Check: "rate", Result: "bench did not keep to the rate, so the load was another one"})
	}
	return checks
}

// checkP99 compares the 99th percentile with a limit. Requests that failed at once have no time, so if they are more than
// those that may lie beyond the percentile, it says nothing of all requests.
func checkP99(limit time.Duration, r *load.Result) benchCheck {
	c := benchCheck{Check: "fail-p99"}
	timed, untimed := r.Latency.Count(), r.Calls()-r.Latency.Count()
	switch {
	case timed < load.Needed(0.99):
		c.Result = "a p99 needs " + english.Thousands(load.Needed(0.99)) + " requests, and " + english.Thousands(timed) + " were timed"
	case untimed*100 > r.Calls():
		c.Result = "the p99 of the answers is not that of the requests: " + percent(share(untimed, r.Calls())) + " failed without a time, and at most 1% may"
	default:
		p99 := r.Latency.Quantile(0.99)
		c.OK, c.Result = p99 <= limit, "the p99 is "+took(p99.Seconds())+", the limit "+took(limit.Seconds())
	}
	return c
}

// keptUp reports whether the load was the one asked for.
func (b *benchReport) keptUp() bool { return b.Open == nil || b.Open.KeptUp }

func (b *benchReport) passed() bool {
	return !slices.ContainsFunc(b.Checks, func(c benchCheck) bool { return !c.OK })
}

// took writes seconds with three digits: 1.23ms.
func took(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	unit := time.Duration(1)
	for d >= 1000*unit {
		unit *= 10
	}
	return d.Round(unit).String()
}
