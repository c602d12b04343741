package offline

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/fstore-dev/fstore"
)

// Statistics say what the values of a column are like, for comparing with what is served later. Least and greatest are
// as JSON has values everywhere in fstore; NaN counts among the values but is in none of the rest.
type Statistics struct {
	Count       int64           `json:"count" doc:"Values that are not null."`
	Nulls       int64           `json:"nulls" doc:"Nulls."`
	NaNs        int64           `json:"nans,omitempty" doc:"NaNs, which are in none of the figures below."`
	Min         json.RawMessage `json:"min,omitempty" doc:"Least value: a number, a text, true or false, or an instant."`
	Max         json.RawMessage `json:"max,omitempty" doc:"Greatest value."`
	Mean        *float64        `json:"mean,omitempty" doc:"Mean of numbers, where all are finite."`
	Stddev      *float64        `json:"stddev,omitempty" doc:"Standard deviation of a sample, of two numbers or more."`
	Distinct    *int64          `json:"distinct,omitempty" doc:"Distinct values."`
	Approximate bool            `json:"approximate,omitempty" doc:"distinct is an estimate, to about a percent: there are more than some 10,000."`
	Histogram   []Bin           `json:"histogram,omitempty" doc:"Numbers and instants: about as many in each bin. Few distinct texts or truth values: each of them."`
}

// Bin is a part of a histogram: the values up to and including one, above the bin before. Of texts and truth values it
// is that value alone.
type Bin struct {
	UpTo  json.RawMessage `json:"up_to" doc:"Greatest value of the bin, or the value itself."`
	Count int64           `json:"count" doc:"Values in it."`
}

const (
	bins        = 10   // of a histogram of numbers
	countedWell = 8192 // of more distinct values by the engine's estimate, at least so many are counted
	fewValues   = 32   // up to so many texts are a histogram
	longestText = 256  // bytes of a text in statistics
	sampledRows = 8192 // at least so many rows say where bins end, of as many as there are
)

// tally collects what can be said of a column while its rows pass by. Sums go in the order of the rows, so that they do
// not depend on threads.
type tally struct {
	nulls, nans, finite int64
	count               int64
	infinite            bool
	least, greatest     *fstore.Column // of one row; nil: no value yet
	mean, squares       float64        // Welford
	sample              []sampled      // of the rows whose hash has all of mask's bits zero
	mask                uint64
}

// sampled is a value and the hash of its row's number: every second row, say, would miss what goes by twos.
type sampled struct {
	x    float64
	hash uint64
}

// mix spreads the bits of a row's number (splitmix64).
func mix(n uint64) uint64 {
	n += 0x9e3779b97f4a7c15
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}

func (y *tally) take(m measure, c *fstore.Column, at int64) {
	least, greatest := -1, -1
	for i := range c.Len {
		if c.IsNull(i) {
			y.nulls++
			continue
		}
		y.count++
		if m == onlyCounts {
			continue
		}
		if m == ofNumbers || m == ofInstants {
			x := asFloat(c, i)
			if m == ofInstants && math.Abs(x) >= math.MaxInt64 {
				y.infinite = true
				continue
			}
			if x != x {
				y.nans++
				continue
			}
			y.number(x, at+int64(i))
		}
		if least < 0 || compareRows(c, i, c, least) < 0 {
			least = i
		}
		if greatest < 0 || compareRows(c, i, c, greatest) > 0 {
			greatest = i
		}
	}
	if least >= 0 {
		if y.least == nil || compareRows(c, least, y.least, 0) < 0 {
			y.least = oneRow(c, least)
		}
		if y.greatest == nil || compareRows(c, greatest, y.greatest, 0) > 0 {
			y.greatest = oneRow(c, greatest)
		}
	}
}

func (y *tally) number(x float64, row int64) {
	if math.IsInf(x, 0) {
		y.infinite = true
		return
	}
	y.finite++
	d := x - y.mean
	y.mean += d / float64(y.finite)
	y.squares += d * (x - y.mean)
	h := mix(uint64(row))
	if h&y.mask != 0 {
		return
	}
	y.sample = append(y.sample, sampled{x, h})
	if len(y.sample) >= 2*sampledRows { // half of them from now on
		y.mask = y.mask<<1 | 1
		y.sample = slices.DeleteFunc(y.sample, func(s sampled) bool { return s.hash&y.mask != 0 })
	}
}

func oneRow(c *fstore.Column, i int) *fstore.Column {
	one := fstore.NewColumn("", c.Type, 1)
	one.AppendFrom(c, i)
	return &one
}

// asFloat returns a number, or an instant's microseconds.
func asFloat(c *fstore.Column, i int) float64 {
	switch c.Type {
	case fstore.Int32:
		return float64(c.Int32s[i])
	case fstore.Int64, fstore.Timestamp:
		return float64(c.Int64s[i])
	case fstore.Float32:
		return float64(c.Float32s[i])
	}
	return c.Float64s[i]
}

// compareRows orders two values of scalar columns of one type.
func compareRows(a *fstore.Column, i int, b *fstore.Column, j int) int {
	switch a.Type {
	case fstore.Bool:
		return boolInt(a.Bools[i]) - boolInt(b.Bools[j])
	case fstore.Int32:
		return cmp.Compare(a.Int32s[i], b.Int32s[j])
	case fstore.Int64, fstore.Timestamp:
		return cmp.Compare(a.Int64s[i], b.Int64s[j])
	case fstore.Float32:
		return cmp.Compare(a.Float32s[i], b.Float32s[j])
	case fstore.Float64:
		return cmp.Compare(a.Float64s[i], b.Float64s[j])
	case fstore.String:
		return cmp.Compare(a.Strings[i], b.Strings[j])
	}
	return slices.Compare(a.Bytes[i], b.Bytes[j])
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// statistics returns what the rows said.
func (y *tally) statistics(m measure) Statistics {
	s := Statistics{Count: y.count, Nulls: y.nulls, NaNs: y.nans, Min: textOf(y.least), Max: textOf(y.greatest)}
	if m == ofNumbers && y.finite > 0 && !y.infinite {
		mean := y.mean
		s.Mean = finite(&mean)
		if y.finite > 1 {
			d := math.Sqrt(y.squares / float64(y.finite-1))
			s.Stddev = finite(&d)
		}
	}
	return s
}

// finite returns no number where it is beyond the greatest.
func finite(x *float64) *float64 {
	if math.IsInf(*x, 0) || math.IsNaN(*x) {
		return nil
	}
	return x
}

// textOf writes the value of a column of one row; a long text is left out.
func textOf(c *fstore.Column) json.RawMessage {
	if c == nil {
		return nil
	}
	b := c.AppendJSON(nil, 0)
	if len(b) > longestText {
		return nil
	}
	return b
}

// edges returns the upper bounds of bins that hold about as many values each, in order.
func (y *tally) edges() []float64 {
	if len(y.sample) == 0 {
		return nil
	}
	sorted := make([]float64, 0, len(y.sample))
	for _, s := range y.sample {
		sorted = append(sorted, s.x)
	}
	slices.Sort(sorted)
	var out []float64
	for i := 1; i < bins; i++ {
		out = append(out, sorted[(len(sorted)-1)*i/bins])
	}
	return slices.Compact(out)
}

// distributions adds distinct values and histograms: what needs more than one look at a row, and is the engine's work. It
// reads one column at a time, so that what it takes does not grow with their number.
func (s *session) distributions(ctx context.Context, from string, columns []*contentColumn) error {
	for _, c := range columns {
		if c.measure == onlyCounts || c.Statistics.Count == 0 {
			continue
		}
		if err := s.distribution(ctx, from, c); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) distribution(ctx context.Context, from string, c *contentColumn) error {
	b, err := s.query(ctx, "SELECT approx_count_distinct("+c.expression+")\nFROM "+from)
	if err != nil {
		return err
	}
	estimate := b.Columns[0].Int64s[0]
	share := int64(1) // of the values one in so many is counted, by its hash: the engine's own estimate is coarse
	for estimate/share >= 2*countedWell {
		share *= 2
	}
	counted := fmt.Sprintf("SELECT count(x)\nFROM (\n  SELECT DISTINCT %s AS x\n  FROM %s\n  WHERE hash(%[1]s) %% %[3]d = 0\n)", c.expression, from, share)
	if b, err = s.query(ctx, counted); err != nil { // many times faster than count(DISTINCT …) FILTER (…)
		return err
	}
	n := b.Columns[0].Int64s[0] * share
	c.Statistics.Distinct, c.Statistics.Approximate = &n, share > 1
	switch {
	case c.measure == ofNumbers || c.measure == ofInstants:
		return s.numberBins(ctx, from, c)
	case estimate > 2*fewValues:
		return nil
	}
	return s.valueBins(ctx, from, c)
}

// valueBins counts each value, if there are few and none is long.
func (s *session) valueBins(ctx context.Context, from string, c *contentColumn) error {
	counted := "histogram(" + c.expression + ")"
	b, err := s.query(ctx, "SELECT\n  map_keys("+counted+"),\n  map_values("+counted+")::BIGINT[]\nFROM "+from)
	if err != nil {
		return err
	}
	values, counts := elements(&b.Columns[0]), b.Columns[1].Int64s
	if len(values) > fewValues || slices.ContainsFunc(values, func(v json.RawMessage) bool { return len(v) > longestText }) {
		return nil
	}
	for i, v := range values {
		c.Statistics.Histogram = append(c.Statistics.Histogram, Bin{v, counts[i]})
	}
	return nil
}

// elements returns the values of the first row, a list.
func elements(c *fstore.Column) []json.RawMessage {
	var out []json.RawMessage
	_ = json.Unmarshal(c.AppendJSON(nil, 0), &out) // what AppendJSON wrote is a list
	return out
}

// numberBins counts the values up to each edge. The last bin has those above: up to the greatest.
func (s *session) numberBins(ctx context.Context, from string, c *contentColumn) error {
	edges := c.tally.edges()
	if len(edges) == 0 || c.tally.infinite {
		return nil
	}
	var upTo []string
	for _, e := range edges {
		edge := float(e, 64) + "::DOUBLE"
		x := c.expression + "::DOUBLE"
		if c.measure == ofInstants {
			edge, x = instant(fstore.FromMicros(int64(e))), c.expression
		}
		upTo = append(upTo, fmt.Sprintf("count_if(%s <= %s)", x, edge))
	}
	b, err := s.query(ctx, "SELECT ["+strings.Join(upTo, ", ")+"]::BIGINT[]\nFROM "+from)
	if err != nil {
		return err
	}
	below := int64(0)
	add := func(upTo json.RawMessage, n int64) {
		if n > below {
			c.Statistics.Histogram = append(c.Statistics.Histogram, Bin{upTo, n - below})
		}
		below = n
	}
	for i, n := range b.Columns[0].Int64s {
		add(c.edge(edges[i]), n)
	}
	add(c.Statistics.Max, c.Statistics.Count-c.Statistics.NaNs)
	return nil
}

// edge writes an edge as the column has values.
func (c *contentColumn) edge(x float64) json.RawMessage {
	one := fstore.NewColumn("", c.tally.least.Type, 1)
	switch one.Type {
	case fstore.Int32:
		one.Append(int32(x))
	case fstore.Int64:
		one.Append(wholeOf(x))
	case fstore.Timestamp:
		one.Append(fstore.FromMicros(int64(x)))
	case fstore.Float32:
		one.Append(float32(x))
	default:
		one.Append(x)
	}
	return one.AppendJSON(nil, 0)
}

// wholeOf is the nearest int64 of a float64 made of one.
func wholeOf(x float64) int64 {
	if x >= math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(x)
}

// against says in which figures two statistics differ, old and new.
func (s *Statistics) against(now *Statistics) string {
	var out []string
	add := func(name, old, new string) {
		if old != new {
			out = append(out, fmt.Sprintf("%s %s → %s", name, orNone(old), orNone(new)))
		}
	}
	number := func(x *float64) string {
		if x == nil {
			return ""
		}
		return strconv.FormatFloat(*x, 'g', 6, 64)
	}
	add("nulls", strconv.FormatInt(s.Nulls, 10), strconv.FormatInt(now.Nulls, 10))
	add("mean", number(s.Mean), number(now.Mean))
	add("min", string(s.Min), string(now.Min))
	add("max", string(s.Max), string(now.Max))
	add("stddev", number(s.Stddev), number(now.Stddev))
	if s.Distinct != nil && now.Distinct != nil {
		add("distinct", strconv.FormatInt(*s.Distinct, 10), strconv.FormatInt(*now.Distinct, 10))
	}
	if len(out) == 0 {
		return "others, or in other rows, with the same statistics"
	}
	return strings.Join(out, ", ")
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
