package window

import "github.com/fstore-dev/fstore"

// Series is a column of values that features aggregate: one expression over the rows that pass one condition.
type Series struct {
	Expression string      // SQL; empty: the rows themselves
	Where      string      // SQL; empty: all rows pass
	Need       Need        // what of the values
	Type       fstore.Type // of the values
}

// Need is what features need of the values of a series.
type Need int

// The needs. A series for one need serves the lesser ones too.
const (
	Counted  Need = iota // whether they are null: their type is Bool
	Compared             // which are equal: their type is any that tells them apart
	Valued               // the values themselves
)

// SeriesOf returns what the features of a windowed view aggregate, each once, in the order in which features first need it.
// The type of a series that is Compared is left Invalid, for who reads the values to choose.
func SeriesOf(features []fstore.Feature) []Series {
	var all []Series
	for _, counts := range []bool{false, true} { // a count takes a series that is there for another feature
		for i := range features {
			if s := seriesOf(&features[i]); (s.Need == Counted) == counts && find(all, &s) < 0 {
				all = append(all, s)
			}
		}
	}
	return all
}

func seriesOf(f *fstore.Feature) Series {
	s := Series{Expression: f.Window.Expression, Where: f.Window.Where, Need: Valued, Type: ValueType(f.Window.Function, f.Type)}
	switch f.Window.Function {
	case fstore.Count:
		s.Need = Counted
	case fstore.CountDistinct:
		s.Need = Compared
	default:
	}
	return s
}

// find returns the first series that serves for another, or -1.
func find(all []Series, s *Series) int {
	for i, have := range all {
		if have.Expression == s.Expression && have.Where == s.Where && (s.Need == Counted || have.Need == s.Need && (have.Type == s.Type || s.Need == Compared)) {
			return i
		}
	}
	return -1
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
