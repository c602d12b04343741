package materialize_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	. "github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/sqlite"
)

// victim is set in the environment of a process that only materializes and is killed while it does.
const victim = "FSTORE_TEST_VICTIM"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victim); dir != "" {
		seed, err := strconv.Atoi(os.Getenv(victim + "_SEED"))
		if err == nil {
			err = victimRun(dir, seed)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// seeded returns a table of about 2,000 keys, a fifth of whose rows are others under another seed.
func seeded(seed int) *table {
	t := newTable()
	for i := range 2000 {
		r := rand.New(rand.NewPCG(uint64(i), uint64(seed)))
		switch r.IntN(10) {
		case 0: // not there
		case 1:
			t.put(fmt.Sprintf("k%06d", i), day(1), int64(seed))
		default:
			t.put(fmt.Sprintf("k%06d", i), day(1), int64(i))
		}
	}
	return t
}

// victimRun says when it begins, so that it is killed at work, and materializes the table of a seed at its day.
func victimRun(dir string, seed int) error {
	b, err := sqlite.Open(filepath.Join(dir, "online.db"))
	if err != nil {
		return err
	}
	defer b.Close()
	fmt.Println("begun")
	o := fileOptions(dir, b, seeded(seed), day(seed))
	if at := os.Getenv(victim + "_STEP"); at != "" {
		o.Inspectors = []Inspector{&inspector{rules: "lenient"}}
		o = o.WithStep(func(step string) error {
			if step == at {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
			return nil
		})
	}
	_, err = Run(context.Background(), o)
	return err
}

// fileOptions are those of runs into the store of a file.
func fileOptions(dir string, b online.Backend, t *table, p time.Time) Options {
	return Options{
		Views: []*fstore.ViewVersion{t.view}, To: p, Now: func() time.Time { return p }, State: filepath.Join(dir, "state"),
		Source: t, Sink: sink{online.New(b, "p")}, Leases: oneLease{}, Clock: wall{}, BatchKeys: 50,
	}
}

// oneLease is given to whoever asks, under a token of the process's own.
type oneLease struct{}

func (oneLease) Acquire(context.Context, fstore.ViewRef, time.Duration, time.Time) (string, error) {
	return fmt.Sprint("process ", os.Getpid()), nil
}

func (oneLease) Renew(context.Context, fstore.ViewRef, string, time.Duration, time.Time) error {
	return nil
}
func (oneLease) Release(context.Context, fstore.ViewRef, string) error { return nil }

// TestKilledProcesses kills processes that materialize into SQLite at random points, with other data each time; now
// and then one is left to finish, and the store is then what a first run would have made it.
func TestKilledProcesses(t *testing.T) {
	w := newWorld(t)
	dir := w.state
	killed, finished := 0, 0
	whole := 50 * time.Millisecond // how long a run takes, about
	for seed := 2; seed < 42; seed++ {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), victim+"="+dir, fmt.Sprint(victim, "_SEED=", seed))
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		if seed%4 != 1 {
			timer := time.AfterFunc(rand.N(whole), func() { _ = cmd.Process.Signal(syscall.SIGKILL) })
			err := cmd.Wait()
			timer.Stop()
			if err != nil {
				killed++
				continue
			}
		} else if err := cmd.Wait(); err != nil {
			t.Fatalf("run %d behind %d killed ones: %v", seed, killed, err)
		} else {
			whole = time.Since(begun)
		}
		finished++
		w.table = seeded(seed)
		w.checkFile(t, filepath.Join(dir, "online.db"), day(seed))
	}
	t.Logf("%d killed, %d finished", killed, finished)
}

// checkFile is check, for a store in a file.
func (w *world) checkFile(t *testing.T, path string, p time.Time) {
	t.Helper()
	b, err := sqlite.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	pointer, ok, err := online.New(b, "p").Pointer(context.Background(), w.table.view.Ref)
	if err != nil || !ok || !pointer.Published.Equal(p) {
		t.Fatalf("pointer %v, %v, %v; want one as of %s", pointer, ok, err, p)
	}
	all := dump(t, b)
	if d := diffMaps(w.fresh(t, p), all[pointer.Generation]); d != "" || len(all) != 1 {
		t.Fatalf("%d generations; the live one differs from a fresh run:\n%s", len(all), d)
	}
}

// A process that is killed after its verdict and before its first write leaves the store as it was, and its verdict counts for nothing:
// the next run checks what it is about to publish, and is refused under rules that are stricter now.
func TestKilledBetweenTheVerdictAndTheFirstWrite(t *testing.T) {
	for _, step := range []string{"judged", "durable"} {
		for _, first := range []bool{true, false} { // the first load, or an update
			t.Run(fmt.Sprintf("%s, first load %t", step, first), func(t *testing.T) {
				w := newWorld(t)
				path := filepath.Join(w.state, "online.db")
				b, err := sqlite.Open(path)
				if err != nil {
					t.Fatal(err)
				}
				defer b.Close()
				if !first {
					w.table = seeded(2)
					if _, err := Run(t.Context(), fileOptions(w.state, b, w.table, day(2))); err != nil {
						t.Fatal(err)
					}
				}
				unchanged := func() {
					t.Helper()
					if !first {
						w.checkFile(t, path, day(2))
					} else if all := dump(t, b); len(all) != 0 {
						t.Fatalf("%d generations", len(all))
					}
				}
				cmd := exec.Command(os.Args[0])
				cmd.Env = append(os.Environ(), victim+"="+w.state, victim+"_SEED=3", victim+"_STEP="+step)
				err = cmd.Run()
				var exit *exec.ExitError
				if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
					t.Fatalf("the process was not killed: %v", err)
				}
				unchanged()
				strict := &inspector{rules: "strict", verdict: Verdict{Refused: fstore.Errorf(fstore.ErrCheck, "not like this")}}
				o := fileOptions(w.state, b, seeded(3), day(3))
				o.Inspectors = []Inspector{strict}
				if s, err := Run(t.Context(), o); !errors.Is(err, fstore.ErrCheck) || !s[0].Finished.IsZero() || len(strict.keys) == 0 {
					t.Fatalf("got %+v, %v", s, err)
				}
				unchanged()
				strict.verdict = Verdict{}
				if _, err := Run(t.Context(), o); err != nil {
					t.Fatal(err)
				}
				w.table = seeded(3)
				w.checkFile(t, path, day(3))
			})
		}
	}
}
