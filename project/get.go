package project

import (
	"context"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
)

// GetOptions say how features are looked up.
type GetOptions struct {
	At         *time.Time // the clock that age is judged by; nil: now
	EventTimes bool       // also when each value was true
}

// Get looks up the features of a list for rows of keys, as a server would. The columns of keys are those that
// list.KeyColumns names, all of the same length; a list without keys has one row.
func (p *Project) Get(ctx context.Context, list *fstore.FeatureList, keys []fstore.Column, o GetOptions) (*online.Answer, error) {
	r := online.Request{Keys: keys, Now: p.now()}
	if o.At != nil {
		r.Now, r.Clock = *o.At, online.ChosenClock
	}
	if o.EventTimes {
		r.EventTimes = online.WithEventTimes
	}
	store, err := p.openedStore()
	if err != nil {
		return nil, err
	}
	return store.Lookup(ctx, list, r)
}
