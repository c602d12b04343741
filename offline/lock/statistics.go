package lock

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Statistics say what the values of a column are like, for comparing with what is served later. Least and greatest are
// as JSON has values everywhere in fstore; NaN counts among the values but is in none of the rest.
type Statistics struct {
	Count       int64           `json:"count" doc:"Values that are not null."`
	Nulls       int64           `json:"nulls" doc:"Nulls."`
	NaNs        int64           `json:"nans,omitempty" doc:"NaNs. They count in none of the figures below."`
	Min         json.RawMessage `json:"min,omitempty" doc:"Smallest value: a number, a text, true or false, or an instant."`
	Max         json.RawMessage `json:"max,omitempty" doc:"Largest value."`
	Mean        *float64        `json:"mean,omitempty" doc:"Mean of numbers, if all are finite."`
	Stddev      *float64        `json:"stddev,omitempty" doc:"Sample standard deviation, of two or more numbers."`
	Distinct    *int64          `json:"distinct,omitempty" doc:"Distinct values."`
	Approximate bool            `json:"approximate,omitempty" doc:"distinct is an estimate within about one percent, because there are more than about 10,000."`
	Histogram   []Bin           `json:"histogram,omitempty" doc:"Bins with about equally many numbers or instants. For booleans and few distinct texts, each value."`
}

// Bin is a part of a histogram: the values up to and including one, above the bin before. Of texts and truth values it
// is that value alone.
type Bin struct {
	UpTo  json.RawMessage `json:"up_to" doc:"Largest value of the bin, or the value itself."`
	Count int64           `json:"count" doc:"Values in the bin."`
}

// against says in which figures two statistics differ, old and new.
func (s *Statistics) against(now *Statistics) string {
	var out []string
	add := func(name, old, new string) {
		if old != new {
			out = append(out, fmt.Sprintf("%s %s → %s", name, orNone(old), orNone(new)))
		}
	}
	add("count", strconv.FormatInt(s.Count, 10), strconv.FormatInt(now.Count, 10))
	add("nulls", strconv.FormatInt(s.Nulls, 10), strconv.FormatInt(now.Nulls, 10))
	add("NaNs", strconv.FormatInt(s.NaNs, 10), strconv.FormatInt(now.NaNs, 10))
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
	add("distinct", s.distinct(), now.distinct())
	if differ := binsThatDiffer(s.Histogram, now.Histogram); differ != "" {
		out = append(out, differ)
	}
	if len(out) == 0 {
		return "others, or in other rows, with the same statistics"
	}
	return strings.Join(out, ", ")
}

func shortFloat(x *float64, digits int) string {
	if x == nil {
		return ""
	}
	return strconv.FormatFloat(*x, 'g', digits, 64)
}

// distinct writes the number of distinct values; an estimate begins with "about".
func (s *Statistics) distinct() string {
	switch {
	case s.Distinct == nil:
		return ""
	case s.Approximate:
		return "about " + strconv.FormatInt(*s.Distinct, 10)
	}
	return strconv.FormatInt(*s.Distinct, 10)
}

// binsThatDiffer says how many bins of two histograms differ, and the first of them how; "" where none does.
func binsThatDiffer(old, now []Bin) string {
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

func binText(bins []Bin, i int) string {
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
