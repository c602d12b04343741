package stats

import (
	"encoding/json"
	"errors"
	"fmt"
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
	Histogram   []Bin           `json:"histogram,omitempty" doc:"Bins of finite numbers or instants, or the most frequent categories: each truth value or text, by value."`

	// Least and Low, High are absent in locks of format 2, which had no histogram of a column with infinities.
	Least json.RawMessage `json:"least,omitempty" doc:"Smallest finite value, where the first bin begins; absent if it is min."`
	Low   int64           `json:"low,omitempty" doc:"Values that are -Infinity."`
	High  int64           `json:"high,omitempty" doc:"Values that are Infinity."`
	Other int64           `json:"other,omitempty" doc:"Values in categories that histogram does not list."`

	Age  *Statistics `json:"age,omitempty" doc:"Of instants: seconds from the value to the instant of its row."`
	Norm *Statistics `json:"norm,omitempty" doc:"Of lists of numbers: their Euclidean length."`

	// Centroid and Cosine are absent in older locks.
	Centroid []float32   `json:"centroid,omitempty" doc:"Of lists of equally many numbers, at most 4,096: the mean of the lists, each divided by its Euclidean length."`
	Cosine   *Statistics `json:"cosine,omitempty" doc:"Of such lists: the cosine of the angle to the centroid. Lists without a direction have none."`
}

// Bin is a part of a histogram: the values up to and including one, above the bin before. Of texts and truth values it
// is that value alone.
type Bin struct {
	UpTo  json.RawMessage `json:"up_to" doc:"Largest value of the bin, or the value itself."`
	Count int64           `json:"count" doc:"Values in the bin."`
	Mean  *float64        `json:"mean,omitempty" doc:"Mean of the bin's numbers."`
}

// Check returns an error unless the counts add up to the rows.
func (s *Statistics) Check(rows int64) error {
	binned := s.Low + s.High + s.Other
	for _, b := range s.Histogram {
		if b.Count < 0 {
			return errors.New("the count of a bin of the histogram is negative")
		}
		binned += b.Count
	}
	switch {
	case s.Count < 0 || s.Nulls < 0 || s.Count+s.Nulls != rows:
		return fmt.Errorf("%d values and %d nulls are not %d rows", s.Count, s.Nulls, rows)
	case s.NaNs < 0 || s.NaNs > s.Count:
		return fmt.Errorf("%d of %d values are NaN", s.NaNs, s.Count)
	case s.Distinct != nil && (*s.Distinct < 0 || *s.Distinct > s.Count && !s.Approximate):
		return fmt.Errorf("%d of %d values are distinct", *s.Distinct, s.Count)
	case s.Low < 0 || s.High < 0 || s.Other < 0:
		return errors.New("low, high or other is negative")
	case (len(s.Histogram) > 0 || s.Other > 0) && binned != s.Count-s.NaNs:
		return fmt.Errorf("the histogram counts %d of %d values", binned, s.Count-s.NaNs)
	case (s.Min == nil) != (s.Max == nil):
		return errors.New("only one of the least and the greatest value is there")
	}
	if (s.Cosine == nil) != (len(s.Centroid) == 0) || len(s.Centroid) > MaxCentroid {
		return fmt.Errorf("cosine and a centroid of at most %d numbers go together", MaxCentroid)
	}
	for _, of := range []struct {
		name string
		*Statistics
	}{{"age", s.Age}, {"norm", s.Norm}, {"cosine", s.Cosine}} {
		if of.Statistics == nil {
			continue
		}
		if of.Age != nil || of.Norm != nil || of.Cosine != nil {
			return fmt.Errorf("%s: it is a number, and has no age, norm or cosine", of.name)
		}
		if err := of.Check(rows); err != nil {
			return fmt.Errorf("%s: %w", of.name, err)
		}
	}
	return nil
}
