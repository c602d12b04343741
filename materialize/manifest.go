package materialize

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/regular"
	"github.com/parquet-go/parquet-go"
)

// A manifest is a Parquet file that lists a generation's contents in key order: key, the key's bytes, and digest, the
// first 16 bytes of the SHA-256 of its record. Columns are plain and uncompressed: keys are short and digests random.

const digestSize = 16

type digest [digestSize]byte

// manifestRow is the schema of a manifest.
type manifestRow struct {
	Key    []byte `parquet:"key,plain"`
	Digest digest `parquet:"digest,plain"`
}

// The writer holds one row group in memory. The reader holds one page of each column.
const (
	groupRows  = 256 << 10
	groupBytes = 16 << 20
	pageBytes  = 256 << 10
)

type manifestWriter struct {
	out    *outFile
	w      *parquet.GenericWriter[manifestRow]
	values []parquet.Value
	rows   int // in the open row group
	bytes  int // of keys in it
	keys   int64
}

func newManifest(dir string, runID string) (*manifestWriter, error) {
	out, err := createFile(dir, runID+manifestSuffix)
	if err != nil {
		return nil, err
	}
	w := parquet.NewGenericWriter[manifestRow](out, parquet.PageBufferSize(pageBytes), parquet.WriteBufferSize(0),
		parquet.DataPageStatistics(false), parquet.SkipPageBounds("digest"), parquet.KeyValueMetadata("fstore.run", runID))
	return &manifestWriter{out: out, w: w}, nil
}

// add appends keys, in ascending order, with their digests.
func (m *manifestWriter) add(keys [][]byte, digests []digest) error {
	m.values = m.values[:0]
	for _, k := range keys {
		m.bytes += len(k)
		m.values = append(m.values, parquet.ByteArrayValue(k).Level(0, 0, 0))
	}
	if _, err := m.w.ColumnWriters()[0].WriteRowValues(m.values); err != nil {
		return err
	}
	m.values = m.values[:0]
	for i := range digests {
		m.values = append(m.values, parquet.FixedLenByteArrayValue(digests[i][:]).Level(0, 0, 1))
	}
	if _, err := m.w.ColumnWriters()[1].WriteRowValues(m.values); err != nil {
		return err
	}
	m.keys += int64(len(keys))
	if m.rows += len(keys); m.rows < groupRows && m.bytes < groupBytes {
		return nil
	}
	m.rows, m.bytes = 0, 0
	return m.w.Flush()
}

// commit makes the manifest durable under its name.
func (m *manifestWriter) commit() (fileInfo, error) {
	if err := m.w.Close(); err != nil {
		return fileInfo{}, err
	}
	return m.out.commit()
}

func (m *manifestWriter) abort() {
	if m != nil {
		m.out.abort()
	}
}

// manifestReader reads a manifest in key order. A nil reader is an empty manifest.
//
// parquet-go trusts the sizes that a file states, so a file is opened only after its checksum was verified
// (checkFile). Any other damage is ErrCorrupt.
type manifestReader struct {
	f      *os.File
	groups []parquet.RowGroup
	pages  [2]parquet.Pages // of the open row group: keys, digests
	page   [2]parquet.Page
	keys   []byte // of the open page
	ends   []uint32
	sums   []byte
	at     [2]int // the next row of each page
	prev   []byte // the last key of the previous page
	key    []byte // the current row
	digest []byte
}

func openManifest(dir string, info fileInfo) (m *manifestReader, err error) {
	f, err := regular.Open(filepath.Join(dir, info.Name), regular.AnySize)
	if err != nil {
		return nil, err
	}
	m = &manifestReader{f: f}
	defer func() {
		if err != nil {
			_ = f.Close()
		}
	}()
	defer damaged(&err)
	file, err := parquet.OpenFile(f, info.Size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true),
		parquet.FileReadMode(parquet.ReadModeSync), parquet.ReadBufferSize(pageBytes))
	if err != nil {
		return nil, err
	}
	if !parquet.EqualNodes(file.Schema(), parquet.SchemaOf(manifestRow{})) {
		return nil, errors.New("it has other columns")
	}
	m.groups = file.RowGroups()
	return m, nil
}

// next moves to the next key. It returns false after the last one.
func (m *manifestReader) next() (bool, error) {
	if m == nil {
		return false, nil
	}
	for i := range m.page {
		if err := m.fill(i); err == io.EOF {
			return false, nil
		} else if err != nil {
			return false, err
		}
	}
	i := m.at[0]
	m.key = m.keys[m.ends[i]:m.ends[i+1]:m.ends[i+1]]
	m.digest = m.sums[m.at[1]*digestSize:][:digestSize]
	m.at[0]++
	m.at[1]++
	return true, nil
}

// fill makes sure that column i has a row to read.
func (m *manifestReader) fill(i int) (err error) {
	if m.page[i] != nil && int64(m.at[i]) < m.page[i].NumRows() {
		return nil
	}
	defer damaged(&err)
	for {
		if m.page[i] != nil {
			if i == 0 {
				m.prev = append(m.prev[:0], m.key...)
			}
			parquet.Release(m.page[i])
			m.page[i] = nil
		}
		if m.pages[i] == nil {
			if i == 1 { // the key column is read first
				return errors.New("it has fewer digests than keys")
			}
			if len(m.groups) == 0 {
				return io.EOF
			}
			if err := m.nextGroup(); err != nil {
				return err
			}
		}
		p, err := m.pages[i].ReadPage()
		if err == io.EOF {
			if err := m.pages[i].Close(); err != nil {
				return err
			}
			m.pages[i] = nil
			continue
		}
		if err != nil {
			return err
		}
		m.page[i], m.at[i] = p, 0
		if p.NumRows() > 0 {
			return m.load(i)
		}
	}
}

func (m *manifestReader) nextGroup() error {
	if m.pages[1] != nil {
		if err := m.pages[1].Close(); err != nil {
			return err
		}
		if m.page[1] != nil && int64(m.at[1]) < m.page[1].NumRows() {
			return errors.New("it has fewer keys than digests")
		}
	}
	for i, c := range m.groups[0].ColumnChunks() {
		m.pages[i] = c.Pages()
	}
	m.groups = m.groups[1:]
	return nil
}

// load checks a page and reads its values.
func (m *manifestReader) load(i int) error {
	rows, data := int(m.page[i].NumRows()), m.page[i].Data()
	if i == 1 {
		var size int
		if m.sums, size = data.FixedLenByteArray(); size != digestSize || len(m.sums) != rows*digestSize {
			return errors.New("a page of digests has the wrong length")
		}
		return nil
	}
	if m.keys, m.ends = data.ByteArray(); len(m.ends) != rows+1 {
		return errors.New("a page of keys has the wrong length")
	}
	prev := m.prev
	for r := range rows {
		if m.ends[r] > m.ends[r+1] || int(m.ends[r+1]) > len(m.keys) {
			return errors.New("a key lies outside its page")
		}
		key := m.keys[m.ends[r]:m.ends[r+1]]
		if prev != nil && bytes.Compare(prev, key) >= 0 {
			return errors.New("its keys are out of order")
		}
		prev = key
	}
	return nil
}

// close releases the reader.
func (m *manifestReader) close() error {
	if m == nil {
		return nil
	}
	for i := range m.page {
		if m.page[i] != nil {
			parquet.Release(m.page[i])
		}
		if m.pages[i] != nil {
			_ = m.pages[i].Close()
		}
	}
	return m.f.Close()
}

// damaged turns an error while reading a manifest, including a panic of the library, into ErrCorrupt.
func damaged(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%v", r)
	}
	if *err != nil && *err != io.EOF && !errors.Is(*err, fstore.ErrCorrupt) {
		*err = fstore.Errorf(fstore.ErrCorrupt, "a manifest is damaged: %v", *err)
	}
}
