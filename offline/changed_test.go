package offline

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/offline/trainset"
)

// twins writes two files of the same size, in which every value is 1 or 2, and returns what is in them.
func twins(r *repo) (one, two []byte) {
	r.Helper()
	for i, to := range []*[]byte{&one, &two} {
		r.write("twin.parquet", fmt.Sprintf("SELECT i AS k, TIMESTAMP '2011-12-01' AS event, %d AS a FROM range(20000) t(i)", i+1))
		var err error
		if *to, err = os.ReadFile(filepath.Join(r.dir, "twin.parquet")); err != nil {
			r.Fatal(err)
		}
	}
	if len(one) != len(two) {
		r.Fatalf("the twins have %d and %d bytes", len(one), len(two))
	}
	return one, two
}

// overwrite writes a file in place and puts its mtime back, as some tools do.
func overwrite(t testing.TB, path string, text []byte) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(path, text, 0o644), os.Chtimes(path, time.Time{}, info.ModTime())); err != nil {
		t.Fatal(err)
	}
}

// tick waits until the file system's clock shows another time than a file has.
func tick(t testing.TB, d *trainset.Digests, path string) {
	t.Helper()
	for {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		now, err := d.Now()
		if err != nil {
			t.Fatal(err)
		}
		if trainset.Identify(info).Changed < now.UnixNano() {
			return
		}
	}
}

// A source that is written in place while a training set is made, with its mtime put back, is found out at any stage,
// whether it was written long before or just before.
func TestAFileThatChangesWhileItIsReadIsNamed(t *testing.T) {
	for _, stage := range []string{"read views", "join", "write", "summarize", "lock"} {
		for _, file := range []string{"s/a.parquet", "l.parquet"} {
			for _, rest := range []time.Duration{0, trainset.Settled} {
				t.Run(fmt.Sprint(stage, " ", file, " ", rest), func(t *testing.T) {
					r := newRepo(t, 2)
					one, two := twins(r)
					path := filepath.Join(r.dir, file)
					for _, f := range []string{"s/a.parquet", "l.parquet"} {
						f = filepath.Join(r.dir, f)
						if err := errors.Join(os.MkdirAll(filepath.Dir(f), 0o755), os.WriteFile(f, one, 0o644)); err != nil {
							t.Fatal(err)
						}
					}
					r.e.digests.TrustAfter(rest)
					tick(t, r.e.digests, path)
					req := r.request("l.parquet", all(view(source_("s/*.parquet"), []string{"k int64"}, []string{"a int64"})))
					req.List.Outputs[0] = fstore.FeatureOutput{As: "was", Feature: "a"}
					req.Timestamp = "event"
					done := false
					req.Progress = func(p trainset.Progress) {
						// labels are stamped in "read labels", the source in "read views"
						if p.Stage == stage && !done && (file == "l.parquet" || stage != "read views") {
							done = true
							overwrite(t, path, two)
						}
					}
					_, err := r.e.TrainingSet(t.Context(), req)
					if !done {
						t.Skip("nothing was changed")
					}
					if !errors.Is(err, fstore.ErrConflict) || !strings.Contains(err.Error(), path+" has changed while it was read") {
						t.Errorf("%v", err)
					}
					if _, err := os.Stat(req.Out); err == nil {
						t.Error("it was written")
					}
				})
			}
		}
	}
}

func digestOf(t *testing.T, f lock.File) [32]byte {
	t.Helper()
	b, err := hex.DecodeString(f.SHA256)
	if err != nil || len(b) != 32 {
		t.Fatal(f.SHA256, err)
	}
	return [32]byte(b)
}

// While a source is written again and again, a training set is refused or its lock has the digest of what was read.
func TestALockIsOfTheBytesThatWereRead(t *testing.T) {
	r := newRepo(t, 2)
	one, two := twins(r)
	path := filepath.Join(r.dir, "s/a.parquet")
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, one, 0o644)); err != nil {
		t.Fatal(err)
	}
	r.write("l.parquet", "SELECT i AS k, TIMESTAMP '2011-12-02' AS t FROM range(100) t(i)")
	writes, wg := make(chan int), sync.WaitGroup{}
	wg.Go(func() {
		turn := 0
		for n := range writes {
			for range n {
				turn++
				overwrite(t, path, [][]byte{one, two}[turn%2])
			}
		}
	})
	locks := 0
	for i := range 12 {
		writes <- []int{0, 1, 30}[i%3]
		req := r.request("l.parquet", all(view(source_("s/*.parquet"), []string{"k int64"}, []string{"a int64"})))
		s, err := r.e.TrainingSet(t.Context(), req)
		if err != nil {
			continue // torn, or seen to have changed
		}
		locks++
		l, err := lock.Read(s.Lock)
		if err != nil {
			t.Fatal(err)
		}
		want := map[[32]byte]string{sha256.Sum256(one): "1", sha256.Sum256(two): "2"}[digestOf(t, l.Sources[0].Files[0])]
		rows, _ := r.read("out.parquet")
		for _, row := range rows {
			if row[2] != want {
				t.Fatalf("the lock has the digest of the file with %q, and the training set has %v", want, row)
			}
		}
	}
	close(writes)
	wg.Wait()
	if locks == 0 {
		t.Error("there never was a lock, though nothing was written at times")
	}
}
