package ondemand

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/ondemand/vector"
	"github.com/fstore-dev/fstore/ondemand/zone"
)

func timeTable() []*function {
	const t = "timestamp('2011-12-09T18:45:07Z')"
	all := []*function{
		calendar("year", "The year.", vector.Year, example{"year(" + t + ")", "2011"}),
		calendar("month", "The month, 1 to 12.", vector.Month, example{"month(" + t + ")", "12"}),
		calendar("day", "The day of the month, 1 to 31.", vector.Day,
			example{"day(" + t + ")", "9"}, example{"day(" + t + ", 'Asia/Kolkata')", "10"}),
		calendar("hour", "The hour, 0 to 23.", vector.Hour,
			example{"hour(" + t + ")", "18"}, example{"hour(" + t + ", 'Asia/Kolkata')", "0"}),
		calendar("minute", "The minute, 0 to 59.", vector.Minute, example{"minute(" + t + ", 'Asia/Kolkata')", "15"}),
		calendar("second", "The second, 0 to 59.", vector.Second, example{"second(" + t + ")", "7"}),
		calendar("weekday", "The day of the week of ISO 8601: 1 is Monday, 7 is Sunday.", vector.Weekday, example{"weekday(" + t + ")", "5"}),
		calendar("day_of_year", "The day of the year, 1 to 366.", vector.DayOfYear, example{"day_of_year(" + t + ")", "343"}),
		calendar("week", "The week of ISO 8601, 1 to 53. Weeks begin on Monday; the first week has the year's first Thursday.", vector.Week,
			example{"week(timestamp('2012-01-01'))", "52"}, example{"week(timestamp('2012-01-02'))", "1"}),
		dateTrunc(),
		duration("seconds", vector.InSeconds, example{"seconds(timestamp(90) - timestamp(0))", "90.0"}),
		duration("minutes", vector.InMinutes, example{"minutes(timestamp(90) - timestamp(0))", "1.5"}),
		duration("hours", vector.InHours, example{"hours(timestamp('2011-12-09') - timestamp('2011-12-10'))", "-24.0"}),
		duration("days", vector.InDays, example{"days(duration('36h'))", "1.5"}),
		{
			name: "duration", takes: []string{"duration(literal string) duration"},
			about:    "A length of time, written with the units w, d, h, m, s, ms and us: `duration('1d12h')`. A day has 24 hours.",
			examples: []example{{"timestamp('2011-12-09') - duration('90m')", "'2011-12-08T22:30:00Z'"}},
		},
	}
	for _, f := range all {
		f.group = timeGroup
	}
	return all
}

// calendar makes a function that reads a part of an instant's local time.
func calendar(name, about string, part func(m vector.Moment) int64, examples ...example) *function {
	inZone := sig(name+"(t timestamp, zone string) int64", vector.CalendarIn(part)).costing(10)
	inZone.bind = func(call *node, args []*node) (vector.Kernel, *badLiteral) {
		z, bad := zoneLiteral(args[1])
		if z == nil {
			return call.kernel, bad
		}
		return vector.Calendar(z, part), nil
	}
	return &function{
		name: name, about: about, errors: "t is outside the years 1 to 9999; a column holds an unknown zone",
		forms:    []*form{sig(name+"(t timestamp) int64", vector.Calendar(zone.UTC, part)).costing(5), inZone},
		examples: examples,
	}
}

// zoneLiteral returns the zone that a literal names; nil if the argument is no literal.
func zoneLiteral(arg *node) (*zone.Zone, *badLiteral) {
	if arg.kind != literalNode {
		return nil, nil
	}
	z, err := zone.Load(arg.lit.s)
	if err != nil {
		return nil, badText(arg, err)
	}
	return z, nil
}

// badText turns an error about a literal into one with a position.
func badText(at *node, err error) *badLiteral {
	message, hints := fstore.Explain(err)
	return &badLiteral{at, message, strings.Join(hints, "; ")}
}

func duration(unit string, length float64, e example) *function {
	return &function{
		name: unit, about: "A length of time in " + unit + ", with a fraction.",
		forms: []*form{sig(unit+"(d duration) float64", vector.Spans(length))}, examples: []example{e},
	}
}

func dateTrunc() *function {
	plain := sig("date_trunc(unit string, t timestamp) timestamp", nil).costing(10)
	plain.bind = func(_ *node, args []*node) (vector.Kernel, *badLiteral) {
		unit, bad := unitLiteral(args[0])
		return vector.Truncate(unit, zone.UTC), bad
	}
	inZone := sig("date_trunc(unit string, t timestamp, zone string) timestamp", nil).costing(20)
	inZone.bind = func(_ *node, args []*node) (vector.Kernel, *badLiteral) {
		unit, bad := unitLiteral(args[0])
		if bad != nil {
			return nil, bad
		}
		z, bad := zoneLiteral(args[2])
		if z == nil {
			return vector.TruncateIn(unit), bad
		}
		return vector.Truncate(unit, z), nil
	}
	return &function{
		name: "date_trunc",
		about: "The beginning of the second, minute, hour, day, week (Monday), month, quarter or year that holds t. " +
			"The unit is a literal. Units up to an hour are read on the local clock with the offset at t, so the hour that daylight saving repeats is two hours. " +
			"A longer unit begins with the first instant of its first local day, also where the clock skips midnight or repeats it.",
		errors: "t is outside the years 1 to 9999; a column holds an unknown zone",
		forms:  []*form{plain, inZone},
		examples: []example{
			{"date_trunc('month', timestamp('2011-12-09'))", "'2011-12-01T00:00:00Z'"},
			{"date_trunc('day', timestamp('2011-12-09T20:00:00Z'), 'Asia/Kolkata')", "'2011-12-09T18:30:00Z'"},
			{"date_trunc('day', timestamp('2018-11-04T12:00:00Z'), 'America/Sao_Paulo')", "'2018-11-04T03:00:00Z'"},
			{"date_trunc('hour', timestamp('2011-10-30T01:30:00Z'), 'Europe/Berlin')", "'2011-10-30T01:00:00Z'"},
		},
	}
}

func unitLiteral(arg *node) (vector.Unit, *badLiteral) {
	if arg.kind != literalNode {
		return vector.Unit{}, &badLiteral{arg, "the unit of date_trunc must be a literal", "for example 'day'"}
	}
	unit, ok := vector.Units[arg.lit.s]
	if !ok {
		names := slices.Sorted(maps.Keys(vector.Units))
		return unit, &badLiteral{arg, fmt.Sprintf("unknown unit %q", arg.lit.s), fstore.DidYouMean(arg.lit.s, names)}
	}
	return unit, nil
}
