package sqlgate

import (
	"math"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
)

// This file follows which rows of the inputs each row of a plan is computed from, and when these are known.

// Times says when the rows of an input are known.
type Times struct {
	Event, Created string // columns; Event is empty if the input is a static table
	Available      fstore.Available
}

// History says which output columns of a query are its times, and when the rows of its inputs are known.
type History struct {
	Event, Created int // indexes of output columns, or -1
	Available      fstore.Available
	Inputs         map[string]Times // by lower-case name
}

// read is rows of an input that a row is computed from. The term at is no earlier than the last of them.
type read struct {
	at     int
	lag    float64 // from the instant of a row until it is known
	many   bool    // they are aggregated: which ones they are does not depend on this row's columns alone
	origin origin
}

// origin is the part of a query that reads rows.
type origin struct {
	kind   readKind
	table  string
	from   int    // the time of the scanned row
	call   string // the aggregate
	names  []string
	offset int  // of the comparison, or -1
	window int  // for a window: 1 + its index
	inner  bool // it is in a subquery
}

// of returns the origin of what reads the rows of another read.
func (o origin) of(r read) origin {
	o.table, o.from, o.window, o.inner = r.origin.table, r.origin.from, r.origin.window, r.origin.inner
	return o
}

type readKind int

const (
	rowRead readKind = iota
	asofRead
	subqueryRead
	aggregateRead
	distinctRead
	windowRead
)

// readScan adds the read of a scanned row.
func (b *binding) readScan(op node, columns []int) {
	table := strings.ToLower(op.child("function_data").str("table"))
	times, timed := b.history.Inputs[table]
	if !timed || times.Event == "" {
		return
	}
	known, lag := times.Event, times.Available.Lag
	if times.Available.Created && b.history.Available.Created {
		known, lag = times.Created, 0
	}
	at := -1
	types, names := op.list("returned_types"), op.list("names")
	instants := []int{}
	for i, c := range op.list("column_indexes") {
		j := index(asNode(c)["index"])
		if i >= len(columns) || j < 0 || j >= len(names) || j >= len(types) {
			continue
		}
		if name, _ := names[j].(string); strings.EqualFold(name, known) {
			at = columns[i]
		}
		if isTemporal(asNode(types[j])) {
			b.terms[columns[i]].scale = 1
			instants = append(instants, columns[i])
		}
	}
	if at < 0 {
		at = b.instant()
	}
	b.terms[at].scale = 1
	b.scans++
	for _, c := range columns {
		b.terms[c].scan = b.scans
		if c != at {
			b.atMost(at, c, math.Inf(1))
		}
	}
	for _, c := range instants { // another time of the row is taken to be no earlier
		if c != at {
			b.atMost(at, c, 0)
		}
	}
	b.reads = append(b.reads, read{at: at, lag: float64(lag.Micros()), origin: origin{kind: rowRead, table: table, from: at, offset: -1}})
}

// instant returns a new term that is an instant.
func (b *binding) instant() int {
	return b.intern(term{op: b.unique("instant"), varies: true, scale: 1})
}

// rebase returns a read as of new columns: after has the instants that before had. bounds are those of the read.
func (b *binding) rebase(r read, bounds map[int]float64, before, after []int) read {
	r.at = b.instant()
	for i, c := range before {
		if by, ok := bounds[c]; ok && i < len(after) {
			b.atMost(r.at, after[i], by)
		}
	}
	if _, ok := bounds[b.anyTime()]; ok {
		b.atMost(r.at, b.anyTime(), 0)
	}
	return r
}

// boundsOf returns the bounds of each read.
func (b *binding) boundsOf(reads []read) []map[int]float64 {
	out := make([]map[int]float64, len(reads))
	for i, r := range reads {
		out[i] = b.bounds(r.at)
	}
	return out
}

// groupReads replaces the reads of rows that become one row per group. Of the rows of a group it is only known what
// the terms that it is grouped by say of all of them. bounds are those of the reads.
func (b *binding) groupReads(bounds []map[int]float64, groups []int, from origin) {
	for i, r := range b.reads {
		if b.fixed(r.at, groups) {
			continue
		}
		r = b.rebase(r, bounds[i], groups, groups)
		if !r.many || from.kind != subqueryRead {
			r.many, r.origin = true, from.of(r)
		}
		r.origin.inner = r.origin.inner || from.kind == subqueryRead
		b.reads[i] = r
	}
}

// groupInstants relates the time that an aggregate returns. That of a group with one time is the time. A created time
// may be the latest of several, since rows are mostly loaded together. rows are the bounds of the reads of the rows.
func (b *binding) groupInstants(e node, t int, rows []map[int]float64, in, groups []int) {
	args := e.list("children")
	if len(args) == 0 || !isTemporal(typeOf(e)) {
		return
	}
	b.terms[t].scale = 1
	of := b.term(asNode(args[0]), in)
	if b.fixed(of, groups) {
		b.equal(t, of)
		return
	}
	if callOf(e) != "max" || !b.history.Available.Created {
		return
	}
	for i, bounds := range rows {
		if by, ok := bounds[of]; ok {
			b.atMost(b.reads[i].at, t, by)
		}
	}
}

// keepsFirst reports whether aggregates take only the first row of a group, which later rows do not change. The first
// row of the group of a row is never after it.
func keepsFirst(aggregates []any) bool {
	return len(aggregates) > 0 && !slices.ContainsFunc(aggregates, func(a any) bool {
		e := asNode(a)
		args := e.list("children")
		switch callOf(e) {
		case "min":
			return len(args) != 1 || !isTemporal(typeOf(e))
		case "arg_min", "argmin", "min_by":
			return len(args) != 2 || !isTemporal(typeOf(asNode(args[1])))
		}
		return true
	})
}

// windowReads adds the reads of a call with OVER, and relates its result. rows has the reads of the rows, and bounds
// the bounds of each.
func (b *binding) windowReads(e node, t int, rows relation, bounds []map[int]float64, partition []int) {
	by, descending := b.orderedBy(e.list("orders"), rows.columns, partition)
	follows := by >= 0 && !descending && looksBack(e)
	args := e.list("children")
	of := -1 // the instant that it returns one of
	if isTemporal(typeOf(e)) && len(args) > 0 {
		b.terms[t].scale = 1
		if of = b.term(asNode(args[0]), rows.columns); b.fixed(of, partition) {
			b.equal(t, of)
		}
	}
	columns := partition
	if follows {
		columns = append(slices.Clone(partition), by)
	}
	from := origin{kind: windowRead, call: callOf(e), names: names(map[string]any(e)), offset: -1}
	for i, r := range rows.reads {
		b.atMost(r.at, t, math.Inf(1))
		latest, isLatest := bounds[i][of]
		isLatest = isLatest && callOf(e) == "max"
		if isLatest {
			b.atMost(r.at, t, latest)
		}
		frame := r
		switch late, ordered := bounds[i][by]; {
		case b.fixed(r.at, partition):
		case follows && (!ordered || math.IsInf(late, 1)):
			continue // its order is not that of time as far as is known
		default:
			frame = b.rebase(r, bounds[i], columns, columns)
		}
		if keepsFirst([]any{map[string]any(e)}) {
			b.unjudged(frame.at)
		}
		frame.many, frame.origin = true, from.of(r)
		if !follows || frame.at == r.at {
			frame.origin.window = len(b.windows)
		}
		if isLatest && follows {
			b.atMost(frame.at, t, latest)
		}
		if len(b.reads) < mostReads {
			b.reads = append(b.reads, frame)
		}
	}
}

// orderedBy returns the first term of an ORDER BY that differs between rows of a partition, or -1, and its direction.
func (b *binding) orderedBy(orders []any, in, partition []int) (by int, descending bool) {
	for _, o := range orders {
		if t := b.term(asNode(o).child("expression"), in); !b.fixed(t, partition) {
			return t, asNode(o).str("type") == "DESCENDING"
		}
	}
	return -1, false
}

// looksBack reports whether a call over rows in ascending order reads none after the current one.
func looksBack(e node) bool {
	switch windowFunctions[e.str("type")].reads {
	case readsPreceding, readsLag:
		return true
	case readsFrame:
		end := e.str("end")
		return strings.HasPrefix(end, "CURRENT_ROW") || strings.HasPrefix(end, "UNBOUNDED_PRECEDING") || strings.HasPrefix(end, "EXPR_PRECEDING")
	case readsLead, readsAll:
	}
	return false
}

// copyReads returns reads of a CTE as of another reference to it. copied returns the copy of a term.
func (b *binding) copyReads(reads []read, copied func(int) int) []read {
	terms := map[int]bool{}
	for _, r := range reads {
		for t := range b.bounds(r.at) {
			terms[t] = true
		}
	}
	out := slices.Clone(reads)
	for i, r := range out {
		out[i].at, out[i].origin.from = copied(r.at), copied(r.origin.from)
	}
	for t := range terms {
		copied(t)
	}
	for t := range terms {
		for _, e := range slices.Clone(b.edges[t]) {
			if from, to := copied(t), copied(e.to); from != t || to != e.to {
				b.atMost(from, to, e.by)
			}
		}
	}
	return out
}

// compare records what a comparison in a condition says.
func (b *binding) compare(l, r int, comparison string, offset int) {
	b.comparisons = append(b.comparisons, compared{l, r, offset})
	sl, sr := b.terms[l].scale, b.terms[r].scale
	constant := b.fixed(l, nil) || b.fixed(r, nil)
	less := strings.HasPrefix(comparison, "COMPARE_LESSTHAN")
	greater := strings.HasPrefix(comparison, "COMPARE_GREATERTHAN")
	switch {
	case isEquality(comparison) && sl > 0 && sl == sr && !constant:
		b.equal(l, r)
	case less && sl > 0 && sl == sr && !constant:
		b.atMost(l, r, 0)
	case greater && sl > 0 && sl == sr && !constant:
		b.atMost(r, l, 0)
	case constant && b.severalRows(l, r): // the length of time between two rows, say
		b.unjudged(l, r)
	case constant: // a time up to which rows are read
		if less && sl > 0 || isEquality(comparison) && sl > 0 {
			b.unjudged(l)
		}
		if greater && sr > 0 || isEquality(comparison) && sr > 0 {
			b.unjudged(r)
		}
	case (less || greater) && b.severalRows(l, r), isEquality(comparison) && b.severalRows(l, r) && (b.terms[l].counts || b.terms[r].counts):
		b.unjudged(l, r)
	}
}

// compared is a comparison that a condition makes.
type compared struct{ left, right, offset int }

// unjudged records that a condition may bound the instants of these terms.
func (b *binding) unjudged(terms ...int) {
	for _, t := range terms {
		if !b.fixed(t, nil) {
			b.atMost(t, b.anyTime(), 0)
		}
	}
}

// severalRows reports whether terms are computed from several rows. An aggregate is not counted: that a row is
// compared with it says nothing about time.
func (b *binding) severalRows(terms ...int) bool {
	scans, seen := map[int]bool{}, map[int]bool{}
	aggregated := false
	var walk func(t int)
	walk = func(t int) {
		if seen[t] {
			return
		}
		seen[t] = true
		aggregated = aggregated || b.terms[t].aggregated
		if b.terms[t].scan > 0 {
			scans[b.terms[t].scan] = true
		}
		for _, o := range b.terms[t].of {
			walk(o)
		}
	}
	for _, t := range terms {
		walk(t)
	}
	return len(scans) > 1 && !aggregated
}

// condition records what a condition says, where all of it holds.
func (b *binding) condition(e node, in []int) {
	parts := []node{e}
	for len(parts) > 0 {
		c := parts[0]
		parts = parts[1:]
		switch {
		case c.str("expression_class") == "BOUND_COMPARISON":
			b.compare(b.term(c.child("left"), in), b.term(c.child("right"), in), c.str("type"), c.ownOffset())
		case c.str("type") == "CONJUNCTION_AND":
			for _, part := range c.list("children") {
				parts = append(parts, asNode(part))
			}
		default: // an OR, a NOT or a call
			eachNode(map[string]any(c), func(n node) {
				if n.str("expression_class") != "BOUND_COMPARISON" || isEquality(n.str("type")) {
					return
				}
				if l, r := b.term(n.child("left"), in), b.term(n.child("right"), in); b.severalRows(l, r) || b.terms[l].scale > 0 && b.terms[l].scale == b.terms[r].scale {
					b.unjudged(l, r)
				}
			})
		}
	}
}
