package servedlog

import (
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fstore-dev/fstore/online/answers"
)

// A disk that is full takes a part of a batch. That part is removed, what was written before stays whole, and with space the log
// goes on.
func TestADiskThatIsFull(t *testing.T) {
	if !inChild(t) {
		return
	}
	w := newWorld(t, nil)
	plan := w.Plan(listOf("churn", one), nil, answers.Builds{})
	w.serve(plan, 1, 2)
	w.drain()
	size := w.writer.streams[plan.id].size
	limited(t, uint64(size)+100, func() {
		w.serve(plan, 3)
		w.drain()
		w.serve(plan, 4, 5)
		w.drain()
	})
	if info, err := os.Stat(w.writer.streams[plan.id].path); err != nil || info.Size() != size || w.Dropped() != 3 || w.Rows() != 2 {
		t.Fatal(info.Size(), size, err, w.Dropped(), w.Rows())
	}
	w.now = w.now.Add(quiet + time.Second)
	w.serve(plan, 6)
	w.drain()
	limited(t, 10, w.end) // no room to seal
	if w.has(t, ".arrows") != 1 || len(w.names(t)) != 1 {
		t.Fatal(w.names(t))
	}
	w.sweep(t.Context())
	if got := w.customers(t); got != "1 2 6" || len(w.names(t)) != 1 {
		t.Error(got, w.names(t))
	}
	for _, said := range []string{"cannot be written; answers go on", "can be written again", "cannot be sealed"} {
		if n := strings.Count(w.said.String(), said); n != 1 {
			t.Errorf("%d lines say %q\n%s", n, said, w.said)
		}
	}
}

// inChild reports whether this is the process that a test has to itself, because it changes what holds for all of a process. If
// not, it runs the test in one.
func inChild(t *testing.T) bool {
	t.Helper()
	const child = "FSTORE_TEST_CHILD"
	if os.Getenv(child) == t.Name() {
		return true
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := exec.CommandContext(t.Context(), self, "-test.v", "-test.run=^"+t.Name()+"$")
	run.Env = append(os.Environ(), child+"="+t.Name())
	out, err := run.CombinedOutput() // a pipe, which no limit of files bounds
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("%v\n%s", err, out)
	}
	return false
}

// limited calls do while no file of this process may get larger.
func limited(t *testing.T, size uint64, do func()) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
			t.Error(err)
		}
	}()
	do()
}
