package terminal

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The lines without those that came are the old text, and without those that went the new one.
func TestLineDiffHasBothTexts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", ""}), 0, 8)
		old, now := text.Draw(t, "old"), text.Draw(t, "now")
		var was, is []string
		for _, l := range LineDiff(old, now) {
			if l[0] != '+' {
				was = append(was, l[2:])
			}
			if l[0] != '-' {
				is = append(is, l[2:])
			}
		}
		if !slices.Equal(was, old) || !slices.Equal(is, now) {
			t.Fatalf("%q and %q give %q", old, now, LineDiff(old, now))
		}
	})
}

func TestLineDiffOfLongTexts(t *testing.T) {
	old := strings.Split(strings.Repeat("a\n", 100_000), "\n")
	now := append([]string{"b"}, strings.Split(strings.Repeat("c\n", 100_000), "\n")...)
	if got := LineDiff(old, now); len(got) != len(old)+len(now)-1 { // both end with an empty line
		t.Errorf("%d lines", len(got))
	}
}
