package window

import (
	"fmt"
	"slices"

	"github.com/fstore-dev/fstore"
)

// Sweep computes the windowed features of one key after another. For each key, rows enter in the order in which they become
// visible, and values are asked for at instants that do not go back. It holds the rows that are in the windows of one key,
// and none where all windows are lifetimes.
type Sweep struct {
	features []fstore.Feature
	of       []int                            // the series of each feature
	output   []func(out *fstore.Column) error // of each feature
	series   []series
	spans    []Span // of the view, each once

	rows   int64 // that entered
	newest int64 // event of them
}

// series is what a sweep does with a series, whatever the type of its values.
type series interface {
	feature(f *fstore.Feature) func(out *fstore.Column) error // before any row enters
	needed() bool                                             // by any feature
	reset()
	enter(event, created int64, values *fstore.Column, row int)
	advance(t int64)
	oldest(span Span) (event int64, ok bool) // of the rows in a window
	leave(span Span, start int64)            // the rows of a window whose events are not after its start
}

// NewSweep returns a sweep for windowed features. all is what SeriesOf returns for them or for more, with every type chosen.
func NewSweep(features []fstore.Feature, all []Series) *Sweep {
	s := &Sweep{features: features, spans: SpansOf(features)}
	for _, x := range all {
		switch x.Type {
		case fstore.Float32, fstore.Float64:
			s.series = append(s.series, &typed[float64]{at: floatAt, append: appendFloat})
		case fstore.String, fstore.Bytes:
			s.series = append(s.series, &typed[string]{at: textAt, append: appendText})
		case fstore.Bool, fstore.Int32, fstore.Int64, fstore.Timestamp:
			s.series = append(s.series, &typed[int64]{at: intAt, append: appendInt})
		}
	}
	for i := range features {
		wanted := seriesOf(&features[i])
		of := find(all, &wanted)
		s.of = append(s.of, of)
		s.output = append(s.output, s.series[of].feature(&features[i]))
	}
	return s
}

// SpanOf returns the form of a feature's window.
func SpanOf(w *fstore.Window) Span { return Span{w.Length.Micros(), w.Hop.Micros()} }

// SpansOf returns the forms of the windows of features, each once.
func SpansOf(features []fstore.Feature) (spans []Span) {
	for i := range features {
		if span := SpanOf(features[i].Window); !slices.Contains(spans, span) {
			spans = append(spans, span)
		}
	}
	return spans
}

// Reset begins another key.
func (s *Sweep) Reset() {
	s.rows = 0
	for _, x := range s.series {
		x.reset()
	}
}

// Enter takes a row. columns are its event and its created time, neither of them null, and two for each series: whether the
// row passes (null: it does not) and the value.
func (s *Sweep) Enter(columns []fstore.Column, row int) {
	event, created := columns[0].Int64s[row], columns[1].Int64s[row]
	if s.rows == 0 || event > s.newest {
		s.newest = event
	}
	s.rows++
	for i, x := range s.series {
		if !x.needed() {
			continue
		}
		passes, values := &columns[2+2*i], &columns[3+2*i]
		if passes.IsNull(row) || !passes.Bools[row] {
			continue
		}
		x.enter(event, created, values, row)
	}
}

// Has reports whether the key has a row at an instant: its newest event is after the start of a window.
func (s *Sweep) Has(t int64) bool { return s.HasIn(s.spans, t) }

// HasIn is Has for other windows than those of the sweep's features.
func (s *Sweep) HasIn(spans []Span, t int64) bool {
	return s.rows > 0 && s.newest > OldestStart(spans, t)
}

// Rows returns how many rows of the key have entered, in a window or not.
func (s *Sweep) Rows() int64 { return s.rows }

// At appends the values at an instant to out, which has a column for each feature. All are null where the key has no row.
func (s *Sweep) At(t int64, out []fstore.Column) error {
	if !s.Has(t) {
		for i := range out {
			out[i].AppendNull()
		}
		return nil
	}
	for _, x := range s.series {
		x.advance(t)
	}
	for i, output := range s.output {
		if err := output(&out[i]); err != nil {
			return fmt.Errorf("feature %s, over the rows %s: %w", s.features[i].Name, rowsBetween(SpanOf(s.features[i].Window), s.newest, t), err)
		}
	}
	return nil
}

// rowsBetween says which rows a window holds at t. The last of them is at or before last.
func rowsBetween(span Span, last, t int64) string {
	to := "up to " + fstore.FormatTime(fstore.FromMicros(last))
	if span.Lifetime() {
		return to
	}
	return "after " + fstore.FormatTime(fstore.FromMicros(span.Start(t))) + " and " + to
}
