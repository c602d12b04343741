package materialize_test

import (
	"errors"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	. "github.com/fstore-dev/fstore/materialize"
)

// TestAFinishedRunHasCountsUnderItsNumber: a run that was computed to be publication 3 is finished as number 2, because the store
// has lost number 2, or as number 4, because another machine has published meanwhile.
func TestAFinishedRunHasCountsUnderItsNumber(t *testing.T) {
	for name, c := range map[string]struct {
		lost, elsewhere bool // a publication
		number          int64
	}{
		"lost":      {true, false, 2},
		"published": {false, true, 4},
		"both":      {true, true, 3},
	} {
		for _, crash := range []string{"", "recounted", "publish"} {
			t.Run(name+"/"+crash, func(t *testing.T) {
				x := newPast(t)
				x.mustRun(t, day(1), 0)
				x.mustRun(t, day(3), 0)
				commits := len(x.commits)
				o := x.options(day(5), Full).WithStep(func(step string) error {
					if step == "computed" && c.lost {
						x.failOver(commits - 1)
					}
					if step == "computed" && c.elsewhere {
						o := x.options(day(4), 0)
						o.State, o.Leases = stateDir(t), &leases{count: 100, held: map[fstore.ViewRef]string{}, expires: map[fstore.ViewRef]time.Time{}}
						_, err := Run(t.Context(), o)
						return err
					}
					return nil
				})
				if _, err := Run(t.Context(), o); !errors.Is(err, fstore.ErrConflict) {
					t.Fatalf("the pointer is another one: %v", err)
				}
				finish := func(step string) (Summary, error) {
					s, err := Run(t.Context(), x.options(day(5), 0).WithStep(func(at string) error {
						if at == step {
							return errCrash
						}
						return nil
					}))
					return s[0], err
				}
				if _, err := finish(crash); crash != "" && (crash != "recounted" || c.number != 3) && !errors.Is(err, errCrash) {
					t.Fatalf("at %s: %v", crash, err)
				}
				if _, err := finish(""); err != nil {
					t.Fatal(err)
				}
				x.check(t, day(5))
				if p, _ := x.live(t); p.Number != c.number {
					t.Errorf("the publication has number %d, want %d", p.Number, c.number)
				}
				if s := x.mustRun(t, day(6), 0); s.Warning != "" || s.ComparedWith != "orders@3 as of 2026-01-06T00:00:00Z" {
					t.Errorf("the next run: %+v", s)
				}
			})
		}
	}
}
