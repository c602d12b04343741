package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/monitor/drift"
)

// servedLines says which answers of a served log are compared, and what of it is not.
func servedLines(log *drift.ServedLog) []side {
	if log == nil {
		return nil
	}
	var of, samples []string
	for _, l := range log.Lists {
		of = append(of, fmt.Sprintf("%s (%s)", answeredWith(l), english.Count(int(l.Rows), "row")))
	}
	for _, s := range log.Samples {
		name := "the log does not say"
		switch {
		case s.Share == 1:
			name = "all"
		case s.Share > 0:
			name = short(100*s.Share) + unit + " by " + text(s.By)
		}
		if len(log.Samples) > 1 {
			name += " (" + english.Count(int(s.Rows), "row") + ")"
		}
		samples = append(samples, name)
	}
	out := []side{{Name: "Answers of", Current: strings.Join(of, ", ")}, {Name: "Sample", Current: strings.Join(samples, ", ")}}
	var other []string
	for _, v := range log.Versions {
		other = append(other, fmt.Sprintf("%s (%s)", text(v.View.String()), english.Count(int(v.Rows), "row")))
	}
	out = append(out, side{Name: "Not compared: other versions", Current: strings.Join(other, ", ")})
	if log.UnreadableFiles > 0 {
		lost := english.Count(int(log.UnreadableFiles), "file")
		if log.LostRows > 0 {
			lost += ", at least " + english.Count(int(log.LostRows), "row")
		}
		out = append(out, side{Name: "Not readable", Current: lost})
	}
	return slices.DeleteFunc(out, func(s side) bool { return s.Current == "" })
}

func answeredWith(l drift.ServedList) string {
	if l.Model != "" {
		return "model " + text(l.Model)
	}
	return "service " + text(l.Service)
}
