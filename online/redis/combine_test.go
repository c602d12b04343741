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
)

// echo is a combiner whose server answers each key with itself, once it is told to.
type echo struct {
	combiner
	first   chan struct{} // the first answer needs one
	others  chan struct{} // each other needs one
	sent    atomic.Int64
	batches chan []string // the keys of the others
	fails   error
}

func newEcho() *echo {
	e := &echo{first: make(chan struct{}), others: make(chan struct{}), batches: make(chan []string, 100_000)}
	e.mget = func(_ context.Context, keys []arg) ([]string, error) {
		if e.sent.Add(1) == 1 {
			<-e.first
		} else {
			e.batches <- namesOf(keys)
			<-e.others
		}
		return namesOf(keys), e.fails
	}
	return e
}

func keysOf(names ...string) []arg {
	keys := make([]arg, len(names))
	for i, n := range names {
		keys[i] = arg(n)
	}
	return keys
}

func namesOf(keys []arg) []string {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = string(k)
	}
	return names
}

// many returns n keys that begin with a prefix.
func many(n int, prefix string) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint(prefix, i)
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
		ask("a", "fence", "pointer")
		ask("c")
		ask("d", "e", "d", "fence", "pointer")
		e.first <- struct{}{}
		if got, want := <-e.batches, []string{"a", "fence", "pointer", "c", "d", "e"}; !slices.Equal(got, want) {
			t.Errorf("one MGET has the keys %v, not %v", got, want)
		}
		ask("late", "fence") // goes with the next
		e.others <- struct{}{}
		if got := <-e.batches; !slices.Equal(got, []string{"late", "fence"}) {
			t.Errorf("the next has %v", got)
		}
		close(e.others)
		group.Wait()
		synctest.Wait()
		if len(e.queue) != 0 || e.flight != 0 {
			t.Errorf("%d reads wait behind flight %d", len(e.queue), e.flight)
		}
	})
}

func TestACommonReadHasABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEcho()
		var group sync.WaitGroup
		const reads = 100
		for i := range reads + 1 {
			group.Go(func() {
				if _, err := e.read(t.Context(), keysOf(many(maxSmall, fmt.Sprint(i, " "))...)); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		close(e.first)
		close(e.others)
		group.Wait()
		close(e.batches)
		left := reads
		for batch := range e.batches {
			if len(batch) > maxCombined {
				t.Errorf("an MGET has %d keys", len(batch))
			}
			left -= len(batch) / maxSmall
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
			group.Go(func() { _, _ = e.read(t.Context(), keysOf(many(maxSmall+1, "key")...)) })
		}
		synctest.Wait()
		if n := e.sent.Load(); n != 3 {
			t.Errorf("%d of 3 have been sent", n)
		}
		close(e.first)
		close(e.others)
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
		close(e.others)
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
			t.Errorf("the MGET has %v", got)
		}
		synctest.Wait()
		close(e.first) // the flight that was overtaken lands, and nothing is left of it
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
		close(e.first)
		close(e.others)
		group.Wait()
	})
}

func TestEveryReadHasTheErrorOfItsMGET(t *testing.T) {
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
		close(e.first)
		close(e.others)
		group.Wait()
	})
}

// reply is an error reply of Redis.
type reply string

func (r reply) Error() string { return string(r) }
func (reply) RedisError()     {}

// The user may have no right to read the keys of one caller. The other callers still get their answers.
func TestARefusedKeyIsRefusedForItsCallerAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := make(chan struct{})
		refused := reply("NOPERM this user has no permissions to access one of the keys")
		c := &combiner{mget: func(_ context.Context, keys []arg) ([]string, error) {
			<-first
			if slices.Contains(namesOf(keys), "secret") {
				return nil, refused
			}
			return namesOf(keys), nil
		}}
		var group sync.WaitGroup
		for _, name := range []string{"first", "a", "secret", "b"} {
			group.Go(func() {
				got, err := c.read(t.Context(), keysOf(name, "pointer"))
				if name == "secret" {
					if !errors.Is(err, refused) {
						t.Errorf("got %v, %v", got, err)
					}
				} else if err != nil || got[0] != name {
					t.Errorf("%s: got %v, %v", name, got, err)
				}
			})
			synctest.Wait()
		}
		close(first)
		group.Wait()
	})
}

func TestManyReadersGetTheirOwnAnswers(t *testing.T) {
	e := newEcho()
	close(e.first)
	close(e.others)
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
