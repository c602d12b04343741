package vector

import (
	"github.com/fstore-dev/fstore/ondemand/zone"
)

// clock turns instants into local times. It remembers the last offset, which the next instant usually has too.
type clock struct {
	zone                 *zone.Zone
	offset, from, before int64
}

func newClock(z *zone.Zone) clock { return clock{zone: z, from: 1} }

// at returns the offset of an instant.
func (k *clock) at(us int64) int64 {
	if us < k.from || us >= k.before {
		k.offset, k.from, k.before = k.zone.Offset(us)
	}
	return k.offset
}

// Moment is a local time: days since 1970-01-01, and microseconds since midnight.
type Moment struct{ day, clock int64 }

const (
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
)

func momentOf(local int64) Moment {
	days := floorDiv(local, day)
	return Moment{days, local - days*day}
}

// Calendar returns a kernel that reads a part of the local time in a zone.
func Calendar(z *zone.Zone, part func(Moment) int64) Kernel {
	return func(c *Call) {
		k := newClock(z)
		a, out := c.Args[0].Ints[:c.N], c.Out.IntsFor(c.N)
		for i := range out {
			out[i] = 0
			if c.calendar(i, a[i]) {
				out[i] = part(momentOf(a[i] + k.at(a[i])))
			}
		}
	}
}

// calendar reports whether an operand has a date. If not, the row fails.
func (c *Call) calendar(i int, us int64) bool {
	if us < FirstInstant || us > LastInstant {
		c.Fail(i, InstantRange)
		return false
	}
	return true
}

// CalendarIn returns a kernel that reads a part of the local time in the zone of the second operand.
func CalendarIn(part func(Moment) int64) Kernel {
	return inZones(0, func(_ *Call, _ int, k *clock, us int64) int64 { return part(momentOf(us + k.at(us))) })
}

// inZones returns a kernel over the instants of an operand, each in the zone that the next operand names.
func inZones(operand int, of func(c *Call, i int, k *clock, us int64) int64) Kernel {
	return func(c *Call) {
		var k clock
		last := ""
		a, zones, out := c.Args[operand].Ints[:c.N], c.Args[operand+1].Texts[:c.N], c.Out.IntsFor(c.N)
		for i := range out {
			if out[i] = 0; c.Skip(i) || !c.calendar(i, a[i]) || !c.zoneOf(i, zones[i], &last, &k) {
				continue
			}
			out[i] = of(c, i, &k, a[i])
		}
	}
}

// zoneOf sets the clock to the zone of row i. It reports whether there is such a zone; if not, the row fails.
func (c *Call) zoneOf(i int, name string, last *string, k *clock) bool {
	if k.zone != nil && name == *last {
		return true
	}
	z := zone.Known(name)
	if z == nil {
		c.Fail(i, UnknownZone)
		return false
	}
	*last, *k = name, newClock(z)
	return true
}

// Year returns the year.
func Year(m Moment) int64 {
	y, _, _ := civil(m.day)
	return y
}

// Month returns 1 to 12.
func Month(m Moment) int64 {
	_, month, _ := civil(m.day)
	return month
}

// Day returns the day of the month.
func Day(m Moment) int64 {
	_, _, d := civil(m.day)
	return d
}

// Hour returns 0 to 23.
func Hour(m Moment) int64 { return m.clock / hour }

// Minute returns 0 to 59.
func Minute(m Moment) int64 { return m.clock % hour / minute }

// Second returns 0 to 59.
func Second(m Moment) int64 { return m.clock % minute / second }

// Weekday returns 1 for Monday to 7 for Sunday.
func Weekday(m Moment) int64 { return floorMod(m.day+3, 7) + 1 }

// DayOfYear returns 1 for the first of January.
func DayOfYear(m Moment) int64 { return m.day - dayOf(Year(m), 1, 1) + 1 }

// Week returns the week of ISO 8601: weeks begin on Monday, and belong to the year of their Thursday.
func Week(m Moment) int64 {
	thursday := Moment{day: m.day - Weekday(m) + 4}
	return (DayOfYear(thursday)-1)/7 + 1
}

func floorMod(a, b int64) int64 { return a - floorDiv(a, b)*b }

// civil returns the date of a day of the proleptic Gregorian calendar. It counts years from March, so that a leap day
// is the last of its year, in eras of 400 years.
func civil(days int64) (year, month, dayOfMonth int64) {
	days += 719468 // to 0000-03-01
	era := floorDiv(days, 146097)
	d := days - era*146097
	y := (d - d/1460 + d/36524 - d/146096) / 365
	d -= 365*y + y/4 - y/100
	m := (5*d + 2) / 153 // 0 is March
	dayOfMonth = d - (153*m+2)/5 + 1
	year = era*400 + y
	if m < 10 {
		return year, m + 3, dayOfMonth
	}
	return year + 1, m - 9, dayOfMonth
}

// dayOf is the inverse of civil.
func dayOf(year, month, dayOfMonth int64) int64 {
	m := month - 3
	if m < 0 {
		year, m = year-1, m+12
	}
	era := floorDiv(year, 400)
	y := year - era*400
	return era*146097 + y*365 + y/4 - y/100 + (153*m+2)/5 + dayOfMonth - 1 - 719468
}
