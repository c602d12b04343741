package admission_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fstore-dev/fstore/server/admission"
)

// An overloaded server works on few calls at a time: those that it answers wait for hardly any others.
func TestOverloadsAnswersAreQuick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(admission.Options{Clock: time.Now}, 250*time.Microsecond)
		if answered, _, longest := m.offer(t.Context(), 12_000, 5*time.Second, time.Second); answered < 19_500 || longest > 10*time.Millisecond {
			t.Errorf("%d of about 20000 possible calls were answered; an answer took %s", answered, longest)
		}
	})
}

// Where calls wait for a store most of their time, an overloaded server works on as many at a time as the limit lets run, also once
// the store has become slower during the overload.
func TestAnOverloadedServerWaitsForASlowStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(admission.Options{Clock: time.Now}, 250*time.Microsecond)
		m.offer(t.Context(), 8000, time.Second, 0)
		m.store = 50 * time.Millisecond
		m.offer(t.Context(), 8000, 3*time.Second, 0)
		answered, _, longest := m.offer(t.Context(), 8000, 5*time.Second, 0)
		if possible := 5 * 20 * admission.Always; answered < possible*9/10 || longest > 150*time.Millisecond {
			t.Errorf("%d of about %d possible calls were answered; an answer took %s", answered, possible, longest)
		}
	})
}

// As many clients as are no overload are all answered again some time after an overload, also if they never let go.
func TestAnOverloadEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(admission.Options{Clock: time.Now}, time.Millisecond)
		m.offer(t.Context(), 3000, time.Second, 0)
		began := time.Now()
		var group sync.WaitGroup
		for range admission.Always {
			group.Go(func() {
				for time.Since(began) < 40*time.Second {
					_, err := m.call(t.Context(), "")
					if err == nil {
						continue
					}
					if time.Since(began) > 31*time.Second {
						t.Errorf("refused after %s: %v", time.Since(began), err)
						return
					}
					time.Sleep(admission.Overloaded.Retry)
				}
			})
		}
		group.Wait()
	})
}

// Requests that never arrive and answers that nobody reads do not keep others out of an overloaded server.
func TestSlowClientsDoNotKeepOthersOutOfAnOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(admission.Options{Clock: time.Now}, time.Millisecond)
		var group sync.WaitGroup
		group.Go(func() {
			for range 100 { // slowly enough that some are taken on
				if call, err := m.control.Admit(t.Context(), ""); err == nil {
					call.Sending()
				}
				time.Sleep(20 * time.Millisecond)
			}
		})
		m.offer(t.Context(), 3000, 3*time.Second, 0)
		group.Wait()
		if slow := m.control.Stats().Arriving; slow < 20 {
			t.Fatalf("%d slow requests were taken on", slow)
		}
		if answered, _, _ := m.offer(t.Context(), 3000, 5*time.Second, 0); answered < 4_500 {
			t.Errorf("%d of about 5000 possible calls were answered", answered)
		}
	})
}
