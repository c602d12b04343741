package materialize

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/alloctest"
)

// sampleManifest writes a manifest of n keys.
func sampleManifest(t testing.TB, dir string, n int) fileInfo {
	m, err := newManifest(dir, "r")
	if err != nil {
		t.Fatal(err)
	}
	for from := 0; from < n; from += 100 {
		var keys [][]byte
		var digests []digest
		for i := from; i < min(n, from+100); i++ {
			keys = append(keys, fmt.Appendf(nil, "key %06d", i))
			digests = append(digests, digest{byte(i), byte(i >> 8), byte(i >> 16)})
		}
		if err := m.add(keys, digests); err != nil {
			t.Fatal(err)
		}
	}
	info, err := m.commit()
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// readManifest reads all there is, as a run does: the checksum first.
func readManifest(dir string, info fileInfo) (keys int, sum uint32, err error) {
	if err := checkFile(dir, info); err != nil {
		return 0, 0, err
	}
	m, err := openManifest(dir, info)
	if err != nil {
		return 0, 0, err
	}
	defer m.close()
	for {
		more, err := m.next()
		if err != nil || !more {
			return keys, sum, err
		}
		keys++
		sum = crc32.Update(crc32.Update(sum, castagnoli, m.key), castagnoli, m.digest)
	}
}

func TestManifestReadsWhatWasWritten(t *testing.T) {
	for _, n := range []int{0, 1, 99, 100, 101, 30_000, 300_000} {
		dir := t.TempDir()
		keys, sum, err := readManifest(dir, sampleManifest(t, dir, n))
		if err != nil {
			t.Fatalf("%d keys: %v", n, err)
		}
		want := uint32(0)
		for i := range n {
			d := digest{byte(i), byte(i >> 8), byte(i >> 16)}
			want = crc32.Update(crc32.Update(want, castagnoli, fmt.Appendf(nil, "key %06d", i)), castagnoli, d[:])
		}
		if keys != n || sum != want {
			t.Errorf("%d keys: read %d, content as written: %v", n, keys, sum == want)
		}
	}
}

// FuzzManifest: bytes that are not the ones written are ErrCorrupt and never reach the Parquet library, which trusts
// the sizes it reads: so they make no memory either. And keys, whatever is in them, are read as they were written.
func FuzzManifest(f *testing.F) {
	dir := f.TempDir()
	info := sampleManifest(f, dir, 250)
	good, err := os.ReadFile(filepath.Join(dir, info.Name))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add([]byte{})
	f.Add([]byte("PAR1\xff\xff\xff\xffPAR1"))
	f.Add([]byte("a,b,,ab,abc,\x00,\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, info.Name), b, 0o644); err != nil {
			t.Fatal(err)
		}
		var keys int
		var err error
		alloctest.AtMost(t, 1<<20, func() { keys, _, err = readManifest(dir, info) })
		if bytes.Equal(b, good) {
			if err != nil || keys != 250 {
				t.Errorf("%d keys, %v", keys, err)
			}
		} else if !errors.Is(err, fstore.ErrCorrupt) {
			t.Errorf("got %v", err)
		}
		readsItsKeys(t, distinct(b))
	})
}

// distinct cuts bytes at commas into keys, in order, each once.
func distinct(b []byte) [][]byte {
	keys := bytes.Split(b, []byte(","))
	slices.SortFunc(keys, bytes.Compare)
	return slices.CompactFunc(keys, bytes.Equal)
}

// readsItsKeys writes a manifest of keys and reads it.
func readsItsKeys(t *testing.T, keys [][]byte) {
	t.Helper()
	dir := t.TempDir()
	w, err := newManifest(dir, "r")
	if err != nil {
		t.Fatal(err)
	}
	digests := make([]digest, len(keys))
	for i, k := range keys {
		copy(digests[i][:], k)
	}
	if err := w.add(keys, digests); err != nil {
		t.Fatal(err)
	}
	// as commit does, but for the sync, which would be most of the time
	if err := errors.Join(w.w.Close(), w.out.buf.Flush()); err != nil {
		t.Fatal(err)
	}
	defer w.abort()
	info := fileInfo{w.out.name + tmpSuffix, w.out.size, w.out.crc}
	if err := checkFile(dir, info); err != nil {
		t.Fatal(err)
	}
	m, err := openManifest(dir, info)
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	for i, k := range keys {
		if more, err := m.next(); err != nil || !more || !bytes.Equal(m.key, k) || !bytes.Equal(m.digest, digests[i][:]) {
			t.Fatalf("key %d: %x and %x, want %x: %v, %v", i, m.key, m.digest, k, more, err)
		}
	}
	if more, err := m.next(); err != nil || more {
		t.Fatalf("behind the last key: %v, %v", more, err)
	}
}

// FuzzSpool reads any bytes as a spool, and any body with a right checksum as a frame: batches in key order, or
// ErrCorrupt, and never more memory than there are bytes. What is written from a batch is read as it was.
func FuzzSpool(f *testing.F) {
	dir := f.TempDir()
	w, err := newSpool(dir, "r", 3, 1<<20)
	if err != nil {
		f.Fatal(err)
	}
	for i := range 8 {
		if i%3 == 0 {
			err = w.delete([]byte{byte(i)})
		} else {
			err = w.set([]byte{byte(i)}, bytes.Repeat([]byte{1}, 100*i))
		}
		if err != nil {
			f.Fatal(err)
		}
	}
	if err := w.flush(); err != nil {
		f.Fatal(err)
	}
	info, err := w.out.commit()
	if err != nil {
		f.Fatal(err)
	}
	good, err := os.ReadFile(filepath.Join(dir, info.Name))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(good[len(spoolMagic)+8:])
	f.Add([]byte(spoolMagic + "\xff\xff\xff\x3f\x00\x00\x00\x00"))
	f.Add([]byte{opSet, 1, 'k', 1, 'v', opDelete, 1, 'l'})
	f.Add([]byte{opSet, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Add([]byte{opDelete, 0, opSet, 1, 'k', 0})
	f.Add([]byte{opDelete, 1, 'l', opDelete, 1, 'k'})
	f.Fuzz(func(t *testing.T, b []byte) {
		readSpool(t, b)
		var head [8]byte
		binary.LittleEndian.PutUint32(head[:], uint32(len(b)))
		binary.LittleEndian.PutUint32(head[4:], crc32.Checksum(b, castagnoli))
		framed := slices.Concat([]byte(spoolMagic), head[:], b)
		if entries := readSpool(t, framed); entries != nil {
			if again := readSpool(t, spoolOf(t, entries)); !slices.Equal(entries, again) {
				t.Errorf("%q, written and read again %q", entries, again)
			}
		}
	})
}

// readSpool reads bytes as a spool and returns its entries as text; nil where it is damaged.
func readSpool(t *testing.T, file []byte) (entries []string) {
	t.Helper()
	var err error
	// the reader's buffer; an entry of two bytes is a slice of 24, in a slice that grew, and as text here again
	alloctest.AtMost(t, 256<<10+200*len(file), func() {
		var r spoolReader
		var batch batch
		err = r.begin(bytes.NewReader(file), int64(len(file)))
		for err == nil {
			if err = r.next(&batch); err != nil {
				break
			}
			all := slices.Concat(batch.keys, batch.deletes)
			if slices.SortFunc(all, bytes.Compare); len(all) == 0 || !bytes.Equal(all[len(all)-1], batch.last) {
				t.Errorf("a batch of %d keys ends at %x", len(all), batch.last)
			}
			for i, k := range batch.keys {
				entries = append(entries, fmt.Sprintf("%x set %x", k, batch.values[i]))
			}
			for _, k := range batch.deletes {
				entries = append(entries, fmt.Sprintf("%x", k))
			}
		}
	})
	if err == io.EOF {
		slices.Sort(entries)
		return entries
	}
	if !errors.Is(err, fstore.ErrCorrupt) {
		t.Errorf("got %v", err)
	}
	return nil
}

// spoolOf writes entries of readSpool.
func spoolOf(t *testing.T, entries []string) []byte {
	t.Helper()
	dir := t.TempDir()
	w, err := newSpool(dir, "r", 1<<20, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	type entry struct{ key, value []byte }
	var all []entry
	for _, e := range entries {
		key, value, set := strings.Cut(e, " set ")
		k, _ := hex.DecodeString(key)
		v, _ := hex.DecodeString(value)
		if !set {
			v = nil
		} else if v == nil {
			v = []byte{}
		}
		all = append(all, entry{k, v})
	}
	slices.SortFunc(all, func(a, b entry) int { return bytes.Compare(a.key, b.key) })
	for _, e := range all {
		if e.value == nil {
			err = w.delete(e.key)
		} else {
			err = w.set(e.key, e.value)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.flush(), w.out.buf.Flush()); err != nil {
		t.Fatal(err)
	}
	defer w.out.abort()
	b, err := os.ReadFile(filepath.Join(dir, w.out.name+tmpSuffix))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A spool whose description lies about its size is damaged, before a frame's length is believed.
func TestASpoolOfAnotherSizeIsDamaged(t *testing.T) {
	dir := t.TempDir()
	b := []byte(spoolMagic + "\xff\xff\xff\x3f\x00\x00\x00\x00")
	if err := os.WriteFile(filepath.Join(dir, "r.spool"), b, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{maxFrame, 0, -1, int64(len(b)) - 1} {
		alloctest.AtMost(t, 1<<20, func() {
			if _, err := openSpool(dir, fileInfo{Name: "r.spool", Size: size}); !errors.Is(err, fstore.ErrCorrupt) {
				t.Errorf("size %d: got %v, want ErrCorrupt", size, err)
			}
		})
	}
}

// FuzzRun reads any bytes as a run's description: it is none, or it names its own files alone and is the same when it
// is written and read again.
func FuzzRun(f *testing.F) {
	for _, s := range []string{
		`{"format":1,"run":"r","generation":"00","manifest":{"name":"r.manifest.parquet"},"spool":{"name":"r.spool"}}`,
		`{"format":1,"run":"r","view":{"name":"v","version":1},"at":"2026-01-01T00:00:00Z","base":"q","keys":3,"writes":2,"deletes":1,"manifest":{"name":"r.manifest.parquet","size":-1,"crc":1},"spool":{"name":"r.spool","size":9223372036854775807}}`,
		`{"format":1,"run":"r","at":"9999-12-31T23:59:59-23:59","manifest":{"name":"r.manifest.parquet"},"spool":{"name":"r.spool"}}`,
		`{"format":2,"run":"r"}`, `{"format":1,"run":"r","manifest":{"name":"../r.manifest.parquet"},"spool":{"name":"r.spool"}}`, `{`, `null`, ``,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		path := filepath.Join(dir, "r.json")
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		var r *run
		alloctest.AtMost(t, 32*len(b), func() { r, _ = readRun(path, "r") })
		if r == nil {
			return
		}
		if r.Manifest.Name != "r"+manifestSuffix || r.Spool.Name != "r"+spoolSuffix {
			t.Errorf("it names files outside its run: %+v", r)
		}
		s := &state{dir: dir, runsRead: runsRead{runs: map[string]*run{}}}
		if whole, err := s.intact(r, true); whole || err != nil { // neither file is there
			t.Errorf("its files are intact: %v, %v", whole, err)
		}
		if err := s.add(r); err != nil {
			t.Fatal(err)
		}
		again, _ := readRun(path, "r")
		if again == nil || !again.At.Equal(r.At) {
			t.Fatalf("%+v, written and read again %+v", r, again)
		}
		again.At = r.At
		if *again != *r {
			t.Errorf("%+v, written and read again %+v", r, again)
		}
	})
}
