package window

import "github.com/fstore-dev/fstore"

// Series is a column of values that features aggregate: one expression over the rows that pass one condition.
type Series struct {
	Expression string      // SQL; empty: the rows themselves
	Where      string      // SQL; empty: all rows pass
	Type       fstore.Type // of the values; Invalid: any type, which the series' owner settles, since they are only compared
}

// SeriesOf returns what the features of a windowed view aggregate, without repeats, in the order in which features first
// need it, and for each feature which it is.
func SeriesOf(features []fstore.Feature) (all []Series, of []int) {
	of = make([]int, len(features))
	find := func(s Series) int {
		for i, have := range all {
			if have == s {
				return i
			}
		}
		all = append(all, s)
		return len(all) - 1
	}
	for i, f := range features {
		if f.Window.Function != fstore.Count {
			of[i] = find(Series{f.Window.Expression, f.Window.Where, ValueType(f.Window.Function, f.Type)})
		}
	}
	for i, f := range features {
		if f.Window.Function == fstore.Count {
			of[i] = countable(all, f.Window, find)
		}
	}
	return all, of
}

// countable returns the series whose values a count counts: one that is there for another feature, or one of its own. Any
// type will do.
func countable(all []Series, w *fstore.Window, find func(Series) int) int {
	for i, s := range all {
		if s.Expression == w.Expression && s.Where == w.Where {
			return i
		}
	}
	return find(Series{w.Expression, w.Where, fstore.Bool})
}

// ValueType returns the type of the values that a function aggregates, given the type of its features: Invalid where any type
// will do, because the values are only compared.
func ValueType(f fstore.Function, t fstore.Type) fstore.Type {
	switch f {
	case fstore.Count:
		return fstore.Bool
	case fstore.CountDistinct:
		return fstore.Invalid
	case fstore.Mean, fstore.Stddev, fstore.Percentile:
		return fstore.Float64
	case fstore.Sum, fstore.Min, fstore.Max, fstore.First, fstore.Last:
		return t
	case fstore.LastN:
		return t.Elem()
	}
	return fstore.Invalid
}

// MostOfLastN is how many values last_n may list.
const MostOfLastN = 100
