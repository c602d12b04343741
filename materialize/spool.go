package materialize

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/regular"
)

// The spool holds a run's differences in key order, one frame per batch:
//
//	frame    length of the body (uint32, little-endian), CRC-32C of the body (uint32), body
//	body     entries: op (1 set, 2 delete), key length (uvarint), key; after a set also record length (uvarint), record
//
// It begins with spoolMagic. Its end follows from its length, which the run's description has.

const spoolMagic = "fstore spool 1\n"

const (
	opSet    = 1
	opDelete = 2
)

// batch is what one write to the store sets and deletes. Its slices are valid until it is filled again.
type batch struct {
	keys, values, deletes [][]byte
	last                  []byte // the greatest key
	bytes                 int64  // of keys and values set
	body                  []byte
}

// spoolWriter writes the differences of a run.
type spoolWriter struct {
	out               *outFile
	maxKeys, maxBytes int
	body              []byte
	entries           int
	writes, deletes   int64
	bytes             int64 // of keys and records set
}

func newSpool(dir, runID string, maxKeys, maxBytes int) (*spoolWriter, error) {
	out, err := createFile(dir, runID+spoolSuffix)
	if err != nil {
		return nil, err
	}
	_, err = io.WriteString(out, spoolMagic)
	return &spoolWriter{out: out, maxKeys: maxKeys, maxBytes: maxBytes}, err
}

func (w *spoolWriter) set(key, record []byte) error {
	w.writes++
	w.bytes += int64(len(key) + len(record))
	w.body = append(w.body, opSet)
	w.body = append(binary.AppendUvarint(w.body, uint64(len(key))), key...)
	w.body = append(binary.AppendUvarint(w.body, uint64(len(record))), record...)
	return w.added()
}

func (w *spoolWriter) delete(key []byte) error {
	w.deletes++
	w.body = append(w.body, opDelete)
	w.body = append(binary.AppendUvarint(w.body, uint64(len(key))), key...)
	return w.added()
}

func (w *spoolWriter) added() error {
	if w.entries++; w.entries < w.maxKeys && len(w.body) < w.maxBytes {
		return nil
	}
	return w.flush()
}

func (w *spoolWriter) flush() error {
	if w.entries == 0 {
		return nil
	}
	if len(w.body) > maxFrame {
		return fstore.Errorf(fstore.ErrTooLarge, "a batch of %d bytes: a record is too large", len(w.body))
	}
	var head [8]byte
	binary.LittleEndian.PutUint32(head[:], uint32(len(w.body)))
	binary.LittleEndian.PutUint32(head[4:], crc32.Checksum(w.body, castagnoli))
	if _, err := w.out.Write(head[:]); err != nil {
		return err
	}
	_, err := w.out.Write(w.body)
	w.body, w.entries = w.body[:0], 0
	return err
}

// maxFrame bounds what a reader allocates. No store accepts a record this large (Redis: 512 MB).
const maxFrame = 1 << 30

// spoolReader reads a spool batch by batch.
type spoolReader struct {
	f    *os.File
	in   *bufio.Reader
	left int64 // bytes
}

func openSpool(dir string, info fileInfo) (*spoolReader, error) {
	f, err := regular.Open(filepath.Join(dir, info.Name), regular.AnySize)
	if err != nil {
		return nil, err
	}
	r := &spoolReader{f: f}
	at, err := f.Stat()
	if err == nil && at.Size() != info.Size { // bounds the lengths that frames may claim
		err = spoolDamaged("it has another length")
	}
	if err == nil {
		err = r.begin(f, info.Size)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return r, nil
}

func (r *spoolReader) close() error { return r.f.Close() }

func (r *spoolReader) begin(in io.Reader, size int64) error {
	r.in, r.left = bufio.NewReaderSize(in, 256<<10), size-int64(len(spoolMagic))
	magic := make([]byte, len(spoolMagic))
	if _, err := io.ReadFull(r.in, magic); err != nil || string(magic) != spoolMagic {
		return spoolDamaged("it does not begin as a spool")
	}
	return nil
}

// next reads a batch into b. It returns io.EOF after the last one, and ErrCorrupt for damage.
func (r *spoolReader) next(b *batch) error {
	if r.left == 0 {
		return io.EOF
	}
	var head [8]byte
	if _, err := io.ReadFull(r.in, head[:]); err != nil {
		return spoolDamaged("it ends early")
	}
	n := int64(binary.LittleEndian.Uint32(head[:]))
	if r.left -= int64(len(head)) + n; r.left < 0 || n > maxFrame {
		return spoolDamaged("a frame is too long")
	}
	if int64(cap(b.body)) < n {
		b.body = make([]byte, n)
	}
	b.body = b.body[:n]
	if _, err := io.ReadFull(r.in, b.body); err != nil {
		return spoolDamaged("it ends early")
	}
	if crc32.Checksum(b.body, castagnoli) != binary.LittleEndian.Uint32(head[4:]) {
		return spoolDamaged("a checksum is wrong")
	}
	return b.parse()
}

// parse splits the body.
func (b *batch) parse() error {
	b.keys, b.values, b.deletes, b.bytes = b.keys[:0], b.values[:0], b.deletes[:0], 0
	rest, first := b.body, true
	for len(rest) > 0 {
		op := rest[0]
		key, after, ok := cutBytes(rest[1:])
		if !ok || !first && bytes.Compare(b.last, key) >= 0 {
			return spoolDamaged("an entry cannot be read")
		}
		b.last, rest, first = key, after, false
		switch op {
		case opDelete:
			b.deletes = append(b.deletes, key)
		case opSet:
			value, after, ok := cutBytes(rest)
			if !ok {
				return spoolDamaged("an entry cannot be read")
			}
			b.keys, b.values, rest = append(b.keys, key), append(b.values, value), after
			b.bytes += int64(len(key) + len(value))
		default:
			return spoolDamaged("an entry cannot be read")
		}
	}
	if first {
		return spoolDamaged("a frame is empty")
	}
	return nil
}

func cutBytes(b []byte) (field, rest []byte, ok bool) {
	n, w := binary.Uvarint(b)
	if w <= 0 || n > uint64(len(b)-w) {
		return nil, nil, false
	}
	end := w + int(n)
	return b[w:end:end], b[end:], true
}

func spoolDamaged(why string) error {
	return fstore.Errorf(fstore.ErrCorrupt, "the spool of a run is damaged: %s", why)
}
