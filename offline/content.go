package offline

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"math"
	"sync"

	"github.com/fstore-dev/fstore"
)

// The logical content of a training set is its rows and columns, whatever Parquet makes of them. docs/lock.md has the
// encoding, so that others can check a digest.

// contentColumn is a column of a training set that is being read.
type contentColumn struct {
	LockColumn
	expression string // how it is read
	measure    measure
	hash       hash.Hash
	buffer     []byte
	tally      tally
}

// measure says which statistics a column has.
type measure int

const (
	onlyCounts measure = iota // nested ones
	ofTexts                   // text, bytes and what is read as text: least and greatest
	ofTruths                  // bool
	ofNumbers
	ofInstants // microseconds
)

// content reads a finished training set and puts its rows, schema, digests and statistics into o. Rows are read in the
// order of the file. If the content is one that is known, its distributions are not worked out.
func (s *session) content(ctx context.Context, file string, o *LockOutput, known string) error {
	from := readParquet([]string{file}, false)
	described, err := s.describe(ctx, "SELECT *\nFROM "+from)
	if err != nil {
		return err
	}
	columns := make([]*contentColumn, 0, len(described))
	selected := make([]string, 0, len(described))
	for _, d := range described {
		c := &contentColumn{LockColumn: LockColumn{Name: d.Name, Type: d.Type}, hash: sha256.New()}
		if c.expression, c.measure, err = s.readAs(ctx, from, d); err != nil {
			return err
		}
		c.hash.Write(append([]byte(d.Type), 0))
		columns = append(columns, c)
		selected = append(selected, fmt.Sprintf("%s AS c%d", c.expression, len(selected)))
	}
	if o.Rows, err = s.readContent(ctx, "SELECT\n  "+list(selected)+"\nFROM "+from, columns); err != nil {
		return err
	}
	for _, c := range columns {
		c.Content = hex.EncodeToString(c.hash.Sum(nil))
		c.Statistics = c.tally.statistics(c.measure)
	}
	describe := func() {
		o.Columns = []LockColumn{}
		for _, c := range columns {
			o.Columns = append(o.Columns, c.LockColumn)
		}
	}
	describe()
	if o.Content = contentDigest(o.Rows, o.Columns); o.Content == known {
		return nil
	}
	if err := s.distributions(ctx, from, columns); err != nil {
		return err
	}
	describe()
	return nil
}

// contentDigest returns the digest of a training set from those of its columns.
func contentDigest(rows int64, columns []LockColumn) string {
	h := sha256.New()
	fmt.Fprintf(h, "fstore content 1\n%d\n", rows)
	for _, c := range columns {
		line, _ := json.Marshal([]string{c.Name, c.Type, c.Content}) // texts always encode
		h.Write(append(line, '\n'))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// readAs returns how a column is read for its content, and what is measured of it. Lists with null elements, of which
// there are none among features, are read as text.
func (s *session) readAs(ctx context.Context, from string, c fstore.EngineColumn) (string, measure, error) {
	x, m := readAs(ident(c.Name), c.Type)
	if parseType(c.Type).name != "LIST" || x != ident(c.Name) {
		return x, m, nil
	}
	b, err := s.query(ctx, "SELECT 1\nFROM "+from+"\nWHERE len(list_filter("+x+", lambda e: e IS NULL)) > 0\nLIMIT 1")
	if err == nil && b.Len > 0 {
		x += "::VARCHAR"
	}
	return x, m, err
}

// readAs returns how a column of an engine's type is read. What has no type of ours is read as text; whole numbers that
// fit are read as int32 or int64.
func readAs(x, typ string) (string, measure) {
	switch t := parseType(typ); {
	case t.name == "BOOLEAN":
		return x, ofTruths
	case t.name == "INTEGER", t.name == "BIGINT", t.name == "FLOAT", t.name == "DOUBLE":
		return x, ofNumbers
	case t.bits > 0 && t.valueBits() < 32:
		return x + "::INTEGER", ofNumbers
	case t.bits > 0 && t.valueBits() < 64:
		return x + "::BIGINT", ofNumbers
	case t.name == "VARCHAR", t.name == "BLOB":
		return x, ofTexts
	case t.name == "TIMESTAMP":
		return x, ofInstants
	case t.name == "TIMESTAMP WITH TIME ZONE", t.name == "TIMESTAMP_MS", t.name == "TIMESTAMP_S":
		return x + "::TIMESTAMP", ofInstants
	case t.name == "LIST" && !t.array && t.elem.native():
		return x, onlyCounts
	case t.bits > 0, t.name == "DECIMAL", t.unit > 0, t.name == "TIME", t.name == "UUID":
		return x + "::VARCHAR", ofTexts
	}
	return x + "::VARCHAR", onlyCounts
}

// native reports whether values of the type are read as they are.
func (t *engineType) native() bool {
	switch t.name {
	case "BOOLEAN", "INTEGER", "BIGINT", "FLOAT", "DOUBLE", "VARCHAR", "BLOB", "TIMESTAMP":
		return true
	}
	return false
}

// readContent runs the query of the columns and takes all its rows in, each column by itself, while the engine makes the next
// rows. It returns how many there are.
func (s *session) readContent(ctx context.Context, sql string, columns []*contentColumn) (int64, error) {
	rows, err := s.conn.Query(ctx, sql)
	if err != nil {
		return 0, plain(err)
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
			return n, plain(got.err)
		}
		var all sync.WaitGroup
		for i, c := range columns {
			all.Go(func() { c.take(&got.batch.Columns[i], n) })
		}
		all.Wait()
		n += int64(got.batch.Len)
	}
}

// take adds the next rows of the column to its digest and its statistics; at is the number of the first.
func (c *contentColumn) take(rows *fstore.Column, at int64) {
	c.buffer = c.buffer[:0]
	for i := range rows.Len {
		if rows.IsNull(i) {
			c.buffer = append(c.buffer, 0)
			continue
		}
		c.buffer = appendValue(append(c.buffer, 1), rows, i)
	}
	c.hash.Write(c.buffer)
	c.tally.take(c.measure, rows, at)
}

// appendValue appends the encoding of a value that is not null: numbers in as many bytes as they have, the least first;
// a text behind its length; a list's values behind their number. There is one NaN.
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
	}
	dst = binary.LittleEndian.AppendUint64(dst, uint64(len(c.Bytes[i])))
	return append(dst, c.Bytes[i]...)
}
