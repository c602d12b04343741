package materialize

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/fstore-dev/fstore"
)

// poll is the interval at which a waiting run asks for the lease again.
const poll = 500 * time.Millisecond

// underLease runs do while it holds the view's lease. The context of do ends before the lease does: when the lease is
// lost, or could not be renewed for most of its time. The error is then ErrConflict or ErrUnavailable. If a run fails
// for any reason and has lost its lease, the error is ErrConflict.
func (o *Options) underLease(ctx context.Context, ref fstore.ViewRef, do func(ctx context.Context, token string) error) error {
	token, asked, err := o.acquire(ctx, ref)
	if err != nil {
		return err
	}
	held, cancel := context.WithCancelCause(ctx)
	k := &keeper{o: o, ref: ref, token: token, cancel: cancel, expires: asked.Add(o.LeaseTTL)}
	var wg sync.WaitGroup
	wg.Go(func() { k.renew(held) })
	wg.Go(func() { k.watch(held) })
	err = do(held, token)
	lost := context.Cause(held)
	cancel(nil)
	wg.Wait()
	ctx = context.WithoutCancel(ctx)
	if err == nil {
		return o.Leases.Release(ctx, ref, token)
	}
	renewed := o.confirm(ctx, ref, token)
	switch {
	case errors.Is(renewed, fstore.ErrConflict):
		return overtaken(ref)
	case errors.Is(lost, errLost):
		err = lost
	}
	if renewed == nil {
		_ = o.Leases.Release(ctx, ref, token) // the first error matters
	}
	return err
}

// confirmTimeout bounds how long a failed run waits for the registry to confirm its lease.
const confirmTimeout = 5 * time.Second

// confirm checks whether a failed run still holds its lease. A run that slept past its lease may find anything:
// missing headers, headers of another run, files removed by another run, a later published instant. It should then
// report that it was overtaken, not that the store or the disk is broken.
func (o *Options) confirm(ctx context.Context, ref fstore.ViewRef, token string) error {
	ctx, cancel := context.WithTimeout(ctx, confirmTimeout)
	defer cancel()
	return o.Leases.Renew(ctx, ref, token, o.LeaseTTL, o.Clock.Now())
}

func overtaken(ref fstore.ViewRef) error {
	return fstore.Errorf(fstore.ErrConflict, "another run has taken over: this run did not renew its lease in time").
		WithHint("run fstore materialize %s again if what the other one published is not what you want", ref)
}

// acquire returns the lease token and the instant from which the lease counts.
func (o *Options) acquire(ctx context.Context, ref fstore.ViewRef) (string, time.Time, error) {
	deadline := o.Clock.Now().Add(o.Wait)
	for {
		asked := o.Clock.Now()
		token, err := o.Leases.Acquire(ctx, ref, o.LeaseTTL, asked)
		if err == nil || !errors.Is(err, fstore.ErrConflict) {
			return token, asked, err
		}
		left := deadline.Sub(o.Clock.Now())
		if left <= 0 {
			return "", asked, err
		}
		if err := o.Clock.Sleep(ctx, min(left, poll)); err != nil {
			return "", asked, err
		}
	}
}

// errLost marks errors that mean that the lease is lost.
var errLost = errors.New("lease lost")

type lost struct{ error }

func (l lost) Is(target error) bool { return target == errLost }
func (l lost) Unwrap() error        { return l.error }

// keeper renews a lease, and cancels the run if it cannot.
type keeper struct {
	o      *Options
	ref    fstore.ViewRef
	token  string
	cancel context.CancelCauseFunc

	mu      sync.Mutex // guards expires
	expires time.Time
}

// renew extends the lease three times per lease duration, more often after an error.
func (k *keeper) renew(ctx context.Context) {
	pause := k.o.LeaseTTL / 3
	for k.o.Clock.Sleep(ctx, pause) == nil {
		now := k.o.Clock.Now()
		err := k.o.Leases.Renew(ctx, k.ref, k.token, k.o.LeaseTTL, now)
		switch {
		case err == nil:
			k.mu.Lock()
			k.expires = now.Add(k.o.LeaseTTL)
			k.mu.Unlock()
			pause = k.o.LeaseTTL / 3
		case errors.Is(err, fstore.ErrConflict), errors.Is(err, fstore.ErrNotFound):
			k.cancel(lost{err})
			return
		default:
			pause = k.o.LeaseTTL / 12
		}
	}
}

// watch cancels the run a sixth of the lease duration before the lease expires, even if Renew does not return.
func (k *keeper) watch(ctx context.Context) {
	for {
		k.mu.Lock()
		left := k.expires.Add(-k.o.LeaseTTL / 6).Sub(k.o.Clock.Now())
		k.mu.Unlock()
		if left <= 0 {
			k.cancel(lost{fstore.Errorf(fstore.ErrUnavailable, "the lease could not be renewed in time").
				WithHint("run fstore materialize %s again: it resumes where this run stopped", k.ref)})
			return
		}
		if k.o.Clock.Sleep(ctx, left) != nil {
			return
		}
	}
}
