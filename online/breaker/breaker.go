// Package breaker is an online.Backend around another one. It is a circuit breaker: while the store fails, it refuses
// calls at once, so that a dead store costs a caller microseconds instead of a timeout.
//
// The breaker opens when half of the last calls failed, and when a look at the store finds that it hangs, that it may
// have lost records, or that it refuses this user. Run looks at the store every second, and more often while the
// breaker is open. Only a successful look closes the breaker, so no caller's request is spent on finding out.
//
// A call that ends because its caller gave it too little time says nothing about the store. A store that hangs is found
// by a look, which has a deadline of its own.
package breaker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
)

const (
	// The breaker opens when failures of the last calls failed.
	failures, calls = 5, 10

	pause       = time.Second            // between looks
	openPause   = 200 * time.Millisecond // between looks while the last one failed
	answerTime  = 2 * time.Second        // in which the store must answer a look's read, or it hangs
	settingTime = 5 * time.Second        // for a look at the settings, which are several calls
)

// Backend is the store behind a circuit breaker. It is safe for concurrent use.
type Backend struct {
	online.Backend // the store; Get is the only method that the breaker guards

	circuit  circuitbreaker.CircuitBreaker[struct{}]
	answered atomic.Uint64           // calls of Get that succeeded
	reason   atomic.Pointer[refusal] // why the breaker is open, or was last
	logger   *slog.Logger

	// Only Look uses these.
	unfit  error    // what was wrong with the store's settings
	warned []string // the last warnings about them
}

// refusal is the error of refused calls. It is made once, when the breaker opens.
type refusal struct{ cause, err error }

// New returns a closed breaker around b. It logs when it opens and closes. Its owner calls Run, or nothing closes it
// again.
func New(b online.Backend, logger *slog.Logger) *Backend {
	out := &Backend{Backend: b, logger: logger}
	out.blame(errors.New("calls fail"))
	out.circuit = circuitbreaker.NewBuilder[struct{}]().
		WithFailureThresholdRatio(failures, calls).
		OnOpen(func(circuitbreaker.StateChangedEvent) {
			logger.Warn("the online store's circuit breaker is open; requests are refused until the store is well", "error", out.reason.Load().cause)
		}).
		OnClose(func(circuitbreaker.StateChangedEvent) {
			logger.Info("the online store's circuit breaker is closed; requests are answered")
		}).
		Build()
	return out
}

// Open reports whether the breaker refuses calls.
func (b *Backend) Open() bool { return !b.circuit.IsClosed() }

// Get implements online.Backend. It returns ErrUnavailable while the breaker is open.
func (b *Backend) Get(ctx context.Context, r online.Read) (records, ptrs [][]byte, err error) {
	if b.Open() {
		return nil, nil, b.refused(ctx)
	}
	records, ptrs, err = b.Backend.Get(ctx, r)
	switch {
	case err == nil:
		b.answered.Add(1)
		b.circuit.RecordSuccess()
	case storeFailed(ctx, err):
		b.blame(err)
		b.circuit.RecordFailure()
	}
	return records, ptrs, err
}

// storeFailed reports whether an error of a call with ctx is a failure of the store: it was too slow for nobody, and it
// is not just that there are more calls than connections.
func storeFailed(ctx context.Context, err error) bool {
	return ctx.Err() == nil && errors.Is(err, fstore.ErrUnavailable) && !errors.Is(err, online.ErrCrowded)
}

func (b *Backend) refused(ctx context.Context) error {
	if done := ctx.Err(); done != nil {
		return fmt.Errorf("circuit breaker: %w: %w", fstore.ErrUnavailable, done)
	}
	return b.reason.Load().err
}

// blame notes why the breaker opens, if it does.
func (b *Backend) blame(cause error) {
	b.reason.Store(&refusal{cause, fstore.Errorf(fstore.ErrUnavailable, "the circuit breaker is open: %v", cause)})
}

// Refuse opens the breaker, before any call, until a look finds the store well.
func (b *Backend) Refuse(cause error) {
	b.blame(cause)
	b.circuit.Open()
}

// Run looks at the store until ctx ends.
func (b *Backend) Run(ctx context.Context) {
	for wait := time.Duration(0); fstore.Sleep(ctx, wait) == nil; {
		wait = pause
		if !b.Look(ctx) {
			wait = openPause
		}
	}
}

// Look reads from the store and checks its settings, once. It opens or closes the breaker accordingly, and reports
// whether the store is well. One goroutine at a time may call it.
func (b *Backend) Look(ctx context.Context) (well bool) {
	answered := b.answered.Load()
	whole, err := b.read(ctx)
	if err == nil {
		err = b.settings(ctx)
	}
	switch {
	case ctx.Err() != nil, err == nil && !whole: // replicas answer, which may be enough for callers or not
		return false
	case err == nil:
		b.circuit.Close()
		return true
	case errors.Is(err, fstore.ErrInvalid), errors.Is(err, context.DeadlineExceeded) && b.answered.Load() == answered:
		before, open := b.reason.Load().cause, b.Open()
		b.Refuse(err)
		if open && before.Error() != err.Error() {
			b.logger.Warn("the online store's circuit breaker stays open, for another reason", "error", err)
		}
	case storeFailed(ctx, err) && !errors.Is(err, context.DeadlineExceeded): // counts like a caller's
		b.blame(err)
		b.circuit.RecordFailure()
	}
	return false
}

// read reads a key and a pointer that are never there, in one round trip. It reports whether the primary answered.
func (b *Backend) read(ctx context.Context) (whole bool, err error) {
	defer caught(&err)
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	_, ptrs, err := b.Backend.Get(ctx, online.Probe())
	return ptrs != nil, err
}

// settings returns what is wrong with the store's settings. If they cannot be read now, that is what was wrong at the
// last look. It logs warnings that are new.
func (b *Backend) settings(ctx context.Context) (err error) {
	defer caught(&err)
	ctx, cancel := context.WithTimeout(ctx, settingTime)
	defer cancel()
	warnings, err := b.Check(ctx)
	if errors.Is(err, fstore.ErrUnavailable) {
		return b.unfit
	}
	if b.unfit = err; err != nil {
		return err
	}
	var warned []string
	for _, w := range warnings {
		if warned = append(warned, w.Error()); !slices.Contains(b.warned, w.Error()) {
			b.logger.Warn("the online store", "warning", w)
		}
	}
	b.warned = warned
	return nil
}

// caught turns a panic of the store into an error: Run's goroutine is the server's own, where a panic would end it.
func caught(err *error) {
	if p := recover(); p != nil {
		*err = fstore.Errorf(fstore.ErrUnavailable, "panic: %v", p)
	}
}
