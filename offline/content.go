package offline

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/sqltype"
	"github.com/fstore-dev/fstore/stats"
)

// The logical content of a training set is its rows and columns, however Parquet encodes them. docs/lock.md has the
// encoding for digests, so that others can check one.

// contentColumn is a column of a training set that is being read.
type contentColumn struct {
	lock.Column
	expression string // the SQL that reads it
	measure    measure
	hash       hash.Hash
	buffer     []byte
	tally      tally
	rows       *fstore.Column   // the next rows for take
	room       int64            // how many rows may be kept for the histogram
	kept       []*fstore.Column // all rows so far; nil: there were too many
	settled    bool             // its statistics are complete

	direction stats.Direction // of lists of numbers
	centroid  []float32       // of the lists whose cosines these are

	// The column of whose instants these are the ages, or of whose lists the cosines, by its index in the group plus one; 0: it is a column of
	// the file.
	ageOf, cosineOf int
}

// measure says which statistics a column has.
type measure int

const (
	onlyCounts measure = iota // of nested columns
	ofTexts                   // text, bytes and what is read as text: least and greatest
	ofTruths                  // bool
	ofNumbers
	ofInstants // microseconds
	ofNorms    // lists of numbers: the statistics are those of their lengths
)

// groupColumns is how many columns of a training set are read together. It limits memory: the statistics of a column need
// less than 1 MB.
const groupColumns = 256

// keptValues is the most numbers of a group of columns that are kept (128 MB), so that their histograms need no second
// pass.
const keptValues = 16 << 20

// content reads a finished training set, in the order of the file, and puts its rows, schema, digests and statistics into
// o. at is the column with the instant of a row, if there is one. It leaves out the statistics if the content is the known one.
func (s *session) content(ctx context.Context, file, at string, o *lock.Output, known string) error {
	from := readParquet([]string{file}, false)
	described, err := s.describe(ctx, "SELECT *\nFROM "+from)
	if err != nil {
		return err
	}
	if known != "" {
		if err := s.readColumns(ctx, reading{from, "", described}, o, (*contentColumn).digest); err != nil || o.Content == known {
			return err
		}
	}
	if columnIndex(described, at) < 0 {
		at = ""
	}
	return s.readColumns(ctx, reading{from, at, described}, o, (*contentColumn).take)
}

// reading says what to read: columns of a FROM item, and the ages of their instants at the column at; "": no ages.
type reading struct {
	from, at string
	columns  []fstore.EngineColumn
}

// readColumns reads all columns, a group at a time, and puts the results into o. take gets the rows of a column.
func (s *session) readColumns(ctx context.Context, r reading, o *lock.Output, take takeRows) error {
	from := r.from
	o.Columns = make([]lock.Column, 0, len(r.columns))
	var columns []*contentColumn
	var memory sync.Pool
	for group := range slices.Chunk(r.columns, groupColumns) {
		var err error
		columns, err = s.groupOf(ctx, reading{from, r.at, group}, columns)
		if err == nil {
			o.Rows, err = s.readGroup(ctx, from, columns, take, &memory)
		}
		if err == nil {
			cosines := cosinesOf(columns)
			_, err = s.readGroup(ctx, from, cosines, take, &memory)
			columns = append(columns, cosines...)
		}
		if err != nil {
			return err
		}
		first := len(o.Columns)
		for _, c := range columns {
			c.Content = hex.EncodeToString(c.hash.Sum(nil))
			if !c.settled {
				c.Statistics = c.statistics()
			}
			if c.ageOf > 0 {
				o.Columns[first+c.ageOf-1].Statistics.Age = &c.Statistics
				continue
			}
			if c.cosineOf > 0 {
				of := &o.Columns[first+c.cosineOf-1].Statistics
				of.Cosine, of.Centroid = &c.Statistics, c.centroid
				continue
			}
			o.Columns = append(o.Columns, c.Column)
		}
	}
	o.Content = lock.ContentDigest(o.Rows, o.Columns)
	return nil
}

// readGroup reads columns, twice where their histograms need it, and returns the number of rows.
func (s *session) readGroup(ctx context.Context, from string, columns []*contentColumn, take takeRows, memory *sync.Pool) (int64, error) {
	rows, err := s.readContent(ctx, from, columns, take)
	if err != nil {
		return 0, err
	}
	eachColumn(columns, func(c *contentColumn) { c.settle(memory) })
	again := slices.DeleteFunc(slices.Clone(columns), func(c *contentColumn) bool { return !c.tally.secondPass })
	_, err = s.readContent(ctx, from, again, (*contentColumn).takeSecondPass)
	return rows, err
}

// groupOf returns columns ready to be read. They reuse the memory of columns that have been read.
func (s *session) groupOf(ctx context.Context, r reading, read []*contentColumn) ([]*contentColumn, error) {
	group := r.columns
	withNulls, err := s.listsWithNulls(ctx, r.from, group)
	if err != nil {
		return nil, err
	}
	columns := make([]*contentColumn, 0, len(group))
	for i, d := range group {
		c := &contentColumn{Column: lock.Column{Name: d.Name, Type: d.Type}, hash: sha256.New()}
		c.expression, c.measure = readAs(ident(d.Name), d.Type)
		if withNulls[d.Name] {
			c.expression, c.measure = c.expression+"::VARCHAR", onlyCounts
		}
		if i < len(read) {
			c.buffer, c.tally = read[i].buffer, read[i].tally.reuse()
		}
		c.hash.Write(append([]byte(d.Type), 0))
		columns = append(columns, c)
	}
	columns = append(columns, agesOf(columns, r.at)...)
	for _, c := range columns {
		if c.measure == ofNumbers || c.measure == ofInstants || c.measure == ofNorms {
			c.room = int64(keptValues / len(columns))
		}
	}
	return columns, nil
}

// listsWithNulls returns the list columns with null elements, which are read as text. Features have none.
func (s *session) listsWithNulls(ctx context.Context, from string, group []fstore.EngineColumn) (map[string]bool, error) {
	var names, found []string
	for _, c := range group {
		if x := ident(c.Name); strings.HasSuffix(c.Type, "]") {
			if as, _ := readAs(x, c.Type); as == x {
				names, found = append(names, c.Name), append(found, "coalesce(bool_or(len(list_filter("+x+", lambda e: e IS NULL)) > 0), false)")
			}
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	b, err := s.query(ctx, "SELECT\n  "+list(found)+"\nFROM "+from)
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for i, name := range names {
		out[name] = b.Columns[i].Bools[0]
	}
	return out, nil
}

// readAs returns how a column of an engine's type is read: whole numbers that fit as int32 or int64, and types that fstore
// does not have as text.
func readAs(x, typ string) (string, measure) {
	switch t := sqltype.Parse(typ); {
	case t.Name == "BOOLEAN":
		return x, ofTruths
	case t.Name == "INTEGER", t.Name == "BIGINT", t.Name == "FLOAT", t.Name == "DOUBLE":
		return x, ofNumbers
	case t.Bits > 0 && t.ValueBits() < 32:
		return x + "::INTEGER", ofNumbers
	case t.Bits > 0 && t.ValueBits() < 64:
		return x + "::BIGINT", ofNumbers
	case t.Name == "VARCHAR", t.Name == "BLOB":
		return x, ofTexts
	case t.Name == "TIMESTAMP":
		return x, ofInstants
	case t.Name == "TIMESTAMP WITH TIME ZONE", t.Name == "TIMESTAMP_MS", t.Name == "TIMESTAMP_S":
		return x + "::TIMESTAMP", ofInstants
	case t.Name == "LIST" && !t.Array && (t.Elem.Name == "INTEGER" || t.Elem.Name == "BIGINT" || t.Elem.Mantissa > 0):
		return x, ofNorms
	case t.Name == "LIST" && !t.Array && isNative(t.Elem):
		return x, onlyCounts
	case t.Bits > 0, t.Name == "DECIMAL", t.Unit > 0, t.Name == "TIME", t.Name == "UUID":
		return x + "::VARCHAR", ofTexts
	}
	return x + "::VARCHAR", onlyCounts
}

// isNative reports whether values of the type are read as they are.
func isNative(t *sqltype.Type) bool {
	switch t.Name {
	case "BOOLEAN", "INTEGER", "BIGINT", "FLOAT", "DOUBLE", "VARCHAR", "BLOB", "TIMESTAMP":
		return true
	}
	return false
}

// takeRows gets the next rows of a column; at is the number of the first.
type takeRows func(c *contentColumn, rows *fstore.Column, at int64)

// readContent reads columns and gives their rows to take, column by column, while the engine makes the next rows. It
// returns the number of rows.
func (s *session) readContent(ctx context.Context, from string, columns []*contentColumn, take takeRows) (int64, error) {
	if len(columns) == 0 {
		return 0, nil
	}
	selected := make([]string, 0, len(columns))
	for i, c := range columns {
		selected = append(selected, fmt.Sprintf("%s AS c%d", c.expression, i))
	}
	rows, err := s.conn.Query(ctx, "SELECT\n  "+list(selected)+"\nFROM "+from)
	if err != nil {
		return 0, translate(err)
	}
	defer rows.Close()
	type next struct {
		batch *fstore.Batch
		err   error
	}
	ahead := make(chan next, 2)
	go func() {
		for more := true; more; {
			b, err := rows.Next()
			ahead <- next{b, err}
			more = b != nil
		}
	}()
	n := int64(0)
	for {
		got := <-ahead
		if got.batch == nil {
			return n, translate(got.err)
		}
		for i := range columns {
			columns[i].rows = &got.batch.Columns[i]
		}
		eachColumn(columns, func(c *contentColumn) { take(c, c.rows, n) })
		n += int64(got.batch.Len)
	}
}

// eachColumn calls do for every column, several at a time.
func eachColumn(columns []*contentColumn, do func(*contentColumn)) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(columns)) {
		all.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(columns) {
					return
				}
				do(columns[i])
			}
		})
	}
	all.Wait()
}

// take adds rows to the column's digest and its statistics. Statistics of numbers wait as long as all rows can be kept: the
// state of one column fits the processor's cache, and the states of many columns do not.
func (c *contentColumn) take(rows *fstore.Column, at int64) {
	if c.ageOf+c.cosineOf == 0 {
		c.digest(rows, at)
	}
	if c.measure == ofNorms {
		c.direction.Add(rows)
	}
	rows = c.measured(rows)
	if c.room == 0 {
		c.tally.take(c.measure, rows, at)
		return
	}
	if c.kept = append(c.kept, rows); at+int64(rows.Len) > c.room {
		c.takeKept()
		c.kept, c.room = nil, 0
	}
}

// takeKept adds the rows that were kept to the statistics.
func (c *contentColumn) takeKept() {
	at := int64(0)
	for _, rows := range c.kept {
		c.tally.take(c.measure, rows, at)
		at += int64(rows.Len)
	}
}

// settle completes the statistics, except histograms that need a second pass. Columns whose rows were kept take turns with
// the memory of a tally.
func (c *contentColumn) settle(memory *sync.Pool) {
	if c.kept == nil {
		c.tally.settleBins(c.measure)
		return
	}
	if last, ok := memory.Get().(*tally); ok {
		c.tally = last.reuse()
	}
	c.takeKept()
	c.tally.settleBins(c.measure)
	if c.tally.secondPass {
		for _, rows := range c.kept {
			c.tally.takeSecondPass(rows)
		}
	}
	c.Statistics, c.settled = c.statistics(), true
	used := c.tally
	memory.Put(&used)
	c.kept, c.tally = nil, tally{}
}

// takeSecondPass adds rows of a second pass to the column's histogram.
func (c *contentColumn) takeSecondPass(rows *fstore.Column, _ int64) {
	c.tally.takeSecondPass(c.measured(rows))
}

// digest adds rows to the column's digest.
func (c *contentColumn) digest(rows *fstore.Column, _ int64) {
	c.buffer = appendColumn(c.buffer[:0], rows)
	c.hash.Write(c.buffer)
}

// appendColumn appends every row: 0 for a null, otherwise 1 and the value.
func appendColumn(dst []byte, c *fstore.Column) []byte {
	for i := range c.Len {
		if c.Valid != nil && c.IsNull(i) {
			dst = append(dst, 0)
			continue
		}
		dst = appendValue(append(dst, 1), c, i)
	}
	return dst
}

// appendValue appends the encoding of a value that is not null: numbers in their own width, little-endian; a text after its
// length; the values of a list after their number. All NaNs are one.
func appendValue(dst []byte, c *fstore.Column, i int) []byte {
	if !c.Type.IsList() {
		return appendElement(dst, c, i)
	}
	from, to := c.Offsets[i], c.Offsets[i+1]
	dst = binary.LittleEndian.AppendUint64(dst, uint64(to-from))
	for j := from; j < to; j++ {
		dst = appendElement(dst, c, int(j))
	}
	return dst
}

func appendElement(dst []byte, c *fstore.Column, i int) []byte {
	switch c.Type.Elem() {
	case fstore.Bool:
		if c.Bools[i] {
			return append(dst, 1)
		}
		return append(dst, 0)
	case fstore.Int32:
		return binary.LittleEndian.AppendUint32(dst, uint32(c.Int32s[i]))
	case fstore.Int64, fstore.Timestamp:
		return binary.LittleEndian.AppendUint64(dst, uint64(c.Int64s[i]))
	case fstore.Float32:
		bits := math.Float32bits(c.Float32s[i])
		if c.Float32s[i] != c.Float32s[i] {
			bits = 0x7fc00000
		}
		return binary.LittleEndian.AppendUint32(dst, bits)
	case fstore.Float64:
		bits := math.Float64bits(c.Float64s[i])
		if c.Float64s[i] != c.Float64s[i] {
			bits = 0x7ff8000000000000
		}
		return binary.LittleEndian.AppendUint64(dst, bits)
	case fstore.String:
		dst = binary.LittleEndian.AppendUint64(dst, uint64(len(c.Strings[i])))
		return append(dst, c.Strings[i]...)
	case fstore.Bytes: // below
	}
	dst = binary.LittleEndian.AppendUint64(dst, uint64(len(c.Bytes[i])))
	return append(dst, c.Bytes[i]...)
}
