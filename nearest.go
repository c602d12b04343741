package fstore

import (
	"fmt"
	"slices"
	"strings"
)

// DidYouMean returns `did you mean "x"?` for the known name nearest to s, or else the list of known names if it is
// short, or else "".
func DidYouMean(s string, known []string) string {
	best, distance := "", 1+max(1, len(s)/3)
	for _, k := range slices.Sorted(slices.Values(known)) {
		if d := editDistance(strings.ToLower(s), strings.ToLower(k), distance); d < distance {
			best, distance = k, d
		}
	}
	switch {
	case best != "":
		return fmt.Sprintf("did you mean %q?", best)
	case len(known) == 0:
		return ""
	case len(known) <= 12:
		return "known: " + strings.Join(slices.Sorted(slices.Values(known)), ", ")
	}
	return ""
}

// FeatureHint says which feature may be meant by a name that a view does not have: those of the windows of an aggregation, or
// the one with the nearest name.
func (v *View) FeatureHint(name string) string {
	var windows []string
	for _, f := range v.Features {
		if f.Window != nil && strings.HasPrefix(f.Name, name+"_") {
			windows = append(windows, f.Name)
		}
	}
	if len(windows) > 0 {
		return "each window is a feature: " + strings.Join(windows, ", ")
	}
	return DidYouMean(name, v.FeatureNames())
}

// editDistance counts the insertions, deletions, replacements and swaps of neighbours between a and b; any
// number from limit on means limit or more.
func editDistance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	two, one, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range one {
		one[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(one[j]+1, row[j-1]+1, one[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], two[j-2]+1)
			}
		}
		two, one, row = one, row, two
	}
	return one[len(b)]
}
