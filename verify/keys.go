package verify

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"slices"

	"github.com/fstore-dev/fstore"
)

// scan reads the store's keys of the generations that answer now, in one pass over everything there is. Of a sample,
// some are enough.
func (r *runner) scan(ctx context.Context) error {
	r.keys = map[fstore.Generation]*keySorter{}
	var generations []fstore.Generation
	for _, v := range r.o.Views {
		p, ok, err := r.o.Store.Pointer(ctx, v.Ref)
		if err != nil {
			return err
		}
		if ok {
			generations = append(generations, p.Generation)
		}
	}
	return r.scanFor(ctx, generations...)
}

var errEnough = errors.New("enough keys")

// lookedAt is how many keys a sample looks at for each that it wants, so that its work is bounded.
const lookedAt = 20

// scanFor reads the keys of generations again.
func (r *runner) scanFor(ctx context.Context, generations ...fstore.Generation) error {
	for _, g := range generations {
		if old := r.keys[g]; old != nil {
			old.close()
		}
		r.keys[g] = &keySorter{dir: r.o.TempDir, limit: max(r.o.SortBytes/len(generations), 64<<10)}
	}
	wanted, looked := len(generations), 0
	if wanted == 0 {
		return nil
	}
	full := map[fstore.Generation]bool{}
	err := r.o.Store.ScanRecords(ctx, func(found fstore.StoredKey) error {
		g := found.Generation
		if n := r.o.Sample; n > 0 {
			if looked++; looked > n*lookedAt*wanted || len(full) == wanted {
				return errEnough
			}
			if k := r.keys[g]; k != nil && k.count >= n {
				full[g] = true
				return nil
			}
		}
		if k := r.keys[g]; k != nil && slices.Contains(generations, g) {
			if found.Astray {
				k.stray(found.Key)
				return nil
			}
			return k.add(found.Key)
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// keySorter sorts keys that may be more than fit into memory: full buffers are sorted and written to files.
type keySorter struct {
	dir   string
	limit int // bytes in memory

	count int
	data  []byte   // the keys in memory, back to back
	keys  [][2]int // where each begins and ends
	files []*os.File

	astray int64    // records where no look-up of their keys looks
	strays [][]byte // some of their keys
}

// maxStrays is how many keys of records that went astray are kept to be told.
const maxStrays = 100

func (k *keySorter) stray(key []byte) {
	if k.astray++; len(k.strays) < maxStrays {
		k.strays = append(k.strays, bytes.Clone(key))
	}
}

func (k *keySorter) add(key []byte) error {
	k.count++
	k.keys = append(k.keys, [2]int{len(k.data), len(k.data) + len(key)})
	k.data = append(k.data, key...)
	if len(k.data)+16*len(k.keys) < k.limit {
		return nil
	}
	return k.spill()
}

func (k *keySorter) sort() {
	slices.SortFunc(k.keys, func(a, b [2]int) int { return bytes.Compare(k.data[a[0]:a[1]], k.data[b[0]:b[1]]) })
}

// spill writes the keys in memory to a file, each after its length.
func (k *keySorter) spill() error {
	k.sort()
	if err := os.MkdirAll(k.dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(k.dir, "fstore-verify-*")
	if err != nil {
		return err
	}
	k.files = append(k.files, f)
	if err := os.Remove(f.Name()); err != nil { // the open file is all that is needed
		return err
	}
	w := bufio.NewWriterSize(f, 64<<10)
	var size [binary.MaxVarintLen64]byte
	for _, at := range k.keys {
		n := binary.PutUvarint(size[:], uint64(at[1]-at[0]))
		w.Write(size[:n]) // Flush tells
		w.Write(k.data[at[0]:at[1]])
	}
	k.data, k.keys = k.data[:0], k.keys[:0]
	return w.Flush()
}

func (k *keySorter) close() {
	for _, f := range k.files {
		_ = f.Close()
	}
	k.files = nil
}

// sorted returns a reader of all keys in order, each once. It may be asked for again.
func (k *keySorter) sorted() (*keyReader, error) {
	out := &keyReader{}
	if k == nil {
		return out, nil
	}
	k.sort()
	out.parts = append(out.parts, &memoryKeys{k: k})
	for _, f := range k.files {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		out.parts = append(out.parts, &fileKeys{r: bufio.NewReaderSize(f, 64<<10)})
	}
	for _, p := range out.parts {
		if err := p.next(); err != nil && err != io.EOF {
			return nil, err
		}
	}
	return out, nil
}

// keyReader merges sorted parts.
type keyReader struct {
	parts []keyPart
	last  []byte
	begun bool
}

// keyPart is a sorted run of keys.
type keyPart interface {
	next() error     // moves on; io.EOF after the last
	current() []byte // nil after the last
}

// next returns the next key, or nil after the last. It is valid until the next call.
func (r *keyReader) next() ([]byte, error) {
	for {
		var least keyPart
		for _, p := range r.parts {
			if c := p.current(); c != nil && (least == nil || bytes.Compare(c, least.current()) < 0) {
				least = p
			}
		}
		if least == nil {
			return nil, nil
		}
		again := r.begun && bytes.Equal(r.last, least.current())
		r.last, r.begun = append(r.last[:0], least.current()...), true
		if err := least.next(); err != nil && err != io.EOF {
			return nil, err
		}
		if !again {
			if r.last == nil {
				r.last = []byte{}
			}
			return r.last, nil
		}
	}
}

type memoryKeys struct {
	k   *keySorter
	at  int
	now []byte
}

func (m *memoryKeys) current() []byte { return m.now }

func (m *memoryKeys) next() error {
	if m.now = nil; m.at == len(m.k.keys) {
		return io.EOF
	}
	at := m.k.keys[m.at]
	m.now = m.k.data[at[0]:at[1]:at[1]]
	if m.now == nil {
		m.now = []byte{}
	}
	m.at++
	return nil
}

type fileKeys struct {
	r   *bufio.Reader
	buf []byte
	now []byte
}

func (f *fileKeys) current() []byte { return f.now }

func (f *fileKeys) next() error {
	f.now = nil
	n, err := binary.ReadUvarint(f.r)
	if err != nil {
		return err
	}
	if f.buf = slices.Grow(f.buf[:0], int(n))[:n]; f.buf == nil {
		f.buf = []byte{}
	}
	if _, err := io.ReadFull(f.r, f.buf); err != nil {
		return err
	}
	f.now = f.buf
	return nil
}
