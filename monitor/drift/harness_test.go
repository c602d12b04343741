package drift

import (
	"encoding/json"
	"strconv"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/stats"
)

// statisticsAt returns statistics of numbers with these bounds, in whose bins there is nothing yet.
func statisticsAt(bounds []float64) *stats.Statistics {
	text := func(x float64) json.RawMessage { return json.RawMessage(strconv.FormatFloat(x, 'g', -1, 64)) }
	zero := 0.0
	s := &stats.Statistics{Min: text(bounds[0])}
	for _, x := range bounds[1:] {
		s.Histogram = append(s.Histogram, stats.Bin{UpTo: text(x), Mean: &zero})
	}
	return s
}

// edgesAt returns the edges of bins of float64.
func edgesAt(bounds []float64) *stats.Edges {
	e, _, err := statisticsAt(bounds).Divide(fstore.Float64)
	if err != nil {
		panic(err)
	}
	return e
}
