package servedlog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore/online/answers"
)

// A part that is damaged in the middle costs its rows alone, and the log says so. Only a last part that is not whole is cut
// without a word.
func TestADamagedPartCostsItsRowsAlone(t *testing.T) {
	for _, c := range []struct {
		name      string
		damage    func(stream, sums []byte, ends []int) ([]byte, []byte)
		customers string
		damaged   int64
	}{
		{"nothing", func(stream, sums []byte, _ []int) ([]byte, []byte) { return stream, sums }, "1 2 3 4", 0},
		{"first part", func(stream, sums []byte, _ []int) ([]byte, []byte) { stream[20] ^= 1; return stream, sums }, "", 1},
		{"middle part", func(stream, sums []byte, ends []int) ([]byte, []byte) { stream[ends[1]-1] ^= 1; return stream, sums }, "1 3 4", 1},
		{"last part", func(stream, sums []byte, ends []int) ([]byte, []byte) { stream[ends[3]-1] ^= 1; return stream, sums }, "1 2 3", 1},
		{"size of a middle part", func(stream, sums []byte, _ []int) ([]byte, []byte) { sums[sumSize+7] = 1; return stream, sums }, "1", 1},
		{"killed in the last part", func(stream, sums []byte, ends []int) ([]byte, []byte) { return stream[:ends[3]-1], sums }, "1 2 3", 0},
		{"killed before the last part", func(stream, sums []byte, ends []int) ([]byte, []byte) { return stream[:ends[2]], sums }, "1 2 3", 0},
		{"killed in the last sum", func(stream, sums []byte, ends []int) ([]byte, []byte) { return stream[:ends[2]], sums[:4*sumSize-1] }, "1 2 3", 0},
		{"killed in the first part", func(stream, sums []byte, _ []int) ([]byte, []byte) { return stream[:9], sums[:sumSize] }, "", 0},
		{"two parts are missing", func(stream, sums []byte, ends []int) ([]byte, []byte) { return stream[:ends[1]], sums }, "1 2", 1},
		{"sums are missing", func(stream, sums []byte, _ []int) ([]byte, []byte) { return stream, sums[:2*sumSize] }, "1 2", 1},
		{"all sums are missing", func(stream, _ []byte, _ []int) ([]byte, []byte) { return stream, nil }, "", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, nil)
			plan := w.Plan(listOf("churn", one), nil, answers.Builds{})
			var ends []int
			for customer := range int64(4) {
				w.serve(plan, customer+1)
				w.drain()
				ends = append(ends, int(w.writer.streams[plan.id].size))
			}
			w.writer.close()
			path := filepath.Join(w.options.Path, w.names(t)[0])
			stream, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			sums, err := os.ReadFile(path + sumsSuffix)
			if err != nil {
				t.Fatal(err)
			}
			stream, sums = c.damage(stream, sums, ends)
			if err := errors.Join(os.WriteFile(path, stream, privateFile), os.WriteFile(path+sumsSuffix, sums, privateFile)); err != nil {
				t.Fatal(err)
			}
			before, unreadableBefore := w.readLossy(t)
			w.checkParts(t, c.customers, c.damaged, everything)
			w.sweep(t.Context())
			w.sweep(t.Context())
			after, unreadable := w.readLossy(t)
			w.checkParts(t, c.customers, c.damaged, everything)
			if before != c.customers || after != c.customers {
				t.Errorf("customers %q of the stream, %q of the sealed file, not %q", before, after, c.customers)
			}
			if unreadableBefore != c.damaged || unreadable != c.damaged {
				t.Errorf("Read names %d files before the stream is sealed and %d after it, not %d", unreadableBefore, unreadable, c.damaged)
			}
			said := int64(strings.Count(w.said.String(), "level="))
			if w.Damaged() != c.damaged || int64(w.has(t, ".damaged")) != c.damaged || said != c.damaged || w.has(t, ".arrows") != 0 {
				t.Errorf("%d damaged, %v\n%s", w.Damaged(), w.names(t), w.said)
			}
			if _, err := os.Lstat(path + sumsSuffix); !errors.Is(err, fs.ErrNotExist) {
				t.Error("the sums stay", err)
			}
		})
	}
}

// read returns the customers that Read finds, in its order.
func (w *world) read(t testing.TB) string {
	t.Helper()
	return strings.Join(w.readAnd(t, func() {}), " ")
}

// readLossy returns the customers that Read finds, and how many files it names because rows of them are lost.
func (w *world) readLossy(t testing.TB) (customers string, files int64) {
	t.Helper()
	var all []string
	err := Read(w.options.Path, Reader{Chosen: everything, Do: func(r *Rows) error {
		for _, id := range r.Keys[0].Int64s {
			all = append(all, fmt.Sprint(id))
		}
		return nil
	}, Unreadable: func(string, error) { files++ }})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, " "), files
}

// readAnd returns the customers that Read finds, and calls then after each batch.
func (w *world) readAnd(t testing.TB, then func()) (customers []string) {
	t.Helper()
	err := Read(w.options.Path, Reader{Since: noon, Chosen: everything, Do: func(r *Rows) error {
		for _, id := range r.Keys[0].Int64s {
			customers = append(customers, fmt.Sprint(id))
		}
		then()
		return nil
	}, Unreadable: func(path string, err error) { t.Errorf("%s: %v", path, err) }})
	if err != nil {
		t.Fatal(err)
	}
	return customers
}

// Streams that are sealed while the log is read are read once: neither skipped nor read twice.
func TestReadingWhileStreamsAreSealed(t *testing.T) {
	w := newWorld(t, nil)
	for i, name := range []string{"churn", "fraud"} {
		plan := w.Plan(listOf(name, one), nil, answers.Builds{})
		w.serve(plan, int64(i))
		w.drain()
	}
	got := w.readAnd(t, func() { // when the first is read, the second becomes a sealed file
		w.writer.close()
		w.sweep(t.Context())
	})
	slices.Sort(got)
	if !slices.Equal(got, []string{"0", "1"}) || w.has(t, ".parquet") != 2 {
		t.Error(got, w.names(t))
	}
}

// A server that is killed between sealing a stream and removing it leaves both.
func TestAStreamThatIsSealedAlreadyIsReadOnce(t *testing.T) {
	w := newWorld(t, nil)
	w.serve(w.Plan(listOf("churn", one), nil, answers.Builds{}), 1, 2)
	w.drain()
	w.writer.close()
	path := filepath.Join(w.options.Path, w.names(t)[0])
	stream, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(path + sumsSuffix)
	if err != nil {
		t.Fatal(err)
	}
	w.sweep(t.Context())
	if err := errors.Join(os.WriteFile(path, stream, privateFile), os.WriteFile(path+sumsSuffix, sums, privateFile)); err != nil {
		t.Fatal(err)
	}
	if got := w.read(t); got != "1 2" || len(w.names(t)) != 2 {
		t.Error(got, w.names(t))
	}
	w.sweep(t.Context())
	if got := w.read(t); got != "1 2" || len(w.names(t)) != 1 {
		t.Error(got, w.names(t))
	}
}

// Damaged streams, and what killed servers left half sealed, do not stay for ever.
func TestDamagedFilesAreDeletedToo(t *testing.T) {
	for name, limit := range map[string]func(*Options){
		"by age":  func(o *Options) { o.Keep = time.Hour },
		"by size": func(o *Options) { o.MaxBytes = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.serve(w.Plan(listOf("churn", one), nil, answers.Builds{}), 1)
			w.drain()
			w.writer.close()
			path := filepath.Join(w.options.Path, w.names(t)[0])
			if err := os.WriteFile(path+sumsSuffix, nil, privateFile); err != nil {
				t.Fatal(err)
			}
			half := filepath.Join(filepath.Dir(path), "20260301T110000Z-00ff-1"+sealingSuffix)
			if err := os.WriteFile(half, []byte("PAR1"), privateFile); err != nil {
				t.Fatal(err)
			}
			w.sweep(t.Context())
			if w.has(t, ".damaged") != 1 || len(w.names(t)) != 1 {
				t.Fatal(w.names(t))
			}
			limit(&w.options)
			w.now = w.now.Add(3 * time.Hour)
			w.sweep(t.Context())
			if left := w.names(t); len(left) != 0 {
				t.Error(left)
			}
		})
	}
}

// A file whose name is taken, by a server that took an earlier try for a dead server's, costs no rows.
func TestAFileThatIsTakenGetsAnotherName(t *testing.T) {
	w := newWorld(t, nil)
	plan := w.Plan(listOf("churn", one), nil, answers.Builds{})
	dir := filepath.Join(w.options.Path, plan.folder)
	if err := os.MkdirAll(dir, privateFolder); err != nil {
		t.Fatal(err)
	}
	taken := w.writer.nextName(w.now)
	w.writer.files = 0
	if err := os.WriteFile(filepath.Join(dir, taken+streamSuffix), nil, privateFile); err != nil {
		t.Fatal(err)
	}
	w.serve(plan, 1)
	w.end()
	if got := w.customers(t); got != "1" || w.Dropped() != 0 {
		t.Errorf("%q, %d dropped\n%s", got, w.Dropped(), w.said)
	}
}

// A file that keep or max_bytes deletes while the log is read is named, and the reading goes on.
func TestAFileThatIsRemovedWhileTheLogIsRead(t *testing.T) {
	w := newWorld(t, nil)
	plan := w.Plan(listOf("churn", one), nil, answers.Builds{})
	for id := range int64(3) {
		w.Add(plan, served(id))
		w.end() // each is a file
	}
	var read []int64
	var lost []string
	err := Read(w.options.Path, Reader{Chosen: everything, Do: func(r *Rows) error {
		if read = append(read, r.Keys[0].Int64s...); len(read) == 1 {
			files, err := listFiles(w.options.Path)
			if err != nil || len(files) != 3 {
				return fmt.Errorf("%d files: %w", len(files), err)
			}
			return os.Remove(files[1].path)
		}
		return nil
	}, Unreadable: func(path string, err error) { lost = append(lost, err.Error()) }})
	if err != nil || len(read) != 2 || !slices.Equal(lost, []string{errRemoved.Error()}) {
		t.Errorf("%v, read %v, lost %q", err, read, lost)
	}
}

// Two servers share a folder, and the clock of one goes back by hours. Each row is read once, and sealed once.
func TestTwoServersAndAClockThatGoesBack(t *testing.T) {
	first, two := newWorld(t, nil), newWorld(t, nil)
	two.options.Path = first.options.Path
	plans := []*Plan{first.Plan(listOf("churn", one), nil, answers.Builds{}), two.Plan(listOf("churn", one), nil, answers.Builds{})}
	next := int64(0)
	for _, hours := range []time.Duration{0, -2, -1, -1, 1} { // from noon
		first.now = noon.Add(hours * time.Hour)
		for i, w := range []*world{first, two} {
			w.Add(plans[i], served(next))
			next++
			w.drain()
		}
	}
	want := "0 1 2 3 4 5 6 7 8 9"
	if got := sorted(first.readAnd(t, func() {})); got != want {
		t.Errorf("before the end: %s", got)
	}
	first.end()
	two.end()
	first.sweep(t.Context())
	if got := sorted(first.readAnd(t, func() {})); got != want {
		t.Errorf("%s", got)
	}
	if got := first.query(t, "select count(*), count(distinct customer_id) from FILES"); got[0] != "10 10" || first.has(t, streamSuffix) > 0 {
		t.Errorf("sealed: %s, %v", got[0], first.names(t))
	}
}

func sorted(customers []string) string {
	slices.Sort(customers)
	return strings.Join(customers, " ")
}
