package vector

import (
	"github.com/fstore-dev/fstore/ondemand/zone"
)

// AddInstant adds a length of time to an instant. The operand instant says which of the two is the instant.
func AddInstant(instant int) Kernel {
	return func(c *Call) {
		a, b, out := c.Args[instant].Ints[:c.N], c.Args[1-instant].Ints[:c.N], c.Out.IntsFor(c.N)
		for i := range out {
			out[i] = c.moved(i, a[i], b[i])
		}
	}
}

// SubInstant moves an instant back by a length of time.
func SubInstant(c *Call) {
	a, b, out := c.Args[0].Ints[:c.N], c.Args[1].Ints[:c.N], c.Out.IntsFor(c.N)
	for i := range out {
		out[i] = c.moved(i, a[i], -b[i])
	}
}

// moved returns the instant at a distance from another. No length of time is so long that the sum overflows: see span.
func (c *Call) moved(i int, us, by int64) int64 {
	if !c.calendar(i, us) {
		return 0
	}
	return c.instant(i, us+by)
}

// longestSpan is the longest length of time: from the first instant to the last.
const longestSpan = LastInstant - FirstInstant

// span returns a length of time that row i has computed. The row fails if it is longer than all time.
func (c *Call) span(i int, us int64) int64 {
	if us < -longestSpan || us > longestSpan {
		c.Fail(i, InstantRange)
		return 0
	}
	return us
}

// Between returns the time from the second operand to the first.
func Between(c *Call) {
	a, b, out := c.Args[0].Ints[:c.N], c.Args[1].Ints[:c.N], c.Out.IntsFor(c.N)
	for i := range out {
		if out[i] = 0; c.calendar(i, a[i]) && c.calendar(i, b[i]) {
			out[i] = a[i] - b[i]
		}
	}
}

// AddSpans adds two lengths of time.
func AddSpans(c *Call) {
	a, b, out := c.Args[0].Ints[:c.N], c.Args[1].Ints[:c.N], c.Out.IntsFor(c.N)
	for i := range out {
		out[i] = c.span(i, a[i]+b[i])
	}
}

// SubSpans subtracts a length of time from another.
func SubSpans(c *Call) {
	a, b, out := c.Args[0].Ints[:c.N], c.Args[1].Ints[:c.N], c.Out.IntsFor(c.N)
	for i := range out {
		out[i] = c.span(i, a[i]-b[i])
	}
}

// Spans returns a kernel that says how many units a length of time has, with a fraction.
func Spans(unit float64) Kernel {
	return func(c *Call) {
		a, out := c.Args[0].Ints[:c.N], c.Out.FloatsFor(c.N)
		for i := range out {
			out[i] = float64(a[i]) / unit
		}
	}
}

// The units of Spans, in microseconds.
const (
	InSeconds float64 = second
	InMinutes float64 = minute
	InHours   float64 = hour
	InDays    float64 = day
)

// Unit is a unit of date_trunc.
type Unit struct {
	length int64               // of the units that have one, up to an hour
	first  func(d int64) int64 // the first day of the longer units
}

// Units has the units of date_trunc by name.
var Units = map[string]Unit{
	"second": {length: second}, "minute": {length: minute}, "hour": {length: hour},
	"day":  {first: func(d int64) int64 { return d }},
	"week": {first: func(d int64) int64 { return d - Weekday(Moment{day: d}) + 1 }},
	"month": {first: func(d int64) int64 {
		y, m, _ := civil(d)
		return dayOf(y, m, 1)
	}},
	"quarter": {first: func(d int64) int64 {
		y, m, _ := civil(d)
		return dayOf(y, m-(m-1)%3, 1)
	}},
	"year": {first: func(d int64) int64 {
		y, _, _ := civil(d)
		return dayOf(y, 1, 1)
	}},
}

// Truncate returns a kernel for date_trunc in a zone. The instant is the second operand.
func Truncate(unit Unit, z *zone.Zone) Kernel {
	return func(c *Call) {
		k := newClock(z)
		a, out := c.Args[1].Ints[:c.N], c.Out.IntsFor(c.N)
		for i := range out {
			if out[i] = 0; c.calendar(i, a[i]) {
				out[i] = c.instant(i, unit.truncate(&k, a[i]))
			}
		}
	}
}

// TruncateIn is Truncate with a third operand for the zone.
func TruncateIn(unit Unit) Kernel {
	return inZones(1, func(c *Call, i int, k *clock, us int64) int64 { return c.instant(i, unit.truncate(k, us)) })
}

// truncate returns the beginning of the unit that holds an instant. Units up to an hour count on the local clock with the
// instant's own offset: the two hours from 1 to 2 o'clock, when a clock is set back, are two hours. Longer units begin
// with the first instant of their first local day.
func (u Unit) truncate(k *clock, us int64) int64 {
	offset := k.at(us)
	if u.length > 0 {
		local := us + offset
		return local - floorMod(local, u.length) - offset
	}
	return k.beginning(u.first(momentOf(us+offset).day) * day)
}

// beginning returns the first instant whose local time is a midnight, or follows it where the clock skips the midnight.
func (k *clock) beginning(midnight int64) int64 {
	before := k.at(midnight - day) // no offset reaches a day, and no zone changes twice within two days
	us := midnight - before
	if k.at(us) == before {
		return us
	}
	changed, after := k.from, k.offset
	if us = midnight - after; k.at(us) == after && us >= changed {
		return us
	}
	return changed
}
