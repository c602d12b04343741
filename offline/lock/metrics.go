package lock

import (
	"slices"

	"github.com/fstore-dev/fstore/stats"
)

// Metrics are the figures of a training set that people compare from revision to revision. As JSON they are a metrics file of
// DVC. They hold no key, no instant and no text: only counts, and moments of numbers.
type Metrics struct {
	Rows     int64                    `json:"rows"`
	Features map[string]ColumnMetrics `json:"features"`
	Labels   map[string]ColumnMetrics `json:"labels,omitempty"` // the columns that a model learns to predict
}

// ColumnMetrics are figures of one column. Mean and deviation are those of its numbers, if it has numbers. True is the share
// of its values that are true, if it has truth values.
type ColumnMetrics struct {
	Missing  float64  `json:"missing"` // share of rows that are null, 0 to 1
	NaNs     int64    `json:"nans,omitempty"`
	Distinct *int64   `json:"distinct,omitempty"`
	Mean     *float64 `json:"mean,omitempty"`
	Stddev   *float64 `json:"stddev,omitempty"`
	True     *float64 `json:"true,omitempty"`
}

// Metrics returns the metrics of the features and of the columns to predict.
func (l *Lock) Metrics() Metrics {
	m := Metrics{Rows: l.Output.Rows, Features: map[string]ColumnMetrics{}}
	for i := range l.Output.Columns {
		c := &l.Output.Columns[i]
		isFeature := slices.ContainsFunc(l.Features, func(f Feature) bool { return f.Name == c.Name })
		switch {
		case isFeature:
			m.Features[c.Name] = metricsOf(&c.Statistics)
		case slices.Contains(l.Labels.Targets, c.Name):
			if m.Labels == nil {
				m.Labels = map[string]ColumnMetrics{}
			}
			m.Labels[c.Name] = metricsOf(&c.Statistics)
		}
	}
	return m
}

func metricsOf(s *stats.Statistics) ColumnMetrics {
	m := ColumnMetrics{NaNs: s.NaNs, Distinct: s.Distinct, Mean: s.Mean, Stddev: s.Stddev}
	if rows := s.Count + s.Nulls; rows > 0 {
		m.Missing = float64(s.Nulls) / float64(rows)
	}
	for _, b := range s.Histogram { // of truth values it has each value
		switch string(b.UpTo) {
		case "true":
			m.True = share(b.Count, s.Count)
		case "false":
			m.True = share(s.Count-b.Count, s.Count)
		}
	}
	return m
}

func share(part, of int64) *float64 {
	x := float64(part) / float64(of)
	return &x
}
