package sqlgate

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
)

// This file relates instants. An edge from one term to another says by how much the first can be later: no more than
// so many microseconds. Terms that count time in another unit, as epoch(ts) does, take part with their scale.

// edge says that a term is at most by microseconds later than the term to. If by is infinite, the two are related,
// and nothing more is known.
type edge struct {
	to int
	by float64
}

const (
	second = 1e6
	hour   = 3600 * second
	day    = 24 * hour
)

// anyTime is the term that bounds what the gate cannot judge.
func (b *binding) anyTime() int { return b.constant("any time") }

// atMost records that one term is at most by microseconds later than another.
func (b *binding) atMost(earlier, later int, by float64) {
	b.edges[earlier] = append(b.edges[earlier], edge{later, by})
}

// within records that a term is between of + low and of + high.
func (b *binding) within(t, of int, s span) {
	b.atMost(of, t, -s.low)
	b.atMost(t, of, s.high)
}

func (b *binding) equal(x, y int) { b.within(x, y, span{}) }

// bounds returns by how much a term can be later than each term that it is related to.
func (b *binding) bounds(t int) map[int]float64 {
	out := map[int]float64{t: 0}
	visits := map[int]int{}
	for queue := []int{t}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if visits[at]++; visits[at] > 50 {
			continue // conditions that contradict each other
		}
		for _, e := range b.edges[at] {
			by := out[at] + e.by
			if had, ok := out[e.to]; !ok || by < had {
				out[e.to] = by
				queue = append(queue, e.to)
			}
		}
	}
	return out
}

// span is a range of microseconds.
type span struct{ low, high float64 }

func (s span) times(n float64) span {
	return span{math.Min(s.low*n, s.high*n), math.Max(s.low*n, s.high*n)}
}

// unitSpans are the lengths of the units of date_trunc and of intervals.
var unitSpans = map[string]span{
	"microsecond": {1, 1}, "millisecond": {1e3, 1e3}, "second": {second, second}, "minute": {60 * second, 60 * second}, "hour": {hour, hour},
	"day": {day, day}, "week": {7 * day, 7 * day}, "month": {28 * day, 31 * day}, "quarter": {90 * day, 92 * day},
	"year": {365 * day, 366 * day}, "decade": {3652 * day, 3653 * day}, "century": {36524 * day, 36525 * day}, "millennium": {365242 * day, 365243 * day},
}

var otherUnits = map[string]string{
	"s": "second", "sec": "second", "secs": "second", "m": "minute", "min": "minute", "mins": "minute", "h": "hour", "hr": "hour", "hrs": "hour",
	"d": "day", "w": "week", "mon": "month", "y": "year", "yr": "year", "us": "microsecond", "ms": "millisecond",
	"centuries": "century", "millennia": "millennium",
}

func unitSpan(name string) (span, bool) {
	name = strings.ToLower(name)
	if full, ok := otherUnits[name]; ok {
		name = full
	}
	s, ok := unitSpans[strings.TrimSuffix(name, "s")]
	return s, ok
}

// number returns the value of an expression that is a constant number.
func number(e node) (float64, bool) {
	switch e.str("expression_class") {
	case "BOUND_CAST":
		return number(e.child("child"))
	case "BOUND_CONSTANT":
		n, _ := e.child("value")["value"].(json.Number)
		v, err := strconv.ParseFloat(string(n), 64)
		if scale := index(typeOf(e).child("type_info")["scale"]); err == nil && scale > 0 { // the engine writes decimals as integers
			v /= math.Pow10(scale)
		}
		return v, err == nil
	}
	args := e.list("children")
	if name := e.str("name"); len(args) == 1 && (name == "-" || name == "trunc") {
		v, ok := number(asNode(args[0]))
		if name == "-" {
			v = -v
		}
		return v, ok
	}
	return 0, false
}

// interval returns the length of an expression that is a constant interval.
func interval(e node) (span, bool) {
	args := e.list("children")
	switch {
	case e.str("expression_class") == "BOUND_CAST":
		return interval(e.child("child"))
	case e.str("expression_class") == "BOUND_CONSTANT":
		text, _ := e.child("value")["value"].(string)
		return intervalText(text)
	case strings.HasPrefix(e.str("name"), "to_") && len(args) == 1:
		n, constant := number(asNode(args[0]))
		unit, known := unitSpan(strings.TrimPrefix(e.str("name"), "to_"))
		return unit.times(n), constant && known
	case e.str("name") == "*" && len(args) == 2:
		for i := range args {
			n, constant := number(asNode(args[1-i]))
			if s, ok := interval(asNode(args[i])); ok && constant {
				return s.times(n), true
			}
		}
	case e.str("name") == "-" && len(args) == 1:
		s, ok := interval(asNode(args[0]))
		return s.times(-1), ok
	}
	return span{}, false
}

// intervalText reads an interval such as "1 hour 30 minutes".
func intervalText(text string) (span, bool) {
	words := strings.Fields(text)
	var out span
	for i := 0; i+1 < len(words); i += 2 {
		n, err := strconv.ParseFloat(words[i], 64)
		unit, known := unitSpan(words[i+1])
		if err != nil || !known {
			return span{}, false
		}
		unit = unit.times(n)
		out.low, out.high = out.low+unit.low, out.high+unit.high
	}
	return out, len(words) > 0 && len(words)%2 == 0
}

func isTemporal(typ node) bool {
	return typ.str("id") == "DATE" || strings.HasPrefix(typ.str("id"), "TIMESTAMP")
}

// epochs are the functions between instants and numbers of some unit.
var (
	epochs   = map[string]float64{"epoch": second, "epoch_ms": 1e3, "epoch_us": 1, "epoch_ns": 1e-3}
	instants = map[string]float64{"to_timestamp": second, "epoch_ms": 1e3, "make_timestamp_ms": 1e3, "make_timestamp": 1, "make_timestamp_ns": 1e-3}
)

// relate records what the expression of a new term says about its instant. An expression that is unknown counts as
// no earlier than what it is computed from, so that nothing is said of it.
func (b *binding) relate(t int, e node, in []int) {
	for _, o := range b.terms[t].of {
		b.atMost(o, t, math.Inf(1))
	}
	if isTemporal(typeOf(e)) {
		b.terms[t].scale = 1
	}
	args := e.list("children")
	var of []int
	for _, a := range args {
		of = append(of, b.term(asNode(a), in))
	}
	known := false
	switch {
	case e.str("expression_class") == "BOUND_CAST":
		known = b.relateCast(t, e, in)
	case e.str("expression_class") == "BOUND_FUNCTION" && isTemporal(typeOf(e)):
		known = b.relateInstant(t, strings.ToLower(e.str("name")), args, of)
	case e.str("expression_class") == "BOUND_FUNCTION":
		b.relateNumber(t, strings.ToLower(e.str("name")), args, of)
	}
	if !known && isTemporal(typeOf(e)) {
		b.eachInstant(t, func(o int) { b.atMost(o, t, 0) })
	}
}

// eachInstant visits the nearest instants that a term is computed from.
func (b *binding) eachInstant(t int, visit func(int)) {
	seen := map[int]bool{}
	var walk func(t int)
	walk = func(t int) {
		for _, o := range b.terms[t].of {
			switch {
			case seen[o]:
			case b.terms[o].scale == 1:
				visit(o)
			default:
				walk(o)
			}
			seen[o] = true
		}
	}
	walk(t)
}

func (b *binding) relateCast(t int, e node, in []int) bool {
	c := b.term(e.child("child"), in)
	from, to := typeOf(e.child("child")), typeOf(e)
	scale := b.terms[c].scale
	switch {
	case isTemporal(to) && !isTemporal(from):
		return false
	case to.str("id") == "DATE":
		b.within(t, c, span{-day, 0})
	case to.str("id") == "TIMESTAMP_S":
		b.within(t, c, span{-second, 0})
	case isTemporal(to):
		b.equal(t, c)
	case scale == 0 || isTemporal(from):
		return false
	case isFloat(from.str("id")) && !isFloat(to.str("id")): // rounds
		b.terms[t].scale = scale
		b.within(t, c, span{-scale / 2, scale / 2})
	default:
		b.terms[t].scale = scale
		b.equal(t, c)
	}
	return true
}

// relateInstant relates the result of a function that returns an instant.
func (b *binding) relateInstant(t int, name string, args []any, of []int) bool {
	arg := func(i int) node { return asNode(args[i]) }
	switch {
	case name == "greatest":
		for _, o := range of {
			b.atMost(o, t, 0)
		}
		return true
	case name == "least":
		for _, o := range of {
			b.atMost(t, o, 0)
		}
		return true
	case instants[name] > 0 && len(args) == 1 && b.terms[of[0]].scale == instants[name]:
		b.equal(t, of[0])
		return true
	case name == "last_day" && len(args) == 1:
		b.within(t, of[0], span{-day, 31 * day})
		return true
	case (name == "date_trunc" || name == "datetrunc") && len(args) == 2:
		text, _ := arg(0).child("value")["value"].(string)
		unit, ok := unitSpan(text)
		if ok {
			b.within(t, of[1], span{-unit.high, 0})
		}
		return ok
	case name == "time_bucket" && len(args) >= 2:
		width, ok := interval(arg(0))
		if ok {
			b.within(t, of[1], span{-width.high, 0})
		}
		return ok
	case len(args) != 2:
		return false
	}
	for i, sign := range map[string][]float64{"+": {1, 1}, "add": {1, 1}, "date_add": {1, 1}, "-": {-1}, "subtract": {-1}}[name] {
		shift, ok := interval(arg(1 - i))
		if days, isNumber := number(arg(1 - i)); isNumber && !ok {
			shift, ok = span{days * day, days * day}, true
		}
		if ok && isTemporal(typeOf(arg(i))) {
			b.within(t, of[i], shift.times(sign))
			return true
		}
	}
	return false
}

// relateNumber relates the result of a function that counts time.
func (b *binding) relateNumber(t int, name string, args []any, of []int) {
	if len(args) == 1 && epochs[name] > 0 && b.terms[of[0]].scale == 1 {
		b.terms[t].scale = epochs[name]
		b.equal(t, of[0])
		return
	}
	if len(args) == 0 || b.terms[of[0]].scale == 0 || isTemporal(typeOf(asNode(args[0]))) {
		return
	}
	scale := b.terms[of[0]].scale
	set := func(scale float64, s span) {
		b.terms[t].scale = scale
		b.within(t, of[0], s)
	}
	if len(args) == 1 {
		switch name {
		case "floor", "trunc":
			set(scale, span{-scale, 0})
		case "ceil", "ceiling":
			set(scale, span{0, scale})
		case "round":
			set(scale, span{-scale / 2, scale / 2})
		}
		return
	}
	n, constant := number(asNode(args[1]))
	if rest := asNode(args[1]); name == "-" && len(rest.list("children")) == 2 && slices.Contains([]string{"%", "mod", "fmod"}, rest.str("name")) { // x - x % 3600
		operands := rest.list("children")
		if width, ok := number(asNode(operands[len(operands)-1])); ok && slices.Contains(b.terms[of[1]].of, of[0]) {
			set(scale, span{-width * scale, 0})
		}
		return
	}
	if !constant || n == 0 {
		return
	}
	switch name {
	case "*":
		set(scale/n, span{})
	case "/":
		set(scale*n, span{})
	case "//":
		set(scale*n, span{-scale * n, 0})
	case "+":
		set(scale, span{n * scale, n * scale})
	case "-":
		set(scale, span{-n * scale, -n * scale})
	}
}
