package project

import (
	"context"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
)

// GetOptions are the options of a look-up.
type GetOptions struct {
	At         *time.Time // the instant at which ages are computed; nil: now
	EventTimes bool       // also return event times
}

// Get looks up the features of a list for rows of keys, as a server would. keys has the columns of list.KeyColumns,
// all of the same length. A list without keys has one row.
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
