package window

import "github.com/fstore-dev/fstore"

// MostOfLastN is how many values last_n may list.
const MostOfLastN = 100

// Check returns an error unless features are windowed and well formed. Those of a definition are; it is for what comes from
// elsewhere, such as a lock.
func Check(features []fstore.Feature) error {
	for i := range features {
		if what := problem(&features[i]); what != "" {
			return fstore.Errorf(fstore.ErrInvalid, "feature %s: %s", features[i].Name, what)
		}
	}
	return nil
}

func problem(f *fstore.Feature) string {
	w := f.Window
	if w == nil {
		return "it has no window, unlike other features of its view"
	}
	want, fits := ResultTypes(w.Function, f.Type)
	switch {
	case want == "":
		return string(w.Function) + " is not a function of windows"
	case !fits:
		return string(w.Function) + " does not give " + f.Type.WithArticle()
	case w.Length < 0 || w.Length > 0 && w.Hop.Micros() < 1:
		return "a window of " + w.Length.String() + " cannot move by " + w.Hop.String()
	case w.Expression == "" && w.Function != fstore.Count:
		return string(w.Function) + " needs an expression"
	case !(w.P >= 0 && w.P <= 1):
		return "p is not a number from 0 to 1"
	case w.Function == fstore.LastN && (w.N < 1 || w.N > MostOfLastN):
		return "n is not a number from 1 to 100"
	}
	return ""
}

// NeedsPublish reports whether a function is only for windows that end at publications: it has no small exact partial
// result that a record could hold for each tile.
func NeedsPublish(f fstore.Function) bool {
	return f == fstore.CountDistinct || f == fstore.Percentile
}

// ResultTypes says which types the features of a function may have, and whether t is one of them. want is empty for what is
// not a function.
func ResultTypes(f fstore.Function, t fstore.Type) (want string, fits bool) {
	switch f {
	case fstore.Count, fstore.CountDistinct:
		return "int64", t == fstore.Int64
	case fstore.Sum:
		return "int64 or float64", t == fstore.Int64 || t == fstore.Float64
	case fstore.Mean, fstore.Stddev, fstore.Percentile:
		return "float64", t == fstore.Float64
	case fstore.Min, fstore.Max, fstore.First, fstore.Last:
		return t.Elem().String() + ", or another type that is not a list", !t.IsList()
	case fstore.LastN:
		return fstore.List(t.Elem()).String() + ", or another list", t.IsList()
	}
	return "", false
}
