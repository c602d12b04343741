package main

import (
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore/internal/load"
)

// Requests that fail at once have no time. Where they are many, the percentile of the others must not pass for that of all.
// Those that had no answer in time have one.
func TestAPercentileOfFewRequestsDoesNotPass(t *testing.T) {
	limit := 10 * time.Millisecond
	for _, tt := range []struct {
		answered, refused, late int64
		ok                      bool
		want                    string
	}{
		{2_000, 200_000, 0, false, "99% failed without a time"},
		{990, 0, 0, false, "a p99 needs 1,000 requests, and 990 were timed"},
		{9_900, 100, 0, true, "the p99 is 1ms"},
		{9_900, 101, 0, false, "1.01% failed without a time"},
		{9_950, 0, 50, true, "the p99 is 1ms"},
		{9_000, 0, 1_000, false, "the p99 is 5s, the limit 10ms"},
		{0, 5_000, 0, false, "0 were timed"},
	} {
		r := &load.Result{Answered: tt.answered, Failures: map[string]int64{"busy": tt.refused, "deadline_exceeded": tt.late}}
		for range tt.answered {
			r.Latency.Record(time.Millisecond)
		}
		for range tt.late {
			r.Latency.Record(5 * time.Second)
		}
		checks := (&limits{p99: &limit}).check(&benchReport{}, r)
		if len(checks) != 1 || checks[0].OK != tt.ok || !strings.Contains(checks[0].Result, tt.want) {
			t.Errorf("%d answered, %d refused, %d late: %+v, want %v: %s", tt.answered, tt.refused, tt.late, checks, tt.ok, tt.want)
		}
	}
}
