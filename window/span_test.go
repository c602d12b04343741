package window

import (
	"math"
	"os"
	"regexp"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fstore-dev/fstore"
)

const (
	hour = int64(time.Hour / time.Microsecond)
	day  = 24 * hour
)

func TestAWindowHasItsEndAndNotItsStart(t *testing.T) {
	for _, c := range []struct {
		name     string
		span     Span
		event, t int64
		holds    bool
	}{
		{"at the end", Span{day, 1}, day, day, true},
		{"after the end", Span{day, 1}, day + 1, day, false},
		{"at the start", Span{day, 1}, 0, day, false},
		{"after the start", Span{day, 1}, 1, day, true},
		{"before 1970, at the start", Span{day, 1}, -3 * day, -2 * day, false},
		{"before 1970, after the start", Span{day, 1}, -3*day + 1, -2 * day, true},
		{"a hop moves the start back", Span{day, 10}, day - 9, 2*day - 1, true},
		{"a hop moves the start back before 1970", Span{day, 10}, -2*day - 9, -day - 1, true},
		{"the start of a hop", Span{day, 10}, day - 10, 2*day - 1, false},
		{"a lifetime has no start", Span{}, math.MinInt64, day, true},
		{"a lifetime has an end", Span{}, day + 1, day, false},
		{"the first instants", Span{day, day}, math.MinInt64 + 1, math.MinInt64 + 2, true},
	} {
		if got := c.span.Holds(c.event, c.t); got != c.holds {
			t.Errorf("%s: Holds(%d, %d) of %+v = %v", c.name, c.event, c.t, c.span, got)
		}
	}
}

func drawSpan(t *rapid.T) Span {
	hop := rapid.Int64Range(1, 50).Draw(t, "hop")
	return Span{Length: hop * rapid.Int64Range(1, 20).Draw(t, "hops"), Hop: hop}
}

// An event counts from itself until the instant before its exit.
func TestEventsCountUntilTheirExit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSpan(t)
		event := rapid.Int64Range(-3000, 3000).Draw(t, "event")
		exit := s.Exit(event)
		for at := event - 3; at < exit+3*s.Hop; at++ {
			if want := event <= at && at < exit; s.Holds(event, at) != want {
				t.Fatalf("%+v, event %d, exit %d: at %d it counts: %v", s, event, exit, at, !want)
			}
		}
	})
}

// A window covers whole tiles from its start on.
func TestWindowsCoverWholeTiles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSpan(t)
		at := rapid.Int64Range(-3000, 3000).Draw(t, "at")
		event := rapid.Int64Range(at-2*s.Length, at).Draw(t, "event")
		start := s.Start(at)
		if start%s.Hop != 0 {
			t.Fatalf("%+v starts at %d, which is no boundary", s, start)
		}
		if got, want := Tile(event, s.Hop) >= start/s.Hop, s.Holds(event, at); got != want {
			t.Fatalf("%+v at %d, event %d in tile %d: counts %v by tiles, %v by its instant", s, at, event, Tile(event, s.Hop), got, want)
		}
		if i := Tile(event, s.Hop); !(i*s.Hop < event && event <= (i+1)*s.Hop) {
			t.Fatalf("event %d is in tile %d of %d", event, i, s.Hop)
		}
	})
}

func TestInstantsBeyondTheRangeAreHeld(t *testing.T) {
	s := Span{Length: math.MaxInt64 / 2, Hop: day}
	if got := s.Start(math.MinInt64 + 5); got != math.MinInt64 {
		t.Errorf("Start = %d", got)
	}
	if got := s.Exit(math.MaxInt64 - 5); got != math.MaxInt64 {
		t.Errorf("Exit = %d", got)
	}
	if got := (Span{}).Exit(0); got != math.MaxInt64 {
		t.Errorf("Exit of a lifetime = %d", got)
	}
}

func TestDefaultHops(t *testing.T) {
	for length, want := range map[string]string{
		"11s": "0s", "12s": "1s", "1m": "5s", "10m": "15s", "1h": "5m", "12h": "1h", "1d": "1h", "7d": "6h", "30d": "1d", "90d": "3d", "365d": "30d",
	} {
		d, err := fstore.ParseDuration(length)
		if err != nil {
			t.Fatal(err)
		}
		if got := DefaultHop(d).String(); got != want {
			t.Errorf("the default hop of %s is %s, want %s", length, got, want)
		}
	}
	for i, h := range hops[1:] {
		if h%hops[i] != 0 {
			t.Errorf("%s does not divide %s", hops[i], h)
		}
	}
}

// The table of hops in the documentation is true at each of its bounds, and just below.
func TestTheDocumentedHopsAreTheDefault(t *testing.T) {
	page, err := os.ReadFile("../docs/windows.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`\| from (\S+) \| (\S+) \|`).FindAllStringSubmatch(string(page), -1)
	if len(rows) != len(hops) {
		t.Fatalf("the page lists %d hops, and there are %d", len(rows), len(hops))
	}
	before := "0s"
	for _, row := range rows {
		length, err := fstore.ParseDuration(row[1])
		if err != nil {
			t.Fatal(err)
		}
		if got := DefaultHop(length).String(); got != row[2] {
			t.Errorf("the default hop of %s is %s, and the page says %s", row[1], got, row[2])
		}
		if got := DefaultHop(length - 1000).String(); got != before {
			t.Errorf("the default hop below %s is %s, and the page says %s", row[1], got, before)
		}
		before = row[2]
	}
}
