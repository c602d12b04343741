package fstore_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"pgregory.net/rapid"
)

func TestDurationsAreWrittenAndRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := fstore.Duration(rapid.Int64Range(0, (1<<63-1)/1000).Draw(t, "us") * 1000)
		got, err := fstore.ParseDuration(want.String())
		if err != nil || got != want {
			t.Fatalf("%d is written %s and read %d, %v", want, want, got, err)
		}
	})
}

func TestDurationsHaveOneForm(t *testing.T) {
	hour := fstore.Duration(time.Hour)
	for text, want := range map[string]struct {
		d    fstore.Duration
		text string
	}{
		"90d": {90 * 24 * hour, "90d"}, "1h30m": {hour * 3 / 2, "1h30m"}, "36h": {36 * hour, "1d12h"}, "2w": {14 * 24 * hour, "14d"}, "14d": {14 * 24 * hour, "14d"},
		"0s": {0, "0s"}, "60s": {hour / 60, "1m"}, "1500ms": {fstore.Duration(1500 * time.Millisecond), "1s500ms"}, "1us": {fstore.Duration(time.Microsecond), "1us"},
	} {
		got, err := fstore.ParseDuration(text)
		if err != nil || got != want.d || got.String() != want.text {
			t.Errorf("%s: got %d, written %s, %v", text, got, got, err)
		}
	}
	for _, text := range []string{"", "90", "d", "-1h", "1.5h", "1y", "1h 30m", "1H", "1ns", "99999999999999999999d", "106752d", "200000d200000d"} {
		if got, err := fstore.ParseDuration(text); err == nil {
			t.Errorf("%q: got %s", text, got)
		}
	}
	for text, tooLong := range map[string]bool{"106752d": true, "99999999999999999999d": true, "60000d60000d": true, "106752x": false, "106752d1": false, "9d9x": false} {
		if _, err := fstore.ParseDuration(text); err == nil || strings.Contains(err.Error(), "too long") != tooLong {
			t.Errorf("%q: got %v", text, err)
		}
	}
}

// Locks and fingerprints write whole weeks as weeks. Windows are written in days.
func TestDurationsKeepTheirStoredForm(t *testing.T) {
	week := fstore.Duration(7 * 24 * time.Hour)
	for _, c := range []struct {
		value any
		want  string
	}{
		{week, `"1w"`},
		{2 * week, `"2w"`},
		{week + week/7, `"8d"`},
		{fstore.Window{Function: fstore.Sum, Length: week, Hop: week / 28}, `{"function":"sum","length":"7d","hop":"6h"}`},
		{fstore.Window{Function: fstore.Count}, `{"function":"count"}`},
	} {
		got, err := json.Marshal(c.value)
		if err != nil || string(got) != c.want {
			t.Errorf("%v is %s, %v; want %s", c.value, got, err, c.want)
		}
	}
	var back fstore.Window
	if err := json.Unmarshal([]byte(`{"function":"sum","length":"7d","hop":"6h"}`), &back); err != nil || back.Length != week || back.Hop != week/28 {
		t.Errorf("read as %+v, %v", back, err)
	}
}

func TestInstantsAreReadAsUTCWithoutAZone(t *testing.T) {
	noon := time.Date(2011, 12, 9, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2011-12-09T12:00:00Z": noon, "2011-12-09T13:00:00+01:00": noon, "2011-12-09T12:00:00": noon, "2011-12-09 12:00:00": noon, "2011-12-09T12:00": noon,
		"2011-12-09 12:00": noon, "2011-12-09": noon.Add(-12 * time.Hour), "2011-12-09 12:00:00+00:00": noon,
		"2011-12-09T12:00:00.0000019Z": noon.Add(time.Microsecond), "1969-12-31T23:59:59.9999999Z": time.Unix(0, -1000).UTC(),
	} {
		if got, err := fstore.ParseTime(text); err != nil || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%s: got %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "noon", "2011-13-01", "1323432000", "2011-12-09T12:00:00 Z"} {
		if got, err := fstore.ParseTime(text); err == nil {
			t.Errorf("%q: got %v", text, got)
		}
	}
}

func TestInstantsSurviveAsMicrosecondsAndText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		us := rapid.Int64Range(-62135596800000000, 253402300799999999).Draw(t, "us")
		if got := fstore.Micros(fstore.FromMicros(us)); got != us {
			t.Fatalf("got %d", got)
		}
		at, err := fstore.ParseTime(fstore.FormatTime(fstore.FromMicros(us)))
		if err != nil || fstore.Micros(at) != us {
			t.Fatalf("got %v, %v", at, err)
		}
	})
}

func TestWhatIsPublishedWhen(t *testing.T) {
	day := fstore.Duration(24 * time.Hour)
	daily := &fstore.Publish{Every: day, Offset: fstore.Duration(2 * time.Hour), Delay: fstore.Duration(time.Hour)}
	for _, c := range []struct {
		schedule          *fstore.Publish
		at, servable, run string
	}{
		{nil, "2011-12-09T12:50:00.000001Z", "2011-12-09T12:50:00.000001Z", "2011-12-09T12:50:00.000001Z"},
		{daily, "2011-12-09T03:00:00Z", "2011-12-09T02:00:00Z", "2011-12-09T02:00:00Z"},
		{daily, "2011-12-09T02:59:59.999999Z", "2011-12-08T02:00:00Z", "2011-12-09T02:00:00Z"},
		{daily, "2011-12-09T02:00:00Z", "2011-12-08T02:00:00Z", "2011-12-09T02:00:00Z"},
		{daily, "2011-12-09T01:59:59.999999Z", "2011-12-08T02:00:00Z", "2011-12-08T02:00:00Z"},
		{daily, "1969-12-31T12:00:00Z", "1969-12-31T02:00:00Z", "1969-12-31T02:00:00Z"}, // before the epoch: down, not towards it
		{daily, "1969-12-31T01:59:59.999999Z", "1969-12-30T02:00:00Z", "1969-12-30T02:00:00Z"},
		{daily, "1969-12-31T02:00:00Z", "1969-12-30T02:00:00Z", "1969-12-31T02:00:00Z"},
		{&fstore.Publish{Every: day}, "1969-12-31T00:00:00Z", "1969-12-31T00:00:00Z", "1969-12-31T00:00:00Z"},
	} {
		at, err := fstore.ParseTime(c.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := fstore.FormatTime(c.schedule.Servable(at)); got != c.servable {
			t.Errorf("at %s: servable is %s, want %s", c.at, got, c.servable)
		}
		if got := fstore.FormatTime(c.schedule.Latest(at)); got != c.run {
			t.Errorf("at %s: a run publishes %s, want %s", c.at, got, c.run)
		}
	}
}

func TestThePublishedInstantIsTheLastOfTheGrid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		second := int64(time.Second)
		p := &fstore.Publish{
			Every:  fstore.Duration(rapid.Int64Range(1, 100_000).Draw(t, "every") * second),
			Offset: fstore.Duration(rapid.Int64Range(0, 200_000).Draw(t, "offset") * second),
			Delay:  fstore.Duration(rapid.Int64Range(0, 200_000).Draw(t, "delay") * second),
		}
		at := fstore.FromMicros(rapid.Int64Range(-4e15, 4e15).Draw(t, "at"))
		got, every := p.Latest(at), time.Duration(p.Every)
		if got.After(at) || !got.Add(every).After(at) {
			t.Fatalf("%s is not the last instant by %s", got, at)
		}
		if rest := (fstore.Micros(got) - p.Offset.Micros()) % p.Every.Micros(); rest != 0 {
			t.Fatalf("%s is %d µs beside the grid", got, rest)
		}
		if servable := p.Servable(at); !servable.Equal(p.Latest(at.Add(-time.Duration(p.Delay)))) {
			t.Fatalf("servable is %s", servable)
		}
	})
}
