package materialize

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/fstore-dev/fstore"
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
// the sizes it reads.
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
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, info.Name), b, 0o644); err != nil {
			t.Fatal(err)
		}
		keys, _, err := readManifest(dir, info)
		if bytes.Equal(b, good) {
			if err != nil || keys != 250 {
				t.Errorf("%d keys, %v", keys, err)
			}
		} else if !errors.Is(err, fstore.ErrCorrupt) {
			t.Errorf("got %v", err)
		}
	})
}

// FuzzSpool reads any bytes as a spool, and any body with a right checksum as a frame.
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
	f.Add(good[len(spoolMagic)+8:])
	f.Add([]byte{opSet, 1, 'k', 1, 'v', opDelete, 1, 'l'})
	f.Fuzz(func(t *testing.T, b []byte) {
		read := func(file []byte) {
			var r spoolReader
			var batch batch
			err := r.begin(bytes.NewReader(file), int64(len(file)))
			for err == nil {
				if err = r.next(&batch); err == nil && len(batch.keys)+len(batch.deletes) == 0 {
					t.Error("an empty batch")
				}
			}
			if err != io.EOF && !errors.Is(err, fstore.ErrCorrupt) {
				t.Errorf("got %v", err)
			}
		}
		read(b)
		body := batch{body: b}
		if err := body.parse(); err != nil && !errors.Is(err, fstore.ErrCorrupt) {
			t.Errorf("got %v", err)
		}
	})
}

// FuzzRun reads any bytes as a run's description.
func FuzzRun(f *testing.F) {
	f.Add([]byte(`{"format":1,"run":"r","generation":"00","manifest":{"name":"r.manifest.parquet"},"spool":{"name":"r.spool"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "r.json")
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		if r := readRun(path, "r"); r != nil && (r.Manifest.Name != "r"+manifestSuffix || r.Spool.Name != "r"+spoolSuffix) {
			t.Errorf("it names files outside its run: %+v", r)
		}
	})
}
