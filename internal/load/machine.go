package load

import (
	"context"
	"time"

	"github.com/fstore-dev/fstore"
)

// Machine is a Clock that waits by the machine's clock and returns the time of a function.
type Machine struct{ Time func() time.Time }

// Now implements Clock.
func (m Machine) Now() time.Time { return m.Time() }

// coarse is how much earlier a timer is set than it is due. Timers of Go are up to a millisecond late in an idle process.
const coarse = 2 * time.Millisecond

// Sleep implements Clock. It is about 0.1 ms late where the system has exact sleeps.
func (m Machine) Sleep(ctx context.Context, d time.Duration) {
	until := m.Time().Add(d)
	if d > coarse && fstore.Sleep(ctx, d-coarse) != nil {
		return
	}
	for left := until.Sub(m.Time()); left > 0; left = until.Sub(m.Time()) {
		nap(left)
	}
}
