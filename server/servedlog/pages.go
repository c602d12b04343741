package servedlog

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"
	"strings"

	"github.com/parquet-go/parquet-go/compress/snappy"
	"github.com/parquet-go/parquet-go/encoding/rle"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// parquet-go writes a value at a time, which was two thirds of what the log cost. Here the rows of a stream, which are in columns, are
// copied a column at a time into pages. Each chunk has one page, and before it a page for the dictionary of its words, if they repeat.
// parquet-go gives the schema and the encodings, and reads the files.

// leafBuffer is a column of the row group that is being filled.
type leafBuffer struct {
	path           []string
	kind           format.Type
	maxRep, maxDef byte

	count int    // of values and nulls
	nulls int64  // among them
	reps  []byte // the levels of each; only of lists
	defs  []byte // likewise; nil: there is no null
	data  []byte // the values as in a page; booleans take a byte each
	words []word // the values of a column of texts that repeat, instead of data

	low, high int64 // of integers
	bounded   bool  // there are such
}

// word is a text and how many rows in succession have it.
type word struct {
	text string
	n    int
}

// size returns the memory that the values of a leaf take, about.
func (l *leafBuffer) size() int { return len(l.data) + len(l.reps) + len(l.defs) + 24*len(l.words) }

// reset empties a leaf and keeps its memory.
func (l *leafBuffer) reset() {
	clear(l.words)
	l.count, l.nulls, l.bounded = 0, 0, false
	l.reps, l.data, l.words = l.reps[:0], l.data[:0], l.words[:0]
	if l.defs = l.defs[:0]; l.maxRep == 0 {
		l.defs = nil
	}
}

// levels adds n values, or n nulls if the definition level is less than the greatest.
func (l *leafBuffer) levels(definition byte, n int) {
	if definition < l.maxDef {
		l.nulls += int64(n)
		if l.defs == nil {
			l.defs = make([]byte, 0, l.count+n)
			l.defs = repeat(l.defs, l.maxDef, l.count)
		}
	}
	if l.defs != nil {
		l.defs = repeat(l.defs, definition, n)
	}
	l.count += n
}

// item adds one value of a list or map, or what stands for an empty one.
func (l *leafBuffer) item(repetition, definition byte) {
	l.reps = append(l.reps, repetition)
	l.levels(definition, 1)
}

func repeat(to []byte, b byte, n int) []byte {
	for range n {
		to = append(to, b)
	}
	return to
}

// word adds a text n times, without its levels. It keeps a copy.
func (l *leafBuffer) word(text string, n int) {
	if last := len(l.words) - 1; last >= 0 && l.words[last].text == text {
		l.words[last].n += n
		return
	}
	l.words = append(l.words, word{strings.Clone(text), n})
}

// bound widens the bounds of a column of integers.
func (l *leafBuffer) bound(low, high int64) {
	if !l.bounded {
		l.low, l.high, l.bounded = low, high, true
	}
	l.low, l.high = min(l.low, low), max(l.high, high)
}

func (l *leafBuffer) statistics() format.Statistics {
	s := format.Statistics{NullCount: l.nulls}
	if l.bounded {
		s.MinValue, s.MaxValue = l.plain(l.low), l.plain(l.high)
	}
	return s
}

func (l *leafBuffer) plain(v int64) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(v))
	if l.kind == format.Int32 {
		return b[:4]
	}
	return b
}

// encode returns the values of a leaf, and the dictionary of its words with their number. Without one, the words are values.
func (l *leafBuffer) encode(to []byte) (values, dictionary []byte, words int, err error) {
	switch {
	case l.kind == format.Boolean:
		for i, b := range l.data {
			if i%8 == 0 {
				to = append(to, 0)
			}
			to[len(to)-1] |= b << (i % 8)
		}
		return to, nil, 0, nil
	case len(l.words) == 0:
		return append(to, l.data...), nil, 0, nil
	case 4*len(l.words) > l.count:
		for _, w := range l.words {
			for range w.n {
				to = appendBytes(to, w.text)
			}
		}
		return to, nil, 0, nil
	}
	known, indexes := map[string]int32{}, make([]int32, 0, l.count)
	for _, w := range l.words {
		index, ok := known[w.text]
		if !ok {
			index = int32(len(known))
			known[w.text], dictionary = index, appendBytes(dictionary, w.text)
		}
		for range w.n {
			indexes = append(indexes, index)
		}
	}
	width := max(bits.Len(uint(len(known)-1)), 1)
	e := rle.Encoding{BitWidth: width}
	encoded, err := e.EncodeInt32(nil, indexes)
	return append(append(to, byte(width)), encoded...), dictionary, len(known), err
}

// appendBytes appends a text as pages have it: its length and its bytes.
func appendBytes[T string | []byte](to []byte, text T) []byte {
	return append(binary.LittleEndian.AppendUint32(to, uint32(len(text))), text...)
}

// encodeLevels appends levels with their length before them, as pages have them: n times the greatest if they are nil.
func encodeLevels(to, levels []byte, greatest byte, n int) ([]byte, error) {
	encoded := append(binary.AppendUvarint(nil, uint64(n)<<1), greatest)
	if levels != nil {
		e := rle.Encoding{BitWidth: bits.Len8(greatest)}
		var err error
		if encoded, err = e.EncodeLevels(nil, levels); err != nil {
			return nil, err
		}
	}
	return appendBytes(to, encoded), nil
}

// flush writes the rows that are held as a row group.
func (f *sealedFile) flush() error {
	if f.held == 0 {
		return nil
	}
	g := format.RowGroup{NumRows: int64(f.held), FileOffset: f.size, Ordinal: int16(min(len(f.meta.RowGroups), 1<<15-1))}
	for i := range f.leaves {
		chunk, err := f.writeLeaf(&f.leaves[i])
		if err != nil {
			return err
		}
		g.Columns = append(g.Columns, format.ColumnChunk{MetaData: chunk})
		g.TotalByteSize += chunk.TotalUncompressedSize
		g.TotalCompressedSize += chunk.TotalCompressedSize
		f.leaves[i].reset()
	}
	f.meta.RowGroups = append(f.meta.RowGroups, g)
	f.meta.NumRows += int64(f.held)
	f.held = 0
	return nil
}

// writeLeaf writes a leaf as a column chunk.
func (f *sealedFile) writeLeaf(l *leafBuffer) (format.ColumnMetaData, error) {
	chunk := format.ColumnMetaData{
		Type: l.kind, Encoding: []format.Encoding{format.Plain, format.RLE}, PathInSchema: l.path, Codec: format.Snappy,
		NumValues: int64(l.count), Statistics: l.statistics(),
	}
	var err error
	page := f.page[:0]
	if l.maxRep > 0 {
		if page, err = encodeLevels(page, l.reps, l.maxRep, 0); err != nil {
			return chunk, err
		}
	}
	if l.maxDef > 0 {
		if page, err = encodeLevels(page, l.defs, l.maxDef, l.count); err != nil {
			return chunk, err
		}
	}
	page, dictionary, words, err := l.encode(page)
	if err != nil {
		return chunk, err
	}
	f.page = page
	encoding := format.Plain
	if words > 0 {
		encoding, chunk.DictionaryPageOffset = format.RLEDictionary, f.size
		chunk.Encoding = append(chunk.Encoding, encoding)
		header := format.PageHeader{Type: format.DictionaryPage}
		header.DictionaryPageHeader = thrift.New(format.DictionaryPageHeader{NumValues: int32(words), Encoding: format.Plain})
		if err := f.writePage(&chunk, &header, dictionary); err != nil {
			return chunk, err
		}
	}
	chunk.DataPageOffset = f.size
	header := format.PageHeader{Type: format.DataPage}
	header.DataPageHeader = thrift.New(format.DataPageHeader{
		NumValues: int32(l.count), Encoding: encoding, DefinitionLevelEncoding: format.RLE, RepetitionLevelEncoding: format.RLE,
	})
	return chunk, f.writePage(&chunk, &header, page)
}

// writePage writes a page: its header, and its contents compressed.
func (f *sealedFile) writePage(chunk *format.ColumnMetaData, h *format.PageHeader, contents []byte) (err error) {
	if f.packed, err = (&snappy.Codec{}).Encode(f.packed, contents); err != nil {
		return err
	}
	h.UncompressedPageSize, h.CompressedPageSize = int32(len(contents)), int32(len(f.packed))
	h.CRC = int32(crc32.ChecksumIEEE(f.packed))
	header, err := thrift.Marshal(new(thrift.CompactProtocol), h)
	if err != nil {
		return err
	}
	chunk.TotalUncompressedSize += int64(len(header) + len(contents))
	chunk.TotalCompressedSize += int64(len(header) + len(f.packed))
	return f.write(header, f.packed)
}

// write appends to the file.
func (f *sealedFile) write(all ...[]byte) error {
	for _, b := range all {
		n, err := f.to.Write(b)
		f.size += int64(n)
		if err != nil {
			return err
		}
	}
	return nil
}

const magic = "PAR1"

// close writes what is held and the footer.
func (f *sealedFile) close() error {
	if err := f.flush(); err != nil {
		return err
	}
	footer, err := thrift.Marshal(new(thrift.CompactProtocol), &f.meta)
	if err != nil {
		return err
	}
	return f.write(footer, binary.LittleEndian.AppendUint32(nil, uint32(len(footer))), []byte(magic))
}
