package main

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/internal/load"
	"github.com/fstore-dev/fstore/internal/terminal"
	"github.com/fstore-dev/fstore/online"
)

// benchLine prints a line of the result: a name, and what belongs to it.
func (a *app) benchLine(name, format string, args ...any) {
	fmt.Fprintf(a.stdout, "%-9s  %s\n", name, fmt.Sprintf(format, args...))
}

// printBench prints the result for people.
func (a *app) printBench(b *benchReport) {
	keys := "no keys"
	if b.KeyRows > 0 {
		keys = english.Count(b.KeysPerRequest, "key") + " a request, drawn from " + english.Count(b.KeyRows, "row")
	}
	a.benchLine("asked", "%s at %s, %s, over %s", terminal.InCell(cmp.Or(b.Service, b.Model, strings.Join(b.Features, ","))), b.Server,
		keys, english.Count(b.Connections, "connection"))
	loop := english.Count(b.Concurrency, "client") + " in a closed loop"
	if o := b.Open; o != nil {
		loop = "open loop at " + perSecond(o.Rate) + ", arrivals " + o.Arrivals
	}
	ended := ""
	if b.Stopped {
		ended = ", stopped early"
	}
	a.benchLine("load", "%s, for %s after %s of warm-up%s", loop, took(b.Seconds), took(b.WarmupSeconds), ended)
	a.benchLine("answers", "%s, %s", english.Thousands(b.Answers), perSecond(b.AnswersPerSecond))
	a.benchLine("failed", "%s, %s of the requests", english.Thousands(b.Failed), percent(b.FailedShare))
	for _, f := range b.Failures {
		a.benchLine("", "%s %s, such as: %s", english.Thousands(f.Requests), f.Kind, terminal.InCell(f.Example))
	}
	if b.Unfinished > 0 {
		a.benchLine("cut off", "%s, when bench was stopped", english.Count(int(b.Unfinished), "request"))
	}
	a.printLatency(b)
	a.printValues(b)
	a.benchLine("bytes", "%s sent, %s received", english.Thousands(b.SentBytes), english.Thousands(b.ReceivedBytes))
	if b.Open != nil {
		a.printGenerator(b.Open)
	}
	a.printChecks(b.Checks)
}

func (a *app) printLatency(b *benchReport) {
	l := b.Latency
	if l == nil {
		a.benchLine("latency", "no request was timed")
		return
	}
	var parts []string
	for _, at := range []struct {
		name    string
		q       float64
		seconds *float64
	}{{"p50", 0.5, l.P50}, {"p90", 0.9, l.P90}, {"p99", 0.99, l.P99}, {"p99.9", 0.999, l.P999}} {
		if at.seconds == nil {
			parts = append(parts, fmt.Sprintf("%s too few requests (needs %s)", at.name, english.Thousands(load.Needed(at.q))))
			break
		}
		parts = append(parts, at.name+" "+took(*at.seconds))
	}
	a.benchLine("latency", "%s, max %s", strings.Join(parts, ", "), took(l.Max))
	most := int64(1)
	for _, bin := range b.Histogram {
		most = max(most, bin.Requests)
	}
	const width = 40
	for _, bin := range b.Histogram {
		line := fmt.Sprintf("  < %-6s %11s  %s", took(bin.Below), english.Thousands(bin.Requests), strings.Repeat("#", int((width*bin.Requests+most-1)/most)))
		a.benchLine("", "%s", strings.TrimRight(line, " "))
	}
}

func (a *app) printValues(b *benchReport) {
	all := int64(0)
	for _, n := range b.Values {
		all += n
	}
	var parts []string
	for s := range online.Status(statuses) {
		if n := b.Values[s.String()]; n > 0 || s == online.Present {
			parts = append(parts, percent(share(n, all))+" "+s.String())
		}
	}
	a.benchLine("values", "%s: %s", english.Thousands(all), strings.Join(parts, ", "))
	if b.StaleAnswers > 0 {
		a.benchLine("stale", "%s of the answers", percent(share(b.StaleAnswers, b.Answers)))
	}
}

// printGenerator says whether bench kept to the rate.
func (a *app) printGenerator(o *benchOpen) {
	a.benchLine("rate", "%s due, %s began in time", perSecond(o.DuePerSecond), perSecond(o.BegunPerSecond))
	verdict := "kept to the rate"
	if !o.KeptUp {
		verdict = "DID NOT KEEP TO THE RATE"
	}
	a.benchLine("generator", "%s: 99%% of the requests began within %s of when they were due, all within %s", verdict, took(o.Lag.P99), took(o.Lag.Max))
	if o.AtLimit {
		a.benchLine("", "requests waited because %s were in flight (--max-in-flight)", english.Thousands(int64(o.MaxInFlight)))
	}
}

func (a *app) printChecks(checks []benchCheck) {
	for _, c := range checks {
		color, verdict := green, "ok"
		if !c.OK {
			color, verdict = red, "FAILED"
		}
		a.paint(color, fmt.Sprintf("%-9s", verdict))
		fmt.Fprintf(a.stdout, "  --%s: %s\n", c.Check, c.Result)
	}
}

// perSecond writes a rate with at least three digits.
func perSecond(r float64) string {
	if r >= 100 {
		return english.Thousands(int64(math.Round(r))) + "/s"
	}
	return strconv.FormatFloat(r, 'g', 3, 64) + "/s"
}

// percent writes a share with three digits. No share but 0 is written as 0%, and none but 1 as 100%.
func percent(share float64) string {
	text := strconv.FormatFloat(100*share, 'g', 3, 64)
	if text == "100" && share < 1 {
		text = "99.9"
	}
	return text + "%"
}
