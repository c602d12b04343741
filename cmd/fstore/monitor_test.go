package main

import (
	"testing"
	"time"
)

// Rounds begin at whole steps after the first one, however long each takes.
func TestRoundsKeepTheirTimes(t *testing.T) {
	first := time.Date(2025, 12, 1, 0, 0, 7, 0, time.UTC)
	for after, want := range map[time.Duration]time.Duration{
		0:                            time.Hour,
		time.Minute:                  time.Hour,
		time.Hour - time.Nanosecond:  time.Hour,
		time.Hour:                    2 * time.Hour,
		150 * time.Minute:            3 * time.Hour, // the rounds at 1h and 2h are missed
		1000*time.Hour + time.Second: 1001 * time.Hour,
	} {
		if got := nextRound(first, first.Add(after), time.Hour); !got.Equal(first.Add(want)) {
			t.Errorf("after %s the next round is at %s, want %s", after, got.Sub(first), want)
		}
	}
}
