package servedlog

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online/answers"
)

// names returns the log's files, sums aside, relative to its folder.
func (w *world) names(t testing.TB) (names []string) {
	t.Helper()
	err := filepath.WalkDir(w.options.Path, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(w.options.Path, path)
			if !strings.HasSuffix(rel, sumsSuffix) {
				names = append(names, rel)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func (w *world) has(t testing.TB, suffix string) int {
	t.Helper()
	return len(slices.DeleteFunc(w.names(t), func(name string) bool { return !strings.HasSuffix(name, suffix) }))
}

// serve adds an answer for each customer.
func (w *world) serve(p *Plan, customers ...int64) {
	for _, c := range customers {
		w.Add(p, served(c))
	}
}

func (w *world) customers(t testing.TB) string {
	t.Helper()
	return strings.Join(w.query(t, "select customer_id from FILES order by customer_id"), " ")
}

// A server that is killed leaves a stream, whose end may be anywhere. Every batch that was written whole is there afterwards,
// and nothing else.
func TestATornBatchIsCut(t *testing.T) {
	w := newWorld(t, nil)
	plan := w.Plan(listOf("churn", one), nil, answers.Builds{})
	var ends []int64
	for batch := range int64(3) {
		w.serve(plan, 2*batch, 2*batch+1)
		w.drain()
		ends = append(ends, w.writer.streams[plan.id].size)
	}
	w.writer.close()
	path := filepath.Join(w.options.Path, w.names(t)[0])
	whole, err := os.ReadFile(path)
	if err != nil || int64(len(whole)) != ends[2] {
		t.Fatal(len(whole), ends, err)
	}
	for cut := range int64(len(whole)) + 1 {
		if err := os.WriteFile(path, whole[:cut], privateFile); err != nil {
			t.Fatal(err)
		}
		want := 0
		for _, end := range ends {
			if cut >= end {
				want++
			}
		}
		if batches, rows, err := read(path); batches != want || rows != 2*want || err != nil {
			t.Fatalf("cut at %d of %v: %d batches, %d rows, %v", cut, ends, batches, rows, err)
		}
	}
	if err := os.WriteFile(path, whole[:ends[2]-1], privateFile); err != nil {
		t.Fatal(err)
	}
	w.sweep(t.Context())
	if got := w.customers(t); got != "0 1 2 3" || w.has(t, ".parquet") != 1 || len(w.names(t)) != 1 {
		t.Error(got, w.names(t))
	}
}

// read returns how much of a stream can be read.
func read(path string) (batches, rows int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	good, _, err := intact(f)
	if err != nil {
		return 0, 0, err
	}
	err = readStream(good, selection{chosen: everything}, func(_ *Plan, b *fstore.Batch) error {
		batches, rows = batches+1, rows+b.Len
		return nil
	})
	return batches, rows, err
}

// Bits that change on a disk cost rows, and never more memory or the process.
func TestADamagedStreamIsSetAside(t *testing.T) {
	w := newWorld(t, nil)
	plan := w.Plan(listOf("churn", one), nil, answers.Builds{})
	w.serve(plan, 1, 2, 3)
	w.drain()
	w.writer.close()
	path := filepath.Join(w.options.Path, w.names(t)[0])
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		bad := bytes.Clone(whole)
		for range 1 + random.IntN(8) {
			bad[random.IntN(len(bad))] = byte(random.IntN(256))
		}
		if err := os.WriteFile(path, bad, privateFile); err != nil {
			t.Fatal(err)
		}
		if batches, _, err := read(path); err != nil || batches > 0 && !bytes.Equal(bad, whole) {
			t.Fatalf("%d batches, %v", batches, err)
		}
	}
	w.sweep(t.Context())
	w.sweep(t.Context())
	if w.has(t, ".damaged") != 1 || len(w.names(t)) != 1 || strings.Count(w.said.String(), "is damaged") != 1 || w.Damaged() != 1 {
		t.Error(w.names(t), w.said)
	}
}

// A stream that a server writes is nobody else's. That of a dead server is sealed by whoever comes first.
func TestOnlyStreamsThatNobodyWritesAreSealed(t *testing.T) {
	w := newWorld(t, nil)
	plan := w.Plan(listOf("churn", one), nil, answers.Builds{})
	w.serve(plan, 1, 2)
	w.drain()
	other := newWorld(t, func(o *Options) { o.Path = w.options.Path })
	other.sweep(t.Context())
	if other.has(t, ".arrows") != 1 || other.has(t, ".parquet") != 0 {
		t.Fatal(w.names(t))
	}
	otherPlan := other.Plan(listOf("churn", one), nil, answers.Builds{})
	other.serve(otherPlan, 3)
	other.end()
	w.serve(plan, 4)
	w.drain()
	if got := other.customers(t); got != "3" || other.has(t, ".arrows") != 1 {
		t.Fatal(got, w.names(t))
	}
	if err := w.writer.streams[plan.id].end(); err != nil { // as a death does
		t.Fatal(err)
	}
	done := make(chan struct{})
	for range 4 {
		go func() {
			other.sweep(context.Background())
			done <- struct{}{}
		}()
	}
	for range 4 {
		<-done
	}
	if got := other.customers(t); got != "1 2 3 4" || len(other.names(t)) != 2 {
		t.Error(got, other.names(t))
	}
}

func TestAnHourEndsAStream(t *testing.T) {
	w := newWorld(t, nil)
	plan := w.Plan(listOf("churn", one), nil, answers.Builds{})
	w.serve(plan, 1)
	w.drain()
	w.now = w.now.Add(59*time.Minute + 59*time.Second)
	w.serve(plan, 2)
	w.drain()
	if w.sweep(t.Context()); w.has(t, ".parquet") != 0 {
		t.Fatal(w.names(t))
	}
	w.now = w.now.Add(time.Second)
	w.serve(plan, 3) // waits when the hour ends
	w.drain()
	w.sweep(t.Context())
	if got := w.customers(t); got != "1 2 3" || w.has(t, ".arrows") != 0 {
		t.Fatal(got, w.names(t))
	}
	w.serve(plan, 4)
	w.drain()
	w.sweep(t.Context())
	if got := w.customers(t); got != "1 2 3" || w.has(t, ".arrows") != 1 {
		t.Error(got, w.names(t))
	}
	w.end()
	if got := w.customers(t); got != "1 2 3 4" || w.has(t, ".parquet") != 2 {
		t.Error(got, w.names(t))
	}
}

// Only sealed files are deleted, the oldest first, whoever wrote them. What a server writes stays, whatever its age and size.
func TestOldFilesAreDeleted(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Keep = 5 * time.Hour })
	plan := w.Plan(listOf("churn", one), nil, answers.Builds{})
	stranger := filepath.Join(w.options.Path, "notes.txt")
	for hour := range int64(10) {
		w.serve(plan, hour)
		w.drain()
		if hour == 0 {
			if err := os.WriteFile(stranger, nil, privateFile); err != nil {
				t.Fatal(err)
			}
			other := newWorld(t, func(o *Options) { o.Path = w.options.Path })
			other.serve(other.Plan(listOf("other", one), nil, answers.Builds{}), 100)
			other.drain() // and goes on
			defer other.writer.close()
		}
		w.now = w.now.Add(time.Hour)
		w.writer.flush(w.now)
		w.sweep(t.Context())
	}
	if got := w.customers(t); got != "4 5 6 7 8 9" || w.has(t, ".arrows") != 1 || w.has(t, "notes.txt") != 1 {
		t.Error(got, w.names(t))
	}
	size := int64(0)
	files, err := listFiles(w.options.Path)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		size += f.size
	}
	w.options.MaxBytes = size - 1
	w.sweep(t.Context())
	if got := w.customers(t); got != "5 6 7 8 9" {
		t.Error(got)
	}
	w.options.MaxBytes = 1
	w.sweep(t.Context())
	if w.has(t, ".parquet") != 0 || w.has(t, ".arrows") != 1 || w.has(t, "notes.txt") != 1 {
		t.Error(w.names(t))
	}
}

func TestFilesArePrivate(t *testing.T) {
	w := newWorld(t, nil)
	plan := w.Plan(listOf("churn", one), nil, answers.Builds{})
	w.serve(plan, 1)
	w.drain()
	check := func() {
		err := filepath.WalkDir(w.options.Path, func(path string, d fs.DirEntry, _ error) error {
			info, err := d.Info()
			want := fs.FileMode(privateFile)
			if d.IsDir() {
				want = fs.ModeDir | privateFolder
			}
			if err == nil && info.Mode() != want {
				t.Errorf("%s is %v, not %v", path, info.Mode(), want)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	check()
	w.end()
	check()
}

// A folder that is removed, or that cannot be made, costs rows, and they are counted. Once it can be made, the log goes on.
func TestAFolderThatIsGone(t *testing.T) {
	w := newWorld(t, nil)
	plan := w.Plan(listOf("churn", one), nil, answers.Builds{})
	w.serve(plan, 1, 2)
	w.drain()
	if err := os.RemoveAll(w.options.Path); err != nil {
		t.Fatal(err)
	}
	w.serve(plan, 3)
	w.drain()
	if w.Dropped() != 2 || w.Rows() != 3 {
		t.Errorf("%d dropped, %d written", w.Dropped(), w.Rows())
	}
	if err := os.RemoveAll(w.options.Path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.options.Path, nil, privateFile); err != nil { // in its place
		t.Fatal(err)
	}
	for id := range int64(3) {
		w.serve(plan, 4+id)
		w.drain()
	}
	if w.Dropped() != 6 || strings.Count(w.said.String(), "cannot be written; answers go on") != 1 {
		t.Errorf("%d dropped\n%s", w.Dropped(), w.said)
	}
	if err := os.Remove(w.options.Path); err != nil {
		t.Fatal(err)
	}
	w.serve(plan, 7)
	w.end()
	if got := w.customers(t); got != "7" {
		t.Error(got)
	}
}

// Callers choose lists of features: those beyond a number are dropped and counted until the hour ends. They take no room from
// services.
func TestListsOfFeaturesAreBounded(t *testing.T) {
	w := newWorld(t, nil)
	for i := range maxLists + 3 {
		list := listOf("", one)
		list.Service, list.Outputs[0] = fstore.ViewRef{}, fstore.FeatureOutput{As: fmt.Sprint("f", i), Feature: "value"}
		w.serve(w.Plan(list, nil, answers.Builds{}), 1)
	}
	w.serve(w.Plan(listOf("churn", one), nil, answers.Builds{}), 2)
	w.end()
	if w.Dropped() != 3 || w.Rows() != maxLists+1 || w.has(t, ".parquet") != maxLists+1 {
		t.Errorf("%d dropped, %d written, %d files", w.Dropped(), w.Rows(), w.has(t, ".parquet"))
	}
}
