package vector

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fstore-dev/fstore/ondemand/zone"
)

// Every part of a local time is the one of package time.
func TestCalendarAgreesWithPackageTime(t *testing.T) {
	kolkata, err := zone.Load("Asia/Kolkata")
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		us := rapid.Int64Range(FirstInstant, LastInstant).Draw(t, "us")
		for _, z := range []*zone.Zone{zone.UTC, kolkata} {
			k := newClock(z)
			offset := k.at(us)
			local := time.UnixMicro(us + offset).UTC()
			m := momentOf(us + offset)
			weekday := (int(local.Weekday())+6)%7 + 1
			_, week := local.ISOWeek()
			got := []int64{Year(m), Month(m), Day(m), Hour(m), Minute(m), Second(m), Weekday(m), DayOfYear(m), Week(m)}
			want := []int{local.Year(), int(local.Month()), local.Day(), local.Hour(), local.Minute(), local.Second(), weekday, local.YearDay(), week}
			for i, w := range want {
				if got[i] != int64(w) {
					t.Fatalf("%s: part %d is %d, not %d", local, i, got[i], w)
				}
			}
			if back := dayOf(Year(m), Month(m), Day(m)); back != m.day {
				t.Fatalf("%s: day %d, not %d", local, back, m.day)
			}
		}
	})
}

func TestTruncate(t *testing.T) {
	for _, test := range []struct{ unit, zone, at, want string }{
		{"day", "Europe/Berlin", "2021-03-28T12:00:00Z", "2021-03-27T23:00:00Z"},       // the clock is set forward at 01:00 UTC
		{"day", "Europe/Berlin", "2021-10-31T12:00:00Z", "2021-10-30T22:00:00Z"},       // and back
		{"hour", "Europe/Berlin", "2021-10-31T00:30:00Z", "2021-10-31T00:00:00Z"},      // the first 2 o'clock
		{"hour", "Europe/Berlin", "2021-10-31T01:30:00Z", "2021-10-31T01:00:00Z"},      // the second
		{"hour", "Asia/Kolkata", "2021-10-31T01:15:00Z", "2021-10-31T00:30:00Z"},       // half an hour off
		{"day", "America/Sao_Paulo", "2018-11-04T05:00:00Z", "2018-11-04T03:00:00Z"},   // midnight is skipped
		{"month", "America/Sao_Paulo", "2018-11-20T05:00:00Z", "2018-11-01T03:00:00Z"}, // the offset has changed since
		{"day", "America/Havana", "2021-11-07T12:00:00Z", "2021-11-07T04:00:00Z"},      // midnight comes twice: the first
		{"day", "Pacific/Apia", "2011-12-30T12:00:00Z", "2011-12-30T10:00:00Z"},        // the 30th is skipped
		{"week", "UTC", "2012-01-01T12:00:00Z", "2011-12-26T00:00:00Z"},
		{"quarter", "UTC", "2012-06-30T23:59:59Z", "2012-04-01T00:00:00Z"},
		{"year", "UTC", "1969-06-30T00:00:00Z", "1969-01-01T00:00:00Z"},
		{"second", "UTC", "1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59Z"},
		{"minute", "Africa/Monrovia", "1972-01-01T12:00:40Z", "1972-01-01T12:00:30Z"}, // 44 minutes 30 behind
	} {
		z, err := zone.Load(test.zone)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, test.at)
		if err != nil {
			t.Fatal(err)
		}
		k := newClock(z)
		if got := time.UnixMicro(Units[test.unit].truncate(&k, at.UnixMicro())).UTC().Format(time.RFC3339); got != test.want {
			t.Errorf("%s of %s in %s: %s, not %s", test.unit, test.at, test.zone, got, test.want)
		}
	}
}

// The beginning of a day, in any zone at any instant: it is not after the instant, it is in the same local day, and the
// instant before it is in an earlier one.
func TestBeginningOfADay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{
			"America/Sao_Paulo", "America/Havana", "Pacific/Apia", "Asia/Beirut", "Atlantic/Azores", "Africa/Cairo", "Asia/Kathmandu", "UTC",
		}).Draw(t, "zone")
		z, err := zone.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		us := rapid.Int64Range(-2_000_000_000*second, 3_000_000_000*second).Draw(t, "us")
		k := newClock(z)
		date := func(us int64) int64 { return momentOf(us + k.at(us)).day }
		got := Units["day"].truncate(&k, us)
		if got > us || date(got) != date(us) || date(got-1) >= date(us) {
			t.Fatalf("%s, %s: begins at %s", name, time.UnixMicro(us).UTC(), time.UnixMicro(got).UTC())
		}
	})
}
