package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	driver "github.com/redis/go-redis/v9"
)

// echo is a combiner whose server answers each key with itself, once it is told to.
type echo struct {
	combiner
	go1, goMany chan struct{} // an answer needs one; nil: at once
	batches     chan []int    // keys of each command of each pipeline
	fails       error
}

func newEcho() *echo {
	e := &echo{go1: make(chan struct{}), goMany: make(chan struct{}), batches: make(chan []int, 100)}
	e.one = func(ctx context.Context, cmd *driver.StringSliceCmd) error {
		<-e.go1
		return e.answer(cmd)
	}
	e.many = func(batch []*queued) {
		sizes := make([]int, len(batch))
		for i, q := range batch {
			sizes[i] = q.keys
		}
		e.batches <- sizes
		<-e.goMany
		for _, q := range batch {
			_ = e.answer(q.cmd)
		}
	}
	return e
}

func (e *echo) answer(cmd *driver.StringSliceCmd) error {
	if e.fails != nil {
		cmd.SetErr(e.fails)
		return e.fails
	}
	var values []string
	for _, k := range cmd.Args()[1:] {
		values = append(values, string(*k.(*arg)))
	}
	cmd.SetVal(values)
	return nil
}

func keysOf(names ...string) []arg {
	keys := make([]arg, len(names))
	for i, n := range names {
		keys[i] = arg(n)
	}
	return keys
}

// many returns n keys.
func many(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint("key", i)
	}
	return out
}

func TestReadsThatComeDuringAnotherAreSentTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEcho()
		var group sync.WaitGroup
		ask := func(names ...string) {
			group.Go(func() {
				if got, err := e.read(t.Context(), keysOf(names...)); err != nil || !slices.Equal(got, names) {
					t.Errorf("asked for %v, got %v, %v", names, got, err)
				}
			})
			synctest.Wait()
		}
		ask("first")
		ask("a", "b")
		ask("c")
		ask("d", "e", "f")
		e.go1 <- struct{}{}
		if got := <-e.batches; !slices.Equal(got, []int{2, 1, 3}) {
			t.Errorf("one pipeline has commands of %v keys", got)
		}
		ask("late") // goes with the next
		e.goMany <- struct{}{}
		if got := <-e.batches; !slices.Equal(got, []int{1}) {
			t.Errorf("the next has %v", got)
		}
		close(e.goMany)
		group.Wait()
		synctest.Wait()
		if len(e.queue) != 0 || e.flight != 0 {
			t.Errorf("%d reads wait behind flight %d", len(e.queue), e.flight)
		}
	})
}

func TestAPipelineHasABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEcho()
		var group sync.WaitGroup
		const reads = 100
		for range reads + 1 {
			group.Go(func() {
				if _, err := e.read(t.Context(), keysOf(many(maxSmall)...)); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		close(e.go1)
		close(e.goMany)
		group.Wait()
		close(e.batches)
		left := reads
		for batch := range e.batches {
			if n := len(batch) * maxSmall; n > maxCombined {
				t.Errorf("a pipeline has %d keys", n)
			}
			left -= len(batch)
		}
		if left != 0 {
			t.Errorf("%d reads were not sent", left)
		}
	})
}

func TestLargeReadsWaitForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEcho()
		var group sync.WaitGroup
		for range 3 {
			group.Go(func() { _, _ = e.read(t.Context(), keysOf(many(maxSmall+1)...)) })
		}
		synctest.Wait()
		for range 3 { // all three have been sent
			e.go1 <- struct{}{}
		}
		group.Wait()
	})
}

func TestAReadThatHangsHoldsOthersUpForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEcho()
		var group sync.WaitGroup
		group.Go(func() { _, _ = e.read(t.Context(), keysOf("hangs")) })
		synctest.Wait()
		began := time.Now()
		close(e.goMany)
		for _, name := range []string{"a", "b"} {
			group.Go(func() {
				if got, err := e.read(t.Context(), keysOf(name)); err != nil || got[0] != name {
					t.Errorf("%v, %v", got, err)
				}
				if waited := time.Since(began); waited > overdue {
					t.Errorf("%s waited for %s", name, waited)
				}
			})
		}
		if got := <-e.batches; len(got) != 2 {
			t.Errorf("the pipeline has %d reads", len(got))
		}
		synctest.Wait()
		close(e.go1) // the flight that was overtaken lands, and nothing is left of it
		group.Wait()
		synctest.Wait()
		if e.flight != 0 {
			t.Errorf("flight %d", e.flight)
		}
	})
}

func TestACallerMayLeaveAndUseItsKeysAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEcho()
		var group sync.WaitGroup
		group.Go(func() { _, _ = e.read(t.Context(), keysOf("first")) })
		synctest.Wait()
		ctx, leave := context.WithCancel(t.Context())
		mine := keysOf("mine")
		group.Go(func() {
			if _, err := e.read(ctx, mine); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			copy(mine[0], "XXXX")
		})
		group.Go(func() {
			if got, err := e.read(t.Context(), keysOf("other")); err != nil || got[0] != "other" {
				t.Errorf("%v, %v", got, err)
			}
		})
		synctest.Wait()
		leave()
		synctest.Wait()
		close(e.go1)
		close(e.goMany)
		group.Wait()
	})
}

func TestEveryReadHasTheErrorOfItsPipeline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEcho()
		e.fails = errors.New("away")
		var group sync.WaitGroup
		for range 5 {
			group.Go(func() {
				if _, err := e.read(t.Context(), keysOf("k")); !errors.Is(err, e.fails) {
					t.Errorf("got %v", err)
				}
			})
			synctest.Wait()
		}
		close(e.go1)
		close(e.goMany)
		group.Wait()
	})
}

func TestManyReadersGetTheirOwnAnswers(t *testing.T) {
	e := newEcho()
	close(e.go1)
	close(e.goMany)
	e.batches = make(chan []int, 100_000)
	var wrong atomic.Int64
	var group sync.WaitGroup
	for r := range 64 {
		group.Go(func() {
			for i := range 300 {
				names := strings.Fields(strings.Repeat(fmt.Sprintf("%d-%d ", r, i), 1+i%5))
				got, err := e.read(t.Context(), keysOf(names...))
				if err != nil || !slices.Equal(got, names) {
					wrong.Add(1)
				}
			}
		})
	}
	group.Wait()
	if n := wrong.Load(); n > 0 {
		t.Errorf("%d readers got what another asked for", n)
	}
}
