package lock

import (
	"fmt"

	"github.com/fstore-dev/fstore"
)

// Unchecked is the verdict of a check that was not asked for.
const Unchecked = "unchecked"

// NeedsCheck reports whether look-ups in a view could see the future: those in rows of SQL could, those in a source's rows
// could not. An intermediate is not looked up; it is checked through the views that read it.
func NeedsCheck(v *fstore.ViewVersion) bool { return v.View.SQL != "" && !v.View.Offline }

// Causality is what a check found of a view version: whether its rows see the future.
type Causality struct {
	View       fstore.ViewRef `json:"view" doc:"The view version."`
	Verdict    string         `json:"verdict" doc:"What the check found: \"no leak at 4 of 1,203 instants\", \"not proved: past unknown\" (the view reads a static table) or \"unchecked\"."`
	Instants   int64          `json:"instants,omitempty" doc:"Number of instants at which the rows were compared."`
	Candidates int64          `json:"candidates,omitempty" doc:"Number of instants at which they could be."`
	Read       bool           `json:"read,omitempty" doc:"Whether another view reads this one, so that its rows count between publications too."`
}

// checkCausality returns an error unless each verdict is of another view of the lock that needs the check.
func (l *Lock) checkCausality() error {
	seen := map[fstore.ViewRef]bool{}
	for _, c := range l.Causality {
		v := l.View(c.View)
		switch {
		case v == nil:
			return fmt.Errorf("causality: there is no view %s", c.View)
		case !NeedsCheck(v):
			return fmt.Errorf("causality: %s has no SQL to check", c.View)
		case seen[c.View]:
			return fmt.Errorf("causality: %s is there twice", c.View)
		case c.Instants < 0 || c.Instants > c.Candidates:
			return fmt.Errorf("causality: %s is compared at %d of %d instants", c.View, c.Instants, c.Candidates)
		}
		seen[c.View] = true
	}
	return nil
}
