package admission_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/server/admission"
)

// machine is a server that works on one call after another.
type machine struct {
	control *admission.Control
	service time.Duration // of a call
	store   time.Duration // that a call waits for its records, beside all others
	core    chan struct{} // synctest's time goes on while a channel is waited for, not a mutex
}

func newMachine(o admission.Options, service time.Duration) *machine {
	return &machine{control: admission.New(o), service: service, core: make(chan struct{}, 1)}
}

// call returns how long a call took, or why it was refused.
func (m *machine) call(ctx context.Context, caller string) (time.Duration, error) {
	began := time.Now()
	call, err := m.control.Admit(ctx, caller)
	if err != nil {
		return 0, err
	}
	return m.run(ctx, call, began)
}

// run works on a call that was admitted. It returns how long the call took since it began, or why it was refused.
func (m *machine) run(ctx context.Context, call *admission.Call, began time.Time) (time.Duration, error) {
	defer call.Leave(true)
	if err := call.Begin(ctx); err != nil {
		return 0, err
	}
	time.Sleep(m.store)
	m.core <- struct{}{}
	defer func() { <-m.core }()
	time.Sleep(m.service)
	return time.Since(began), nil
}

// offer begins calls at a rate for some time and returns how many were answered and refused, and the longest time of an answer
// after the first while.
func (m *machine) offer(ctx context.Context, perSecond int, while, first time.Duration) (answered, refused int, longest time.Duration) {
	var group sync.WaitGroup
	var mu sync.Mutex
	for began := time.Now(); time.Since(began) < while; time.Sleep(time.Second / time.Duration(perSecond)) {
		late := time.Since(began) > first
		group.Go(func() {
			took, err := m.call(ctx, "")
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				refused++
				return
			}
			answered++
			if late {
				longest = max(longest, took)
			}
		})
	}
	group.Wait()
	return answered, refused, longest
}

func TestOverloadKeepsTheServerBusyAndAnswersQuick(t *testing.T) {
	for _, times := range []int{2, 3, 10} {
		t.Run(fmt.Sprintf("%d times what it can", times), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMachine(admission.Options{Clock: time.Now}, time.Millisecond)
				answered, refused, longest := m.offer(t.Context(), times*1000, 10*time.Second, time.Second)
				if answered < 9_900 {
					t.Errorf("%d of about 10000 possible calls were answered", answered)
				}
				if refused < (times-1)*9_000 {
					t.Errorf("%d calls were refused", refused)
				}
				if longest > 200*time.Millisecond {
					t.Errorf("an answer took %s", longest)
				}
			})
		})
	}
}

func TestBurstsAndClosedLoopsAreNotRefused(t *testing.T) {
	for _, c := range []struct {
		name           string
		clients, calls int
	}{{"64 clients for ever", 64, 1000}, {"100 clients at once", 100, 1}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMachine(admission.Options{Clock: time.Now}, time.Millisecond)
				for range 3 {
					var group sync.WaitGroup
					for range c.clients {
						group.Go(func() {
							for range c.calls {
								if _, err := m.call(t.Context(), ""); err != nil {
									t.Errorf("refused: %v", err)
								}
							}
						})
					}
					group.Wait()
					time.Sleep(time.Second)
				}
			})
		})
	}
}

// A call whose deadline would pass in the queue is refused before it waits.
func TestACallThatWouldBeLateIsRefusedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(admission.Options{Clock: time.Now, Concurrent: 1}, 10*time.Millisecond)
		if _, err := m.call(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		var group sync.WaitGroup
		for range 20 {
			group.Go(func() {
				if _, err := m.call(t.Context(), ""); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		began := time.Now()
		_, err := m.call(ctx, "")
		var busy *admission.Busy
		if !errors.As(err, &busy) || !errors.Is(err, fstore.ErrBusy) || busy.Retry <= 0 || time.Since(began) != 0 {
			t.Errorf("got %v after %s", err, time.Since(began))
		}
		group.Wait()
	})
}

// Requests that never arrive, and answers that nobody reads, do not keep others out.
func TestSlowClientsDoNotKeepOthersOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(admission.Options{Clock: time.Now}, time.Millisecond)
		for range 1000 {
			if call, err := m.control.Admit(t.Context(), ""); err == nil {
				call.Sending()
				_ = call
			}
		}
		for range 1000 {
			if _, err := m.call(t.Context(), ""); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestEveryCallIsCountedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admission.New(admission.Options{Clock: time.Now, Concurrent: 1})
		first, err := c.Admit(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(first.Begin(t.Context()), first.Begin(t.Context())); err != nil {
			t.Fatal(err)
		}
		first.Abandon() // too late
		second, err := c.Admit(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := second.Begin(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the second began: %v", err)
		}
		second.Leave(false)
		first.Leave(true)
		first.Leave(true)
		third, err := c.Admit(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		third.Abandon()
		third.Leave(true)
		if got := c.Stats(); got != (admission.Stats{Limit: 1}) {
			t.Errorf("got %+v", got)
		}
	})
}

func TestEachCallerHasARate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(admission.Options{Clock: time.Now, Rate: 10, Burst: 3}, 0)
		for i := range 3 {
			if _, err := m.call(t.Context(), "a"); err != nil {
				t.Fatalf("call %d: %v", i, err)
			}
		}
		_, err := m.call(t.Context(), "a")
		var busy *admission.Busy
		if !errors.As(err, &busy) || busy.Retry != 100*time.Millisecond || busy.Reason != "the caller sends more than 10 requests per second" {
			t.Fatalf("got %#v", err)
		}
		if _, err := m.call(t.Context(), "b"); err != nil {
			t.Errorf("another caller: %v", err)
		}
		time.Sleep(busy.Retry)
		if _, err := m.call(t.Context(), "a"); err != nil {
			t.Errorf("after the time that it was told: %v", err)
		}
	})
}

func TestCallersAreForgotten(t *testing.T) {
	c := admission.New(admission.Options{Clock: time.Now, Rate: 1})
	for i := range 2 * admission.MaxCallers {
		if _, err := c.Admit(t.Context(), fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if got := c.Stats().Callers; got != admission.MaxCallers {
		t.Errorf("%d callers are remembered, want %d", got, admission.MaxCallers)
	}
}

// Admit does not count all calls whose headers are read together. Those that have waited too long are refused when their turn comes.
func TestCallsThatArriveTogetherDoNotWaitLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(admission.Options{Clock: time.Now}, time.Millisecond)
		m.offer(t.Context(), 900, time.Second, 0) // learns how long calls take
		var together []*admission.Call
		for range 1000 {
			call, err := m.control.Admit(t.Context(), "")
			if err != nil {
				break
			}
			together = append(together, call)
		}
		var group sync.WaitGroup
		var mu sync.Mutex
		refused, longest := 0, time.Duration(0)
		began := time.Now()
		for _, call := range together {
			group.Go(func() {
				took, err := m.run(t.Context(), call, began)
				mu.Lock()
				defer mu.Unlock()
				longest = max(longest, took)
				if errors.Is(err, fstore.ErrBusy) {
					refused++
				}
			})
		}
		group.Wait()
		if refused == 0 || refused > 950 || longest > 200*time.Millisecond {
			t.Errorf("of %d calls %d were refused; an answer took %s", len(together), refused, longest)
		}
		if got := m.control.Stats(); got.Arriving+got.Running+got.Waiting != 0 {
			t.Errorf("places are still held: %+v", got)
		}
	})
}
