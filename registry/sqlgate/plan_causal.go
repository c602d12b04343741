package sqlgate

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/fstore-dev/fstore"
)

// This file warns of rows that are used before the rows that they are computed from are known. It says nothing where
// it cannot tell: a check on data finds what this one does not.

// mostReads bounds the reads that are followed. Beyond it some are not judged.
const mostReads = 100

// judgeReads warns of each read that is known too late, and says which windows read nothing later.
func (b *binding) judgeReads(out relation) {
	h := b.history
	if h.Event < 0 || h.Event >= len(out.columns) {
		return
	}
	event := out.columns[h.Event]
	bounded := make([]int, len(b.windows)) // the reads of each window that are known in time; -1: one is not
	for _, r := range out.reads {
		late := b.lateness(r, out)
		w := r.origin.window - 1
		switch {
		case w >= 0 && late > 0:
			bounded[w] = -1
		case w >= 0 && bounded[w] >= 0:
			bounded[w]++
		}
	}
	heldBy := func(w windowed) bool { return !h.Available.Created && b.fixed(event, w.partition) }
	for i, w := range b.windows {
		if heldBy(w) || bounded[i] > 0 || !w.timed && h.Inputs != nil {
			b.found = append(b.found, w.verdict)
		}
	}
	own := map[string]bool{} // the tables of the row itself
	for _, r := range out.reads {
		own[r.origin.table] = own[r.origin.table] || !r.many && b.lateness(r, out) <= 0
	}
	said := map[string]bool{}
	for _, r := range out.reads {
		late := b.lateness(r, out)
		if math.IsInf(late, 1) && r.origin.kind == rowRead && !own[r.origin.table] && !b.follows(event, r.origin) {
			continue // a join by key: the row of the other table may always be there first
		}
		if late <= 0 || r.origin.window > 0 && !heldBy(b.windows[r.origin.window-1]) { // the tree shows the latter
			continue
		}
		v := b.lateRead(r, event, late)
		if key := fmt.Sprint(v.Message, v.Offset, v.call); !said[key] {
			said[key] = true
			b.found = append(b.found, v)
		}
	}
}

// lateness returns how many microseconds after the row itself a read of it can be known. It is not positive if that
// cannot be, or if the gate cannot tell.
func (b *binding) lateness(r read, out relation) float64 {
	bounds := b.bounds(r.at)
	late := math.Inf(1)
	h := b.history
	if by, ok := bounds[out.columns[h.Event]]; ok && !(h.Available.Created && r.origin.window > 0) {
		if late = by; by > 0 { // otherwise only the availability can be too early, and there is a warning of that
			late += r.lag - float64(h.Available.Lag.Micros())
		}
	}
	if h.Created >= 0 && h.Created < len(out.columns) {
		if by, ok := bounds[out.columns[h.Created]]; ok {
			late = min(late, by+r.lag)
		}
	}
	if _, ok := bounds[b.anyTime()]; ok && math.IsInf(late, 1) {
		return 0
	}
	return late
}

const orAggregations = "or declare the window as an aggregation"

// lateRead says what is read too early, and what to do.
func (b *binding) lateRead(r read, event int, late float64) verdict {
	o, h := r.origin, b.history
	e := b.terms[event]
	v := verdict{doubt: true, call: o.call, names: o.names, table: o.table, inner: o.inner}
	say := func(offset int, hint, format string, args ...any) verdict {
		v.Offset, v.Hint, v.Message = offset, hint, fmt.Sprintf(format, args...)
		return v
	}
	if !math.IsInf(late, 1) {
		wait := microseconds(late + float64(h.Available.Lag.Micros()))
		hint := "state availability: event + " + wait.String() + ": by then all of these rows are known"
		if h.Available.Created {
			hint = "yield a created time no earlier than that of the newest of these rows"
		} else if r.many {
			hint += "; " + orAggregations
		}
		if e.offset > 0 && e.scan == 0 {
			return say(e.offset-1, hint, "rows of %s that the row is made from are known up to %s after this event time", o.table, wait)
		}
		if at := b.comparedAt(o); at >= 0 {
			return say(at, hint, "this reads rows of %s up to %s later than the event time", o.table, wait)
		}
		return say(-1, hint, "%s reads rows of %s up to %s later than the event time", reader(o), o.table, wait)
	}
	if b.follows(event, o) && o.kind != asofRead {
		if at := b.comparedAt(o); at >= 0 && r.at != event {
			return say(at, "turn the comparison round, to read rows up to the event time", "this reads rows of %s later than the event time", o.table)
		}
	}
	if from, ok := b.aggregates[event]; ok && r.many {
		v.call, v.names, v.inner = from.call, from.names, false
		return say(from.offset, "yield a row per row of "+o.table+", with windows over (… order by the event time); "+orAggregations,
			"%s is the event time, but later rows of the group change the row", reader(from))
	}
	switch {
	case o.kind == asofRead:
		return say(-1, "turn the comparison round: left.time >= right.time takes the latest row up to the event time",
			"%s reads rows of %s later than the event time", reader(o), o.table)
	case o.kind == distinctRead && r.many:
		return say(-1, "use a window over (… order by the event time) instead", "%s keeps one of several rows of %s, and a later one takes its place", o.call, o.table)
	case r.many:
		return say(o.offset, "read rows up to the event time only: compare times in a join, or use over (… order by the event time); "+orAggregations,
			"%s reads all rows of %s, also those later than the event time", reader(o), o.table)
	}
	return say(-1, "compare times in its condition, to read rows up to the event time only", "%s reads rows of %s later than the event time", reader(o), o.table)
}

// reader names the part of a query that reads rows.
func reader(o origin) string {
	switch {
	case o.call == "count_star":
		return "count(*)"
	case o.call != "" && strings.ToUpper(o.call) == o.call:
		return o.call
	case o.call != "":
		return o.call + "()"
	case o.kind == asofRead:
		return "ASOF JOIN"
	case o.kind == subqueryRead:
		return "the subquery"
	}
	return "the join"
}

// follows reports whether the rows that are read are known to follow the event time.
func (b *binding) follows(event int, o origin) bool {
	by, ok := b.bounds(event)[o.from]
	return ok && !math.IsInf(by, 1)
}

func microseconds(n float64) fstore.Duration {
	return fstore.Duration(math.Ceil(n)) * fstore.Duration(time.Microsecond)
}

// comparedAt returns the offset of the comparison of the time of rows that are read with another time, or -1.
func (b *binding) comparedAt(o origin) int {
	for _, c := range b.comparisons {
		if c.offset < 0 || b.terms[c.left].scale == 0 || b.terms[c.right].scale == 0 || b.fixed(c.left, nil) || b.fixed(c.right, nil) {
			continue
		}
		if b.isOf(c.left, o.from) != b.isOf(c.right, o.from) {
			return c.offset
		}
	}
	return -1
}

// isOf reports whether a term is another, or is computed from it.
func (b *binding) isOf(t, of int) bool { return b.fixed(t, []int{of}) }

// stale warns of an aggregate over a frame of time. It has a value at each row, and keeps it until the next row.
func (b *binding) stale(e node, in []int, reads []read) {
	start := e.child("start_expr")
	if e.str("type") != "WINDOW_AGGREGATE" || e.str("start") != "EXPR_PRECEDING_RANGE" || len(e.list("orders")) != 1 {
		return
	}
	by, descending := b.orderedBy(e.list("orders"), in, nil)
	args := start.list("children")
	if descending || len(args) != 2 {
		return
	}
	length, ok := interval(asNode(args[1]))
	for _, r := range reads {
		if ok && r.at == by && !r.many { // a union may have a row at the end of each window, too
			b.found = append(b.found, verdict{
				Finding:  Finding{-1, fmt.Sprintf("%s() over the last %s keeps its value until the next row: rows that leave the window meanwhile still count", callOf(e), microseconds(length.high)), ""},
				doubt:    true,
				call:     callOf(e),
				names:    names(map[string]any(e)),
				declared: declared{typeName(typeOf(e)), microseconds(length.high).String()},
			})
			return
		}
	}
}

// typeName returns the type that a declaration would give an aggregate.
func typeName(typ node) string {
	switch id := typ.str("id"); {
	case id == "VARCHAR":
		return "string"
	case id == "BOOLEAN":
		return "bool"
	case isTemporal(typ):
		return "timestamp"
	case strings.HasSuffix(id, "INT") || id == "INTEGER":
		return "int64"
	}
	return "float64"
}
