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

// beginChecks lets the training set check expectations. It is called before the views are read. The caller calls done in the end.
func (c *creation) beginChecks(ctx context.Context) (done func(), err error) {
	if c.checks, err = c.p.newChecks(ctx, c.db, c.rev, "training-set create", c.r.Keep); err != nil {
		return nil, err
	}
	c.reads = map[*fstore.ViewVersion]*inputChecks{}
	for _, u := range c.req.List.Uses {
		if c.reads[u.Version], err = c.checks.inputs(ctx, u.Version, time.Time{}); err != nil {
			return nil, err
		}
	}
	c.req.Values = c.checkValues
	return func() {
		c.checks.close()
		if c.r.Checked != nil {
			c.r.Checked(c.checks.found)
		}
	}, nil
}

// checkValues checks what a training set is about to hold, before its file is written: the expectations of features on the
// values that its labels see, and those of what the views read on the rows that are visible at the last label.
func (c *creation) checkValues(ctx context.Context, last *time.Time, uses []offline.UsedValues) error {
	at := c.req.Now
	if last != nil {
		at = *last
	}
	for i := range uses {
		inputs := c.reads[uses[i].Version]
		inputs.at = at
		if _, err := inputs.finish(ctx); err != nil {
			return err
		}
		if err := c.checks.used(ctx, &uses[i], at); err != nil {
			return err
		}
	}
	var all []expect.Result
	for _, of := range c.checks.found {
		for i := range of.Results {
			if r := &of.Results[i]; r.Warns() {
				c.p.warn("%s: %s", of.Subject(), r)
			}
		}
		all = append(all, of.Results...)
	}
	if err := expect.Error(all); err != nil {
		return fstore.Errorf(fstore.ErrCheck, "%s\nno training set was made", err.Error()).
			WithHint("leave out the labels or features that it is about, or change the expectation and apply")
	}
	return nil
}

// used checks the values of one view that labels see.
func (x *checks) used(ctx context.Context, u *offline.UsedValues, at time.Time) error {
	v := u.Version
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
	return x.record(ctx, judged{
		Checked: &Checked{Kind: registry.KindView, Name: v.Ref.Name, Version: v.Ref.Version, At: at, Results: results}, run: run,
	})
}
