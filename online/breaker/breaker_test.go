package breaker_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/breaker"
	"github.com/fstore-dev/fstore/online/memory"
	"github.com/fstore-dev/fstore/online/onlinetest"
)

// store is a backend whose calls a test may break or hold up.
type store struct {
	online.Backend
	calls  atomic.Int64
	get    atomic.Pointer[func(context.Context) error] // called before every Get
	check  atomic.Pointer[error]                       // what Check returns
	warned atomic.Pointer[[]error]
}

func newStore() *store {
	s := &store{Backend: memory.New()}
	s.does(nil)
	s.finds(nil)
	s.warns("")
	return s
}

func (s *store) does(get func(context.Context) error) { s.get.Store(&get) }
func (s *store) fails(err error)                      { s.does(func(context.Context) error { return err }) }
func (s *store) finds(err error)                      { s.check.Store(&err) }

func (s *store) warns(text string) {
	var warnings []error
	if text != "" {
		warnings = append(warnings, errors.New(text))
	}
	s.warned.Store(&warnings)
}

// hangs answers no call before its context ends.
func (s *store) hangs() {
	s.does(func(ctx context.Context) error {
		<-ctx.Done()
		return errors.Join(fstore.ErrUnavailable, ctx.Err())
	})
}

func (s *store) Get(ctx context.Context, r online.Read) (records, ptrs [][]byte, err error) {
	s.calls.Add(1)
	if get := *s.get.Load(); get != nil {
		if err := get(ctx); err != nil {
			return nil, nil, err
		}
	}
	return s.Backend.Get(ctx, r)
}

func (s *store) Check(context.Context) ([]error, error) { return *s.warned.Load(), *s.check.Load() }

var ctx = context.Background()

var errDown = fstore.Errorf(fstore.ErrUnavailable, "connection refused")

func get(ctx context.Context, b online.Backend) error {
	_, _, err := b.Get(ctx, online.Read{Keys: [][]byte{[]byte("k")}})
	return err
}

func newBreaker(s *store) (*breaker.Backend, *bytes.Buffer) {
	var log bytes.Buffer
	return breaker.New(s, slog.New(slog.NewTextHandler(&log, nil))), &log
}

func wantOpen(t *testing.T, b *breaker.Backend, want bool) {
	t.Helper()
	if b.Open() != want {
		t.Fatalf("open is %t, want %t", b.Open(), want)
	}
}

func TestConformance(t *testing.T) {
	onlinetest.Run(t, func(testing.TB) online.Backend { return breaker.New(memory.New(), slog.New(slog.DiscardHandler)) })
}

func TestADeadStoreIsNotCalled(t *testing.T) {
	s := newStore()
	b, log := newBreaker(s)
	s.fails(errDown)
	for range 5 {
		if err := get(ctx, b); !errors.Is(err, fstore.ErrUnavailable) {
			t.Fatal(err)
		}
	}
	wantOpen(t, b, true)
	before := s.calls.Load()
	if err := get(ctx, b); !errors.Is(err, fstore.ErrUnavailable) || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("got %v", err)
	}
	if s.calls.Load() != before {
		t.Error("an open breaker calls the store")
	}
	if !strings.Contains(log.String(), "breaker is open") || !strings.Contains(log.String(), "connection refused") {
		t.Errorf("log: %s", log)
	}
	s.fails(nil)
	wantOpen(t, b, true) // only a look closes it
	if !b.Look(ctx) {
		t.Error("the store is well")
	}
	wantOpen(t, b, false)
	if err := get(ctx, b); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "breaker is closed") {
		t.Errorf("log: %s", log)
	}
}

func TestErrorsThatDoNotOpen(t *testing.T) {
	for name, err := range map[string]error{
		"a bad request":         fstore.Errorf(fstore.ErrInvalid, "no"),
		"damaged data":          fstore.Errorf(fstore.ErrCorrupt, "no"),
		"too few connections":   errors.Join(fstore.ErrUnavailable, online.ErrCrowded),
		"an error without kind": errors.New("no"),
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore()
			b, _ := newBreaker(s)
			s.fails(err)
			for range 20 {
				_ = get(ctx, b)
			}
			wantOpen(t, b, false)
		})
	}
}

func TestAFewFailuresDoNotOpen(t *testing.T) {
	s := newStore()
	b, _ := newBreaker(s)
	for i := range 100 {
		s.fails(nil)
		if i%3 == 0 {
			s.fails(errDown)
		}
		_ = get(ctx, b)
	}
	wantOpen(t, b, false)
}

// Callers with too little time are no reason to open, however many they are; a store that hangs is.
func TestShortDeadlinesDoNotOpenAndAHungStoreDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		b, _ := newBreaker(s)
		slow := func(ctx context.Context) error {
			select {
			case <-ctx.Done():
				return errors.Join(fstore.ErrUnavailable, ctx.Err())
			case <-time.After(5 * time.Millisecond):
				return nil
			}
		}
		s.does(slow)
		running, stop := context.WithCancel(ctx)
		var all sync.WaitGroup
		defer all.Wait()
		defer stop()
		all.Go(func() { b.Run(running) })
		short := func() {
			t.Helper()
			for range 1000 {
				c, cancel := context.WithTimeout(ctx, time.Millisecond)
				if err := get(c, b); !errors.Is(err, context.DeadlineExceeded) {
					t.Fatal(err)
				}
				cancel()
			}
		}
		short() // for a second
		wantOpen(t, b, false)
		s.hangs()
		time.Sleep(4 * time.Second)
		wantOpen(t, b, true)
		c, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		if err := get(c, b); err == nil || c.Err() != nil {
			t.Errorf("it costs a caller time: %v", err)
		}
		s.does(slow)
		time.Sleep(3 * time.Second) // the look under way hangs for at most two
		wantOpen(t, b, false)
	})
}

// A slow look proves nothing while callers get answers, such as where all connections are taken.
func TestALookThatHangsAloneDoesNotOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		b, _ := newBreaker(s)
		first := true
		s.does(func(ctx context.Context) error {
			if !first {
				return nil
			}
			first = false
			<-ctx.Done()
			return errors.Join(fstore.ErrUnavailable, ctx.Err())
		})
		var look sync.WaitGroup
		look.Go(func() { b.Look(ctx) })
		synctest.Wait()
		if err := get(ctx, b); err != nil {
			t.Fatal(err)
		}
		look.Wait()
		wantOpen(t, b, false)
	})
}

func TestAnIdleServerNoticesThatItsStoreIsDeadAndIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		b, log := newBreaker(s)
		running, stop := context.WithCancel(ctx)
		var all sync.WaitGroup
		defer all.Wait()
		defer stop()
		all.Go(func() { b.Run(running) })
		s.fails(errDown)
		time.Sleep(3 * time.Second)
		wantOpen(t, b, true)
		before := s.calls.Load()
		time.Sleep(10 * time.Second)
		if n := s.calls.Load() - before; n > 60 {
			t.Errorf("%d looks in 10 s", n)
		}
		s.fails(nil)
		time.Sleep(300 * time.Millisecond)
		wantOpen(t, b, false)
		if n := strings.Count(log.String(), "\n"); n != 2 {
			t.Errorf("the log has %d lines, want 2:\n%s", n, log)
		}
	})
}

// A store whose settings lose data answers no one, until a look finds them right.
func TestAStoreThatMayLoseRecordsIsRefused(t *testing.T) {
	s := newStore()
	b, log := newBreaker(s)
	s.finds(fstore.Errorf(fstore.ErrInvalid, "maxmemory-policy is allkeys-lru"))
	if b.Look(ctx) {
		t.Error("the store is not well")
	}
	if err := get(ctx, b); !errors.Is(err, fstore.ErrUnavailable) || errors.Is(err, fstore.ErrInvalid) || !strings.Contains(err.Error(), "allkeys-lru") {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(log.String(), "allkeys-lru") {
		t.Errorf("log: %s", log)
	}
	s.finds(fstore.Errorf(fstore.ErrInvalid, "it has evicted keys"))
	for range 3 {
		b.Look(ctx)
	}
	if n := strings.Count(log.String(), "it has evicted keys"); n != 1 {
		t.Errorf("a new reason is logged %d times, want once:\n%s", n, log)
	}
	s.finds(errDown) // the settings cannot be read: they are as they were
	if b.Look(ctx) {
		t.Error("the store may still lose records")
	}
	wantOpen(t, b, true)
	s.finds(nil)
	b.Look(ctx)
	wantOpen(t, b, false)
	s.finds(errDown) // it answers reads, so all is well
	if !b.Look(ctx) {
		t.Error("the store answers")
	}
	wantOpen(t, b, false)
}

func TestAPasswordThatIsNoLongerRightIsNamed(t *testing.T) {
	s := newStore()
	b, _ := newBreaker(s)
	s.fails(fstore.Errorf(fstore.ErrInvalid, "WRONGPASS"))
	b.Look(ctx)
	if err := get(ctx, b); !errors.Is(err, fstore.ErrUnavailable) || !strings.Contains(err.Error(), "WRONGPASS") {
		t.Errorf("got %v", err)
	}
}

func TestAWarningIsLoggedOnceUntilItChanges(t *testing.T) {
	s := newStore()
	b, log := newBreaker(s)
	for _, w := range []string{"", "a", "a", "", "a"} {
		s.warns(w)
		b.Look(ctx)
	}
	if n := strings.Count(log.String(), "warning=a"); n != 2 {
		t.Errorf("%d warnings, want 2:\n%s", n, log)
	}
}

func TestAPanicOfALookEndsNothing(t *testing.T) {
	s := newStore()
	b, _ := newBreaker(s)
	s.does(func(context.Context) error { panic("in the driver") })
	for range 10 {
		b.Look(ctx)
	}
	wantOpen(t, b, true)
	s.does(nil)
	b.Look(ctx)
	wantOpen(t, b, false)
}

func TestAnOpenBreakerTellsWhoseTimeIsOver(t *testing.T) {
	s := newStore()
	b, _ := newBreaker(s)
	s.finds(fstore.Errorf(fstore.ErrInvalid, "no"))
	b.Look(ctx)
	over, cancel := context.WithCancel(ctx)
	cancel()
	if err := get(over, b); !errors.Is(err, context.Canceled) || !errors.Is(err, fstore.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

func BenchmarkRefused(b *testing.B) {
	s := newStore()
	br, _ := newBreaker(s)
	s.fails(errDown)
	for !br.Open() {
		_ = get(ctx, br)
	}
	b.ReportAllocs()
	for b.Loop() {
		if get(ctx, br) == nil {
			b.Fatal("answered")
		}
	}
}

func BenchmarkPassed(b *testing.B) {
	br, _ := newBreaker(newStore())
	b.ReportAllocs()
	for b.Loop() {
		if err := get(ctx, br); err != nil {
			b.Fatal(err)
		}
	}
}

// replica is a store whose primary is away: it answers records, and no pointers.
type replica struct{ *store }

func (r replica) Get(ctx context.Context, read online.Read) (records, ptrs [][]byte, err error) {
	if read.Primary {
		return nil, nil, errDown
	}
	records, _, err = r.store.Get(ctx, read)
	return records, nil, err
}

// A look that only replicas answer neither opens nor closes the breaker.
func TestADeadPrimaryIsNotWell(t *testing.T) {
	b := breaker.New(replica{newStore()}, slog.New(slog.DiscardHandler))
	b.Look(ctx)
	wantOpen(t, b, false)
	for range 5 {
		_, _, _ = b.Get(ctx, online.Read{Keys: [][]byte{[]byte("k")}, Primary: true})
	}
	wantOpen(t, b, true)
	b.Look(ctx)
	wantOpen(t, b, true)
}
