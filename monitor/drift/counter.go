package drift

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/stats"
)

// Counter counts current rows in the bins of a reference. Its memory does not grow with the rows. It is not safe for use by several
// goroutines; it counts several columns at a time by itself.
type Counter struct {
	columns []*column
	at      string // the column of instants; "": there is none
	by      Period
	start   func(micros int64) (window int64, in bool) // of an instant; nil: there are no windows
	windows map[int64]int32                            // by what start returns: the first instant in microseconds
	starts  []int64                                    // of the windows, in the order in which they were met
	window  []int32                                    // of each row of a batch
}

// column is a column that is counted.
type column struct {
	*compared
	counts  []*stats.Counts // by window; without windows there is one
	cosines []*stats.Counts // likewise; empty without a centroid
	unseen  map[string]int64
	seen    bool   // the current rows have it
	why     string // it is not compared; "": it is, if it was seen
	lacked  bool   // because the current side lacks what it should have

	lookUps []LookUps // by window; nil: nobody counted any
}

const (
	maxWindows    = 2000 // of a comparison
	maxUnseen     = 1000 // categories that are counted by name
	shownUnseen   = 10
	longestUnseen = 256 // bytes
)

// NewCounter returns a counter for columns of a reference. at is the column with the instants of rows, which ages and windows need; it
// may be empty. by divides the rows into windows; Whole takes all together. The error says which statistics contradict themselves.
func NewCounter(columns []Column, at string, by Period) (*Counter, error) {
	if by == Whole {
		return newCounter(columns, at, by, nil)
	}
	return newCounter(columns, at, by, func(micros int64) (int64, bool) { return by.start(micros), true })
}

func newCounter(columns []Column, at string, by Period, start func(int64) (int64, bool)) (*Counter, error) {
	c := &Counter{at: at, by: by, start: start, windows: map[int64]int32{}}
	for _, of := range columns {
		divided, err := newCompared(of)
		if err != nil {
			return nil, err
		}
		one := &column{compared: divided, unseen: map[string]int64{}}
		if start == nil {
			one.newWindow()
		}
		c.columns = append(c.columns, one)
	}
	return c, nil
}

// Wanted returns the columns to count, with the types in which to pass them to Add; in place of float64, any type of numbers
// will do. Of nulls only the nulls are counted: the values may be of any type.
func (c *Counter) Wanted() (columns []fstore.Field, nulls []string) {
	for _, of := range c.columns {
		want := of.Type
		switch {
		case of.measure == Norm:
			want = fstore.List(fstore.Float64)
		case of.edges.Kind == stats.Numbers && of.measure == Value:
			want = fstore.Float64
		case of.edges.Kind == stats.Presence && of.measure == Value && want != fstore.Float32 && want != fstore.Float64: // these may be NaN
			nulls = append(nulls, of.Name)
			continue
		}
		columns = append(columns, fstore.Field{Name: of.Name, Type: want})
	}
	return columns, nulls
}

// LeaveOut says that a column is not compared, and why, in a sentence.
func (c *Counter) LeaveOut(name, reason string) {
	for _, of := range c.columns {
		if of.Name == name {
			of.why = reason
		}
	}
}

// Lack is LeaveOut for a column that the current side should have.
func (c *Counter) Lack(name, reason string) {
	c.LeaveOut(name, reason)
	for _, of := range c.columns {
		of.lacked = of.lacked || of.Name == name
	}
}

// Add counts rows. It leaves out columns of the reference that the batch lacks. It returns ErrInvalid if there are too many
// windows.
func (c *Counter) Add(b *fstore.Batch) error {
	at := b.Column(c.at)
	into := []int32(nil)
	if c.start != nil {
		if err := c.assign(at, b.Len); err != nil {
			return err
		}
		into = c.window
	}
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(c.columns)) {
		all.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(c.columns) {
					return
				}
				c.columns[i].add(b.Column(c.columns[i].Name), at, into)
			}
		})
	}
	all.Wait()
	return nil
}

// assign says which window each row is in. Rows without an instant are in none.
func (c *Counter) assign(at *fstore.Column, rows int) error {
	c.window = slices.Grow(c.window[:0], rows)[:rows]
	last, lastWindow := int64(math.MinInt64), int32(-1) // rows near each other are mostly in one window
	for i := range rows {
		if at == nil || at.IsNull(i) || infinite(at.Int64s[i]) {
			c.window[i] = -1
			continue
		}
		start, in := c.start(at.Int64s[i])
		if !in {
			c.window[i] = -1
			continue
		}
		if start != last || lastWindow < 0 {
			w, known := c.windows[start]
			if !known {
				if len(c.starts) == maxWindows {
					return fstore.Errorf(fstore.ErrInvalid, "the current rows are in more than %d windows (%s)", maxWindows, c.by).
						WithHint("choose longer windows, or fewer rows")
				}
				w = int32(len(c.starts))
				c.windows[start], c.starts = w, append(c.starts, start)
				for _, of := range c.columns {
					of.newWindow()
				}
			}
			last, lastWindow = start, w
		}
		c.window[i] = lastWindow
	}
	return nil
}

// newWindow adds counts of no rows.
func (c *column) newWindow() {
	c.counts = append(c.counts, c.edges.NewCounts())
	if c.direction != nil {
		c.cosines = append(c.cosines, c.direction.edges.NewCounts())
	}
}

// rows returns how many rows were counted.
func (c *column) rows() (n int64) {
	for _, part := range c.counts {
		n += part.Rows()
	}
	return n
}

// cosinesIn returns the counts of cosines in a window; nil without a centroid.
func (c *column) cosinesIn(window int) *stats.Counts {
	if c.direction == nil {
		return nil
	}
	return c.cosines[window]
}

// infinite reports whether an instant is infinite.
func infinite(micros int64) bool { return micros == math.MaxInt64 || micros <= -math.MaxInt64 }

// add counts the rows of the column, if the batch has it.
func (c *column) add(rows, at *fstore.Column, window []int32) {
	switch {
	case rows == nil:
		return
	case c.measure == Age && at == nil:
		c.why, c.lacked = "The current rows have no column of instants, which the age of an instant needs.", true
		return
	}
	c.seen = true
	switch c.measure {
	case Age:
		rows = ages(rows, at)
	case Norm:
		if c.direction != nil {
			c.direction.edges.Add(stats.Cosines(rows, c.Statistics.Centroid), stats.Into{Counts: c.cosines, Window: window}, nil)
		}
		rows = stats.Norms(rows)
	case Value: // as they are
	}
	c.edges.Add(rows, stats.Into{Counts: c.counts, Window: window}, c.meet)
}

// ages returns the seconds from each instant to that of its row.
func ages(rows, at *fstore.Column) *fstore.Column {
	out := fstore.NewColumn(rows.Name, fstore.Float64, rows.Len)
	for i := range rows.Len {
		if rows.IsNull(i) || at.IsNull(i) || infinite(rows.Int64s[i]) || infinite(at.Int64s[i]) {
			out.AppendNull()
			continue
		}
		out.AppendFloat64((float64(at.Int64s[i]) - float64(rows.Int64s[i])) / 1e6) // int64s might overflow
	}
	return &out
}

// meet counts a category that the reference does not list.
func (c *column) meet(_ int, value string) {
	if !c.edges.Complete || len(value) > longestUnseen {
		return
	}
	if n, known := c.unseen[value]; known {
		c.unseen[value] = n + 1
	} else if len(c.unseen) < maxUnseen {
		c.unseen[strings.Clone(value)] = 1
	}
}

// Compare returns the comparison of all rows with the reference. The sides are for the caller to describe; Current.Rows is set.
func (c *Counter) Compare(o Options) *Comparison {
	out := &Comparison{ShareLimit: o.ShareLimit, MinRows: o.MinRows, Features: make([]Feature, 0, len(c.columns))}
	order := c.spans(out)
	for _, of := range c.columns {
		out.Current.Rows = max(out.Current.Rows, of.rows()) // whether or not the column is judged
		f := of.compare(&o, order)
		if f.Role == RoleTarget && f.Verdict == NotCompared { // outcomes come later than what they are predicted from
			continue
		}
		if f.Role == RoleFeature {
			out.Counts.add(f.Verdict)
		}
		out.Features = append(out.Features, f)
	}
	out.Verdict = TooFew
	if judged := out.Counts.Drifted + out.Counts.Stable; judged > 0 {
		out.Share = float64(out.Counts.Drifted) / float64(judged)
		if out.Verdict = Stable; out.Share > o.ShareLimit {
			out.Verdict = Drifted
		}
	}
	return out
}

func (v *Verdicts) add(verdict Verdict) {
	switch verdict {
	case Drifted:
		v.Drifted++
	case Stable:
		v.Stable++
	case TooFew:
		v.TooFew++
	case NotCompared:
		v.NotCompared++
	}
}

// spans puts the windows into the comparison, in ascending order, and returns their indexes in that order.
func (c *Counter) spans(out *Comparison) []int {
	if c.by == Whole {
		return nil
	}
	out.By = c.by.String()
	order := make([]int, 0, len(c.starts))
	for i := range c.starts {
		order = append(order, i)
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(c.starts[a], c.starts[b]) })
	for _, i := range order {
		span := Span{From: fstore.FromMicros(c.starts[i]), To: fstore.FromMicros(c.by.end(c.starts[i]))}
		for _, of := range c.columns {
			span.Rows = max(span.Rows, of.counts[i].Rows())
		}
		out.Windows = append(out.Windows, span)
	}
	return order
}

// compare compares the column as a whole and by window.
func (c *column) compare(o *Options, order []int) Feature {
	switch {
	case c.why != "":
		return c.notCompared(c.why)
	case !c.seen:
		c.lacked = true
		return c.notCompared(fmt.Sprintf("The current rows have no column %s.", c.Name))
	}
	held, off := o.thresholds(c.compared)
	if off != "" {
		return c.notCompared(off)
	}
	whole := c.edges.NewCounts()
	for _, part := range c.counts {
		whole.Merge(part)
	}
	var cosines *stats.Counts
	if c.direction != nil {
		cosines = c.direction.edges.NewCounts()
		for _, part := range c.cosines {
			cosines.Merge(part)
		}
	}
	f := c.feature(whole, cosines, o, held)
	f.Unseen, f.LookUps = c.shownUnseen(), c.allLookUps()
	for _, i := range order {
		w := c.window(c.counts[i], c.cosinesIn(i), o, held)
		w.LookUps = c.lookUpsOf(i)
		f.Windows = append(f.Windows, w)
	}
	return f
}

func (c *column) notCompared(reason string) Feature {
	f := c.described()
	f.Verdict, f.Reason, f.Missing = NotCompared, reason, c.lacked
	return f
}

// shownUnseen returns the most frequent categories that the reference does not have.
func (c *column) shownUnseen() []Category {
	var out []Category
	for value, n := range c.unseen {
		out = append(out, Category{c.categoryText(value), n})
	}
	slices.SortFunc(out, func(a, b Category) int {
		return cmp.Or(cmp.Compare(b.Current, a.Current), strings.Compare(a.Category, b.Category))
	})
	return out[:min(len(out), shownUnseen)]
}

// categoryText returns a category as text.
func (c *compared) categoryText(value string) string {
	if c.Type == fstore.Bytes {
		return base64.StdEncoding.EncodeToString([]byte(value))
	}
	return value
}

// Period divides time into windows, in UTC.
type Period int

// The periods. A week begins on Monday.
const (
	Whole Period = iota // no windows
	Hour
	Day
	Week
	Month
)

var periods = []string{"", "hour", "day", "week", "month"}

func (p Period) String() string { return periods[p] }

// ParsePeriod reads the name of a period: hour, day, week or month.
func ParsePeriod(name string) (Period, error) {
	if at := slices.Index(periods, name); at > 0 {
		return Period(at), nil
	}
	return Whole, fstore.Errorf(fstore.ErrUsage, "%q is not a length of windows: hour, day, week or month", name)
}

const hour = int64(time.Hour / time.Microsecond)

// start returns the first instant of the window of an instant, in microseconds.
func (p Period) start(micros int64) int64 {
	floor := func(length, from int64) int64 {
		rest := (micros - from) % length
		if rest < 0 {
			rest += length
		}
		return micros - rest
	}
	switch p {
	case Hour:
		return floor(hour, 0)
	case Day:
		return floor(24*hour, 0)
	case Week:
		return floor(7*24*hour, -3*24*hour) // the Unix epoch is a Thursday
	case Month:
		t := fstore.FromMicros(micros)
		return fstore.Micros(time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC))
	case Whole: // has no windows
	}
	return 0
}

// end returns the first instant after the window that begins at an instant.
func (p Period) end(start int64) int64 {
	switch p {
	case Hour:
		return start + hour
	case Day:
		return start + 24*hour
	case Week:
		return start + 7*24*hour
	case Month:
		return fstore.Micros(fstore.FromMicros(start).AddDate(0, 1, 0))
	case Whole: // has no windows
	}
	return start
}
