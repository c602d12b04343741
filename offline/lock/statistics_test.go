package lock

import (
	"encoding/json"
	"testing"

	"github.com/fstore-dev/fstore/stats"
)

// TestNoFigureIsLeftOutOfAComparison changes one figure at a time.
func TestNoFigureIsLeftOutOfAComparison(t *testing.T) {
	number := func(x float64) *float64 { return &x }
	many := func(x int64) *int64 { return &x }
	same := func() *stats.Statistics {
		return &stats.Statistics{
			Count: 4, Nulls: 1, NaNs: 1, Min: json.RawMessage("1"), Max: json.RawMessage("3"), Mean: number(2), Stddev: number(1), Distinct: many(3),
			Age: &stats.Statistics{}, Norm: &stats.Statistics{},
			Histogram: []stats.Bin{{UpTo: json.RawMessage("1"), Count: 1}, {UpTo: json.RawMessage("2"), Count: 1}, {UpTo: json.RawMessage("3"), Count: 1}},
		}
	}
	for _, test := range []struct {
		want   string
		change func(*stats.Statistics)
	}{
		{"others, or in other rows, with the same statistics", func(*stats.Statistics) {}},
		{"count 4 → 5", func(s *stats.Statistics) { s.Count = 5 }},
		{"nulls 1 → 0", func(s *stats.Statistics) { s.Nulls = 0 }},
		{"NaNs 1 → 0", func(s *stats.Statistics) { s.NaNs = 0 }},
		{"-Infinity 0 → 1", func(s *stats.Statistics) { s.Low = 1 }},
		{"Infinity 0 → 1", func(s *stats.Statistics) { s.High = 1 }},
		{"other categories 0 → 1", func(s *stats.Statistics) { s.Other = 1 }},
		{"age: nulls 0 → 2", func(s *stats.Statistics) { s.Age.Nulls = 2 }},
		{"norm: max none → 9", func(s *stats.Statistics) { s.Norm.Max = json.RawMessage("9") }},
		{"others, or in other rows, with the same statistics", func(s *stats.Statistics) { s.Age, s.Norm = nil, nil }},
		{"min 1 → none", func(s *stats.Statistics) { s.Min = nil }},
		{"max 3 → 4", func(s *stats.Statistics) { s.Max = json.RawMessage("4") }},
		{"mean 2 → 2.0000000001", func(s *stats.Statistics) { s.Mean = number(2.0000000001) }},
		{"stddev 1 → none", func(s *stats.Statistics) { s.Stddev = nil }},
		{"distinct 3 → none", func(s *stats.Statistics) { s.Distinct = nil }},
		{"distinct 3 → about 3", func(s *stats.Statistics) { s.Approximate = true }},
		{"others, or in other rows, with the same statistics", func(s *stats.Statistics) { // of another format
			s.Histogram = []stats.Bin{{UpTo: json.RawMessage("1.5"), Count: 1, Mean: number(1)}, {UpTo: json.RawMessage("3"), Count: 2, Mean: number(2.5)}}
		}},
		{"histogram: 2: 1 → 2: 2", func(s *stats.Statistics) { s.Histogram[1].Count = 2 }},
		{"histogram: 2 bins, the first 2: 1 → 3: 2", func(s *stats.Statistics) {
			s.Histogram = []stats.Bin{s.Histogram[0], {UpTo: json.RawMessage("3"), Count: 2}}
		}},
	} {
		now := same()
		test.change(now)
		if got := against(same(), now); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}
