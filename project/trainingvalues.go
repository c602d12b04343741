package project

import (
	"context"
	"fmt"
	"slices"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/monitor/expect"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/registry"
)

// checkValues checks what a training set is about to hold, before its file is written: the expectations of features on the
// values that its labels see, and those of the sources on the rows that are visible at the last label.
func (c *creation) checkValues(ctx context.Context, last *time.Time, uses []offline.UsedValues) error {
	x, err := c.p.newChecks(ctx, c.db, "training-set create", 0)
	if err != nil {
		return err
	}
	defer x.close()
	x.once = true
	var all []expect.Result
	at := c.req.Now
	if last != nil {
		at = *last
	}
	for i := range uses {
		u := &uses[i]
		if err := x.used(ctx, u, at); err != nil {
			return err
		}
	}
	for _, of := range x.found {
		for i := range of.Results {
			if r := &of.Results[i]; r.Warns() {
				c.p.warn("%s: %s", of.Subject(), r)
			}
		}
		all = append(all, of.Results...)
	}
	if err := expect.Error(all); err != nil {
		return fstore.Errorf(fstore.ErrCheck, "%s\nno training set was made", err.Error()).
			WithHint("leave out the labels or features that it is about, or change what is expected and apply")
	}
	return nil
}

// used checks the values of one view that labels see, and the sources that it reads.
func (x *checks) used(ctx context.Context, u *offline.UsedValues, at time.Time) error {
	v := u.Version
	for i := range v.Sources {
		if s := &v.Sources[i]; len(s.Expect) > 0 {
			if _, err := x.source(ctx, s, at); err != nil {
				return err
			}
		}
	}
	rules := slices.DeleteFunc(expect.OfView(&v.View), func(r expect.Rule) bool {
		return r.Feature == "" || !slices.ContainsFunc(u.Columns, func(f fstore.Field) bool { return f.Name == r.Feature })
	})
	if len(rules) == 0 {
		return nil
	}
	keys := len(v.View.Keys)
	run, err := expect.Begin(rules, expect.Columns{All: u.Columns, Keys: keys, Event: keys}, x.keep)
	if err != nil {
		return err
	}
	for b, err := range u.Rows {
		if err != nil {
			return err
		}
		run.Rows(b)
	}
	results, err := run.Results(ctx, expect.Facts{At: at})
	if err != nil {
		return fmt.Errorf("check %s: %w", v.Ref, err)
	}
	return x.record(ctx, &Checked{Kind: registry.KindView, Name: v.Ref.Name, Version: v.Ref.Version, At: at, Results: results}, run)
}
