package materialize_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fstore-dev/fstore"
	. "github.com/fstore-dev/fstore/materialize"
)

// A run that loses its store at any operation waits for it, says so once, and goes on. It waits no longer than it may, and
// its user can end the wait at once.
func TestARunWaitsForItsStore(t *testing.T) {
	for name, c := range map[string]struct {
		away, stop time.Duration // stop: after which the user ends the run
		wait       time.Duration // Options.StoreWait
		kind       error         // nil: the run succeeds
		took       time.Duration // at most
	}{
		"back after a failover":  {away: 40 * time.Second, took: 45 * time.Second},
		"away for longer":        {away: time.Hour, kind: fstore.ErrUnavailable, took: 70 * time.Second},
		"stopped while it waits": {away: time.Hour, stop: 10 * time.Second, kind: context.Canceled, took: 10 * time.Second},
		"not to be waited for":   {away: time.Hour, wait: -1, kind: fstore.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			for at := 1; ; at++ {
				reached := false
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					w.fill(9)
					var back time.Time
					w.shaky.at = at
					w.shaky.how = func(_ context.Context, apply func() error) error {
						if !reached {
							reached, back = true, time.Now().Add(c.away)
						}
						if time.Now().Before(back) {
							return fstore.Errorf(fstore.ErrUnavailable, "connection refused")
						}
						return apply()
					}
					ctx, cancel := context.WithCancel(context.Background())
					defer cancel()
					o := w.options(day(2), 0)
					o.Clock, o.StoreWait = wall{}, c.wait
					second := *w.table.view
					second.Ref.Name, second.View.Name = "second", "second"
					o.Views = append(o.Views, &second) // which does not wait once more
					var waits []string
					o.Waits = func(_ fstore.ViewRef, err error) {
						waits = append(waits, err.Error())
						if c.stop > 0 {
							time.AfterFunc(c.stop, cancel)
						}
					}
					begin := time.Now()
					_, err := Run(ctx, o)
					if (c.kind == nil || !reached) != (err == nil) || c.kind != nil && reached && !errors.Is(err, c.kind) {
						t.Errorf("operation %d: got %v", at, err)
					}
					if reached && c.wait < 0 && len(waits) > 0 || reached && c.wait == 0 && (len(waits) != 1 || !strings.Contains(waits[0], "connection refused")) {
						t.Errorf("operation %d: it said %q", at, waits)
					}
					if took := time.Since(begin); took > c.took+time.Second || c.wait < 0 && took > 0 {
						t.Errorf("operation %d: it took %s", at, took)
					}
				})
				if !reached {
					break
				}
			}
		})
	}
}
