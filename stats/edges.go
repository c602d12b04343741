package stats

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"strconv"

	"github.com/fstore-dev/fstore"
)

// Kind says how the values of a column are divided.
type Kind string

// The kinds of division.
const (
	Presence   Kind = "presence"   // only nulls are counted
	Numbers    Kind = "numbers"    // by bins
	Categories Kind = "categories" // by value
)

// Edges divide the values of a column into slots, in which rows are counted.
type Edges struct {
	Kind Kind

	// Bounds are those of the bins of numbers, in ascending order and finite. There is one more bound than bins: bin i holds what is above
	// Bounds[i], up to and including Bounds[i+1]; bin 0 also holds Bounds[0].
	Bounds []float64

	// Between says of each bin from Singly whether it lies between two values of the reference; nil for other edges.
	Between []bool

	// Categories are texts, "true" and "false", or the bytes of bytes, in the order of the statistics. Complete says that the
	// reference has no others.
	Categories []string
	Complete   bool

	search Search         // among Bounds[1:]
	index  map[string]int // of Categories
}

// maxBins bounds the bins of a column: counting takes memory for each of them.
const maxBins = 1 << 16

// Divide returns the edges of a column's statistics, and the counts of the rows that the statistics describe. t is the type of the
// column. It returns an error if the histogram contradicts itself, which that of a lock from somebody else may.
func (s *Statistics) Divide(t fstore.Type) (*Edges, *Counts, error) {
	e := &Edges{}
	if len(s.Histogram) > maxBins {
		return nil, nil, errors.New("the histogram has more than 65,536 bins")
	}
	var err error
	switch t {
	case fstore.Int32, fstore.Int64, fstore.Float32, fstore.Float64:
		err = e.numbers(s, t)
	case fstore.Bool, fstore.String, fstore.Bytes:
		err = e.categories(s, t)
	case fstore.Timestamp: // only its age is worth comparing
		e.Kind = Presence
	default: // lists: only their norm is
		e.Kind = Presence
	}
	if err != nil {
		return nil, nil, err
	}
	c := e.NewCounts()
	c.Slots[nulls], c.Slots[nans] = s.Nulls, s.NaNs
	if e.Kind == Presence {
		c.Slots[e.above()] = s.Count - s.NaNs
		return e, c, nil
	}
	c.Slots[lowest], c.Slots[e.above()], c.Slots[e.highest()] = s.Low, s.Other, s.High
	for i, b := range s.Histogram {
		c.Slots[firstBin+i] = b.Count
		if e.Kind == Numbers && b.Mean != nil {
			c.Sums[firstBin+i] = *b.Mean * float64(b.Count)
		}
		c.MeansUnknown = c.MeansUnknown || e.Kind == Numbers && b.Mean == nil
	}
	return e, c, nil
}

// numbers reads the bounds of bins.
func (e *Edges) numbers(s *Statistics, t fstore.Type) error {
	if len(s.Histogram) == 0 {
		e.Kind = Presence
		return nil
	}
	e.Kind = Numbers
	first := s.Least
	if first == nil {
		first = s.Min
	}
	texts := []json.RawMessage{first}
	for _, b := range s.Histogram {
		texts = append(texts, b.UpTo)
	}
	for i, text := range texts {
		bits := 64
		if t == fstore.Float32 { // its decimals are the shortest that name a float32
			bits = 32
		}
		x, err := strconv.ParseFloat(string(text), bits)
		if err != nil || math.IsInf(x, 0) || math.IsNaN(x) {
			return errors.New("a bound of the histogram is not a finite number")
		}
		if i > 0 && (x < e.Bounds[i-1] || x == e.Bounds[i-1] && i > 1) {
			return errors.New("the bounds of the histogram do not ascend")
		}
		e.Bounds = append(e.Bounds, x)
	}
	e.search = NewSearch(e.Bounds[1:])
	return nil
}

// categories reads the values that are counted by themselves.
func (e *Edges) categories(s *Statistics, t fstore.Type) error {
	if len(s.Histogram) == 0 {
		e.Kind = Presence
		return nil
	}
	e.Kind, e.Complete, e.index = Categories, s.Other == 0, make(map[string]int, len(s.Histogram))
	for i, b := range s.Histogram {
		name := string(b.UpTo)
		if t != fstore.Bool {
			if err := json.Unmarshal(b.UpTo, &name); err != nil {
				return errors.New("a category of the histogram is not a text")
			}
		}
		if t == fstore.Bytes {
			raw, err := base64.StdEncoding.DecodeString(name)
			if err != nil {
				return errors.New("a category of the histogram is not base64")
			}
			name = string(raw)
		}
		if _, twice := e.index[name]; twice {
			return errors.New("a category of the histogram is listed twice")
		}
		e.index[name] = i
		e.Categories = append(e.Categories, name)
	}
	return nil
}

// Bins returns the number of bins or categories.
func (e *Edges) Bins() int { return max(len(e.Bounds)-1, len(e.Categories)) }

// slot returns where a number is counted.
func (e *Edges) slot(x float64) int {
	switch at := e.search.Above(x); {
	case x != x:
		return nans
	case at == len(e.Bounds)-1 && math.IsInf(x, 1):
		return e.highest()
	case at == 0 && x < e.Bounds[0]:
		if math.IsInf(x, -1) {
			return lowest
		}
		return below
	default:
		return firstBin + at // of Bins: above
	}
}
