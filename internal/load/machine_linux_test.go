package load_test

import (
	"context"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fstore-dev/fstore/internal/load"
)

// A sleep is never too short, whatever signals the runtime sends its thread: a call that began before it was due would seem
// to take less time than it did. A sleep ends with its context.
func TestSleepsAreNeverTooShort(t *testing.T) {
	m := load.Machine{Time: time.Now}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	thread := syscall.Gettid()
	var signals sync.WaitGroup
	done, stop := context.WithCancel(t.Context())
	signals.Go(func() {
		for done.Err() == nil {
			if err := syscall.Tgkill(os.Getpid(), thread, syscall.SIGURG); err != nil {
				t.Error(err)
				return
			}
			time.Sleep(50 * time.Microsecond)
		}
	})
	for range 50 {
		for _, d := range []time.Duration{time.Microsecond, 700 * time.Microsecond, 2500 * time.Microsecond} {
			began := time.Now()
			if m.Sleep(t.Context(), d); time.Since(began) < d {
				t.Errorf("slept %v of %v", time.Since(began), d)
			}
		}
	}
	stop()
	signals.Wait()
	m.Sleep(done, time.Hour)
}
