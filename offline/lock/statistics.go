package lock

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/fstore-dev/fstore/stats"
)

// against says in which figures the statistics of a column differ, old and new.
func against(s, now *stats.Statistics) string {
	var out []string
	add := func(name, old, new string) {
		if old != new {
			out = append(out, fmt.Sprintf("%s %s → %s", name, orNone(old), orNone(new)))
		}
	}
	add("count", strconv.FormatInt(s.Count, 10), strconv.FormatInt(now.Count, 10))
	add("nulls", strconv.FormatInt(s.Nulls, 10), strconv.FormatInt(now.Nulls, 10))
	add("NaNs", strconv.FormatInt(s.NaNs, 10), strconv.FormatInt(now.NaNs, 10))
	add("-Infinity", strconv.FormatInt(s.Low, 10), strconv.FormatInt(now.Low, 10))
	add("Infinity", strconv.FormatInt(s.High, 10), strconv.FormatInt(now.High, 10))
	add("other categories", strconv.FormatInt(s.Other, 10), strconv.FormatInt(now.Other, 10))
	number := func(name string, old, new *float64) {
		short, shortNew := shortFloat(old, 6), shortFloat(new, 6)
		if short == shortNew { // they differ in later digits, if at all
			short, shortNew = shortFloat(old, -1), shortFloat(new, -1)
		}
		add(name, short, shortNew)
	}
	number("mean", s.Mean, now.Mean)
	add("min", string(s.Min), string(now.Min))
	add("max", string(s.Max), string(now.Max))
	number("stddev", s.Stddev, now.Stddev)
	add("distinct", distinct(s), distinct(now))
	if differ := binsThatDiffer(s.Histogram, now.Histogram); differ != "" {
		out = append(out, differ)
	}
	for _, part := range []struct {
		name     string
		old, now *stats.Statistics
	}{{"age", s.Age, now.Age}, {"norm", s.Norm, now.Norm}, {"cosine", s.Cosine, now.Cosine}} {
		if part.old != nil && part.now != nil { // else another build wrote one of the locks
			if what := against(part.old, part.now); what != sameStatistics {
				out = append(out, part.name+": "+what)
			}
		}
	}
	if len(out) == 0 {
		return sameStatistics
	}
	return strings.Join(out, ", ")
}

// sameStatistics says of columns that differ that their statistics do not.
const sameStatistics = "others, or in other rows, with the same statistics"

func shortFloat(x *float64, digits int) string {
	if x == nil {
		return ""
	}
	return strconv.FormatFloat(*x, 'g', digits, 64)
}

// distinct writes the number of distinct values; an estimate begins with "about".
func distinct(s *stats.Statistics) string {
	switch {
	case s.Distinct == nil:
		return ""
	case s.Approximate:
		return "about " + strconv.FormatInt(*s.Distinct, 10)
	}
	return strconv.FormatInt(*s.Distinct, 10)
}

// binsThatDiffer says how many bins of two histograms differ, and the first of them how; "" where none does.
func binsThatDiffer(old, now []stats.Bin) string {
	if len(old) > 0 && len(now) > 0 && (old[0].Mean == nil) != (now[0].Mean == nil) {
		return "" // format 2 cut numbers into 10 bins without means, format 3 into 20 with means
	}
	n, first := 0, ""
	for i := range max(len(old), len(now)) {
		was, is := binText(old, i), binText(now, i)
		if was == is {
			continue
		}
		if n++; n == 1 {
			first = was + " → " + is
		}
	}
	if n < 2 {
		if n == 1 {
			return "histogram: " + first
		}
		return ""
	}
	return fmt.Sprintf("histogram: %d bins, the first %s", n, first)
}

func binText(bins []stats.Bin, i int) string {
	if i >= len(bins) {
		return "none"
	}
	return fmt.Sprintf("%s: %d", bins[i].UpTo, bins[i].Count)
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
