package materialize

import (
	"context"
	"errors"
	"time"
)

// Patience waits for an online store that may come back, as after a failover or a restart.
type Patience struct {
	Clock Clock
	Limit time.Duration   // of a wait; negative: there is none
	For   error           // the kind of error that it waits out
	Waits func(err error) // called once per wait, after a number of tries
	Tries int             // that number, beside the first

	// Gone is set while the limit has passed and the store was not reached since: then nothing waits again. Those that wait
	// for the same store share it; nil: there are no others.
	Gone *bool
}

// Retry calls do, which must be idempotent, until its error is not one to wait out or the limit has passed.
func (p *Patience) Retry(ctx context.Context, do func() error) error {
	until := p.Clock.Now()
	if p.Gone == nil || !*p.Gone {
		until = until.Add(p.Limit)
	}
	for try := 0; ; try++ {
		err := do()
		away := errors.Is(err, p.For)
		late := !p.Clock.Now().Before(until)
		if p.Gone != nil {
			*p.Gone = away && late
		}
		if !away || late || ctx.Err() != nil {
			return err
		}
		if try == p.Tries {
			p.Waits(err)
		}
		if stopped := p.Clock.Sleep(ctx, backoff(try)); stopped != nil {
			return errors.Join(stopped, err)
		}
	}
}

// momentTries keeps a wait of less than 0.75 s from being reported.
const momentTries = 4

func backoff(try int) time.Duration { return min(50*time.Millisecond<<try, 2*time.Second) }
