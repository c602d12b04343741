package materialize

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/fstore-dev/fstore"
)

// poll is how often a held lease is asked for again while waiting.
const poll = 500 * time.Millisecond

// underLease runs do while it holds the view's lease. Its context ends before the lease does: when the lease is
// lost, or could not be renewed for most of its time. The error is then ErrConflict or ErrUnavailable.
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
	if errors.Is(lost, errLost) && err != nil {
		return lost
	}
	released := o.Leases.Release(context.WithoutCancel(ctx), ref, token)
	if err == nil {
		err = released
	}
	return err
}

// acquire returns the token and the instant the lease counts from.
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

// errLost marks the causes that end a run together with its lease.
var errLost = errors.New("lease lost")

type lost struct{ error }

func (l lost) Is(target error) bool { return target == errLost }
func (l lost) Unwrap() error        { return l.error }

// keeper renews a lease and ends the run when it cannot.
type keeper struct {
	o      *Options
	ref    fstore.ViewRef
	token  string
	cancel context.CancelCauseFunc

	mu      sync.Mutex // guards expires
	expires time.Time
}

// renew extends the lease three times in its length, more often after an error.
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

// watch ends the run a sixth of the lease before it expires. It does not depend on Renew returning.
func (k *keeper) watch(ctx context.Context) {
	for {
		k.mu.Lock()
		left := k.expires.Add(-k.o.LeaseTTL / 6).Sub(k.o.Clock.Now())
		k.mu.Unlock()
		if left <= 0 {
			k.cancel(lost{fstore.Errorf(fstore.ErrUnavailable, "the lease could not be renewed in time").
				WithHint("run fstore materialize %s again: it goes on where this run stopped", k.ref)})
			return
		}
		if k.o.Clock.Sleep(ctx, left) != nil {
			return
		}
	}
}
