package window

import (
	"github.com/fstore-dev/fstore"
)

// typed is a series of values of one kind.
type typed[V value] struct {
	at     func(c *fstore.Column, row int) V
	append func(c *fstore.Column, v V)
	frames []*frame[V] // of each window, once
	newest newest[V]
	row    entry[V] // that enters; here because one on the stack would be allocated for each row
}

func (s *typed[V]) needed() bool { return len(s.frames) > 0 }

func (s *typed[V]) reset() {
	s.newest.entries = s.newest.entries[:0]
	for _, f := range s.frames {
		f.reset()
	}
}

func (s *typed[V]) enter(event, created int64, values *fstore.Column, row int) {
	e := &s.row
	*e = entry[V]{event: event, created: created, null: values.IsNull(row)}
	if !e.null {
		e.value = s.at(values, row)
	}
	s.newest.enter(e)
	for _, f := range s.frames {
		f.enter(e)
	}
}

func (s *typed[V]) advance(t int64) {
	for _, f := range s.frames {
		f.advance(f.span.Start(t))
	}
}

func (s *typed[V]) oldest(span Span) (event int64, ok bool) {
	f := s.frame(span)
	if f.rows == 0 {
		return 0, false
	}
	return f.oldest().event, true
}

func (s *typed[V]) leave(span Span, start int64) { s.frame(span).advance(start) }

// frame returns the frame of a window, which it makes if there is none.
func (s *typed[V]) frame(span Span) *frame[V] {
	for _, f := range s.frames {
		if f.span == span {
			return f
		}
	}
	f := &frame[V]{span: span, queue: newQueue[V]()}
	s.frames = append(s.frames, f)
	return f
}

// feature returns how the value of a feature is appended to its column, once the series has advanced. It is null where no
// row is in the window.
func (s *typed[V]) feature(f *fstore.Feature) func(out *fstore.Column) error {
	fr := s.frame(SpanOf(f.Window))
	output := s.function(fr, f.Window, f.Type)
	return func(out *fstore.Column) error {
		if fr.rows == 0 {
			out.AppendNull()
			return nil
		}
		return output(out)
	}
}

func (s *typed[V]) function(f *frame[V], w *fstore.Window, t fstore.Type) func(out *fstore.Column) error {
	switch w.Function {
	case fstore.Count:
		return f.whole(part(f, &counter[V]{}).count)
	case fstore.CountDistinct:
		return f.whole(part(f, &distinct[V]{times: map[V]int64{}}).count)
	case fstore.Sum:
		if t == fstore.Int64 {
			return part(f, &intSum{}).append
		}
		sum := part(f, &floatSum{})
		return sum.result(sum.of(w.Function))
	case fstore.Mean:
		sum := part(f, &floatSum{})
		return sum.result(sum.of(w.Function))
	case fstore.Stddev:
		sum := part(f, &floatSum{})
		sum.squares = true
		return sum.result(sum.of(w.Function))
	case fstore.Percentile:
		values := part(f, &orderedValues{})
		return func(out *fstore.Column) error {
			return appendResult(out, func() (float64, bool, error) {
				if values.n == 0 {
					return 0, true, nil
				}
				return values.percentile(w.P), false, nil
			})
		}
	case fstore.Min:
		return s.extreme(f, &f.least, 1)
	case fstore.Max:
		return s.extreme(f, &f.greatest, -1)
	case fstore.First:
		return func(out *fstore.Column) error { s.appendEntry(out, f.oldest()); return nil }
	case fstore.Last:
		s.newest.keep = max(s.newest.keep, 1)
		return func(out *fstore.Column) error { s.appendEntry(out, &s.newest.entries[0]); return nil }
	case fstore.LastN:
		s.newest.keep = max(s.newest.keep, w.N)
		return func(out *fstore.Column) error { s.appendNewest(out, f, w.N); return nil }
	}
	return func(*fstore.Column) error {
		return fstore.Errorf(fstore.ErrInvalid, "%s is not a function", w.Function)
	}
}

// part returns the accumulator of a frame that is of made's type, or adds made.
func part[V value, A any](f *frame[V], made A) A {
	for _, a := range f.parts {
		if have, ok := a.(A); ok {
			return have
		}
	}
	f.parts = append(f.parts, any(made).(accumulator[V]))
	return made
}

func (f *frame[V]) whole(count func() int64) func(out *fstore.Column) error {
	return func(out *fstore.Column) error { out.AppendInt64(count()); return nil }
}

func (s *typed[V]) extreme(f *frame[V], x **extreme[V], sign int) func(out *fstore.Column) error {
	if *x == nil {
		*x = newExtreme[V](sign)
	}
	found := *x
	return func(out *fstore.Column) error {
		v, ok := found.value(f)
		if !ok {
			out.AppendNull()
			return nil
		}
		s.append(out, v)
		return nil
	}
}

func (s *typed[V]) appendEntry(out *fstore.Column, e *entry[V]) {
	if e.null {
		out.AppendNull()
		return
	}
	s.append(out, e.value)
}

// appendNewest appends the list of the n newest values in a frame. A null takes one of the n places; a list has none in it.
func (s *typed[V]) appendNewest(out *fstore.Column, f *frame[V], n int) {
	list := fstore.NewColumn("", out.Type.Elem(), n)
	for i := range s.newest.entries[:min(n, len(s.newest.entries))] {
		e := &s.newest.entries[i]
		if !f.span.Lifetime() && e.event <= f.start {
			break
		}
		if !e.null {
			s.append(&list, e.value)
		}
	}
	out.AppendList(&list)
}

// result returns how a value of the sum is appended.
func (s *floatSum) result(of func() (x float64, null bool, err error)) func(out *fstore.Column) error {
	return func(out *fstore.Column) error {
		if err := s.check(); err != nil {
			return err
		}
		return appendResult(out, of)
	}
}

func appendResult(out *fstore.Column, result func() (x float64, null bool, err error)) error {
	x, null, err := result()
	if null || err != nil {
		out.AppendNull()
		return err
	}
	appendFloat(out, x)
	return nil
}

// append appends the sum, or returns the error of one that does not fit.
func (s *intSum) append(out *fstore.Column) error {
	if s.n == 0 {
		out.AppendNull()
		return nil
	}
	sum, ok := s.int64()
	if !ok {
		return fstore.Errorf(fstore.ErrInvalid, "a sum of integers does not fit int64").WithHint("sum a float64: cast the expression to double")
	}
	out.AppendInt64(sum)
	return nil
}
