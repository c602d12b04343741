package materialize

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
)

var pastView = fstore.ViewRef{Name: "orders", Version: 3}

// pastState returns a state folder for past publications, and what is known of them.
func pastState(t *testing.T) (*state, func() map[string]Computed) {
	t.Helper()
	root := t.TempDir()
	dir, err := stateFolder(root, pastView)
	if err != nil {
		t.Fatal(err)
	}
	s, err := openState(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s, func() map[string]Computed {
		t.Helper()
		known, err := ComputedRuns(root, pastView)
		if err != nil {
			t.Fatal(err)
		}
		return known
	}
}

func pastRunOf(store string, n int) *run {
	return &run{Run: fmt.Sprintf("%s%04d", store, n), Store: store, At: time.Unix(int64(n), 0).UTC(), Inputs: fmt.Sprint("inputs ", n), Build: "b"}
}

func rememberAll(t *testing.T, s *state, runs ...*run) {
	t.Helper()
	for _, r := range runs {
		if err := s.remember(r); err != nil {
			t.Fatal(err)
		}
	}
}

// The last 1,000 runs of each store stay, and the file stays small.
func TestPastPublicationsAreBounded(t *testing.T) {
	t.Parallel()
	s, known := pastState(t)
	rememberAll(t, s, pastRunOf("other", 0))
	lines := func() int {
		all, err := os.ReadFile(filepath.Join(s.dir, pastFile))
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Count(all, []byte("\n"))
	}
	const n = keptPast + spare
	var all []pastRun
	for i := range n { // as if they had been appended one by one
		r := pastRunOf("s", i)
		all = append(all, pastRun{r.Run, r.Store, r.At, r.Inputs, r.Build})
	}
	writePast(t, s, append([]pastRun{{Run: "other0000", Store: "other", Inputs: "inputs 0", Build: "b"}}, all...))
	if got := len(known()); got != n+1 {
		t.Fatalf("%d runs are known, want %d", got, n+1)
	}
	rememberAll(t, s, pastRunOf("s", n))
	got := known()
	if lines() != keptPast+1 || len(got) != keptPast+1 {
		t.Errorf("%d lines, %d runs", lines(), len(got))
	}
	for id, want := range map[string]bool{"s1256": true, "s0257": true, "s0256": false, "other0000": true} {
		if _, ok := got[id]; ok != want {
			t.Errorf("run %s is known: %t", id, ok)
		}
	}
	if got["s1256"] != (Computed{"inputs 1256", "b"}) {
		t.Errorf("%+v", got["s1256"])
	}
}

// Many stores with long lines do not make the file larger than what can be read: the oldest runs go.
func TestPastPublicationsOfManyStoresFit(t *testing.T) {
	t.Parallel()
	s, known := pastState(t)
	long := strings.Repeat("x", maxPastRun-200)
	var all []pastRun
	for i, size := 0, 0; size < maxPast-2*maxPastRun; i++ {
		r := pastRunOf(string(rune('a'+i%8)), i)
		all = append(all, pastRun{r.Run, r.Store, r.At, long, r.Build})
		line, err := all[i].line()
		if err != nil {
			t.Fatal(err)
		}
		size += len(line)
	}
	writePast(t, s, all)
	var newest []*run
	for i := range 4 { // more than the file has room for
		r := pastRunOf("z", i)
		r.Inputs = long
		newest = append(newest, r)
	}
	rememberAll(t, s, newest...)
	got := known()
	if size := s.pastSize(); size > maxPast || len(got) < len(all)/2-1 {
		t.Errorf("%d runs of %d in %d bytes", len(got), len(all), size)
	}
	for _, id := range []string{"z0003", all[len(all)-1].Run} {
		if _, ok := got[id]; !ok {
			t.Errorf("run %s is not known", id)
		}
	}
	if _, ok := got[all[0].Run]; ok {
		t.Error("the oldest run is still there")
	}
}

// A run that is too large for a line is not kept, and the warning says so.
func TestARunWithTooManyInputsIsNamed(t *testing.T) {
	t.Parallel()
	s, known := pastState(t)
	j := &job{state: s, s: &Summary{}}
	r := pastRunOf("s", 1)
	r.Format, r.Manifest.Name, r.Spool.Name = stateFormat, r.Run+manifestSuffix, r.Run+spoolSuffix
	r.Inputs = strings.Repeat("x", maxPastRun)
	if err := s.add(r); err != nil {
		t.Fatal(err)
	}
	if err := j.forget(r); err != nil || !strings.Contains(j.s.Warning, "at most 1048576 are kept of a run") || len(known()) != 0 {
		t.Errorf("%v, %q, %d runs are known", err, j.s.Warning, len(known()))
	}
}

func writePast(t *testing.T, s *state, past []pastRun) {
	t.Helper()
	var all []byte
	for i := range past {
		line, err := past[i].line()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, line...)
	}
	if err := os.WriteFile(filepath.Join(s.dir, pastFile), all, 0o644); err != nil {
		t.Fatal(err)
	}
}

// Wherever a crash cuts the last line, the lines before it count, and so does the next one.
func TestALineThatIsCut(t *testing.T) {
	t.Parallel()
	s, known := pastState(t)
	path := filepath.Join(s.dir, pastFile)
	rememberAll(t, s, pastRunOf("s", 1))
	one, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rememberAll(t, s, pastRunOf("s", 2))
	two, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for end := len(one); end < len(two); end++ {
		if err := os.WriteFile(path, two[:end], 0o644); err != nil {
			t.Fatal(err)
		}
		whole := end == len(two)-1 // only its end is missing
		if got := known(); len(got) != 1 && !whole || got["s0001"].Inputs != "inputs 1" {
			t.Fatalf("cut at %d: %v", end, got)
		}
		rememberAll(t, s, pastRunOf("s", 2), pastRunOf("s", 3))
		if got := known(); len(got) != 3 || got["s0002"].Inputs != "inputs 2" || got["s0003"].Inputs != "inputs 3" {
			t.Fatalf("cut at %d, then continued: %v", end, got)
		}
	}
}

// A damaged line is not believed, and the others are.
func TestADamagedLineOfPastPublications(t *testing.T) {
	t.Parallel()
	s, known := pastState(t)
	path := filepath.Join(s.dir, pastFile)
	rememberAll(t, s, pastRunOf("s", 1), pastRunOf("s", 2), pastRunOf("s", 3))
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	first, last := bytes.IndexByte(good, '\n')+1, bytes.LastIndexByte(good[:len(good)-1], '\n')
	for i := first; i < last; i++ {
		bad := bytes.Clone(good)
		bad[i] ^= 2
		if err := os.WriteFile(path, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		got := known()
		if _, ok := got["s0002"]; ok || got["s0001"].Inputs != "inputs 1" || got["s0003"].Inputs != "inputs 3" || len(got) != 2 {
			t.Fatalf("byte %d is wrong: %v", i, got)
		}
	}
}

// A file that is far too large, and what is no file, is replaced, and a run that was stopped after its line was written does not write it twice.
func TestPastPublicationsThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	s, known := pastState(t)
	path := filepath.Join(s.dir, pastFile)
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, maxPast+1); err != nil {
		t.Fatal(err)
	}
	rememberAll(t, s, pastRunOf("s", 1), pastRunOf("s", 2), pastRunOf("s", 1), pastRunOf("s", 2))
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := known(); len(got) != 2 || info.Size() > 300 {
		t.Errorf("%v in %d bytes", got, info.Size())
	}
	if err := errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600)); err != nil {
		t.Fatal(err)
	}
	rememberAll(t, s, pastRunOf("s", 1), pastRunOf("s", 2))
	if got := known(); len(got) != 2 {
		t.Errorf("after a named pipe: %v", got)
	}
	unknown := pastRunOf("s", 3)
	unknown.Inputs = ""
	rememberAll(t, s, unknown)
	if got := known(); len(got) != 2 {
		t.Errorf("a run of unknown inputs was kept: %v", got)
	}
}

// A run is known in its own file, and afterwards in the file of past runs. One that nobody has made durable never is.
func TestARunIsKnownUntilAndAfterItIsRemoved(t *testing.T) {
	t.Parallel()
	s, known := pastState(t)
	j := &job{state: s, s: &Summary{}}
	r := pastRunOf("s", 1)
	r.Format, r.Manifest.Name, r.Spool.Name = stateFormat, r.Run+manifestSuffix, r.Run+spoolSuffix
	if err := s.add(r); err != nil {
		t.Fatal(err)
	}
	before := known()
	if err := j.forget(r); err != nil {
		t.Fatal(err)
	}
	want := Computed{"inputs 1", "b"}
	if after := known(); before[r.Run] != want || after[r.Run] != want {
		t.Errorf("before %v, after %v", before, after)
	}
	if left, _ := filepath.Glob(filepath.Join(s.dir, "*")); !slices.Equal(left, []string{filepath.Join(s.dir, pastFile)}) {
		t.Errorf("%q", left)
	}
	// A folder in its place costs the run's inputs, and not the run.
	if err := os.Remove(filepath.Join(s.dir, pastFile)); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(s.dir, pastFile, "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := s.add(r); err != nil {
		t.Fatal(err)
	}
	if err := j.forget(r); err != nil || s.runs[r.Run] != nil || j.s.Warning == "" {
		t.Errorf("%v, %q", err, j.s.Warning)
	}
}
