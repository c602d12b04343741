package project

import (
	"context"
	"errors"
	"slices"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/monitor/expect"
)

// Rules implements materialize.Inspector.
func (x *checks) Rules(v *fstore.ViewVersion) string {
	if d := expect.Digest(v); d != "" {
		return "expect " + d
	}
	return ""
}

// Inspect implements materialize.Inspector.
func (x *checks) Inspect(v *fstore.ViewVersion, p time.Time) (materialize.Inspection, error) {
	if expect.Digest(v) == "" {
		return nil, nil
	}
	inputs, err := x.inputs(x.ctx, v, p)
	if err != nil {
		return nil, err
	}
	rows, err := x.view(v, p)
	if err != nil {
		return nil, err
	}
	return &runChecks{rows, inputs}, nil
}

// runChecks checks what a run of materialize is about to publish.
type runChecks struct {
	*viewChecks
	inputs *inputChecks
}

// Judge implements materialize.Inspection.
func (c *runChecks) Judge(ctx context.Context, change materialize.Change) (v materialize.Verdict, err error) {
	found, err := c.finish(ctx, change)
	if moved := new(movedInputs); errors.As(err, &moved) {
		return materialize.Verdict{Moved: moved.error}, nil
	}
	if err != nil {
		return v, err
	}
	var all []expect.Result
	for _, of := range found {
		for i := range of.Results {
			switch r := &of.Results[i]; {
			case r.Blocks():
				v.Reasons = append(v.Reasons, r.String())
			case r.Warns():
				v.Warnings = append(v.Warnings, r.String())
			case r.Outcome == expect.Skipped && change.Previous != nil && comparesRuns(r):
				v.Warnings = append(v.Warnings, r.String()+" (skipped)") // at a first publication, nobody expects it to be checked
			}
		}
		all = append(all, of.Results...)
	}
	if err := expect.Error(all); err != nil {
		hint := "fstore check %s --to %s checks again without a run"
		if slices.ContainsFunc(all, func(r expect.Result) bool { return r.Blocks() && comparesRuns(&r) }) {
			hint += ", but not what compares it with the run before"
		}
		v.Refused = fstore.Errorf(fstore.ErrCheck, "%s\n%s", err.Error(), change.Served()).WithHint(hint, c.v.Ref, fstore.FormatTime(c.at))
	}
	return v, nil
}

// comparesRuns reports whether a result may need what is published: the change of rows, or the keys that go.
func comparesRuns(r *expect.Result) bool {
	return r.Check == fstore.ExpectRows || r.Check == fstore.ExpectKeysDeleted
}

// finish returns how the view and what it reads came out.
func (c *runChecks) finish(ctx context.Context, change materialize.Change) ([]*Checked, error) {
	defer c.close()
	out, err := c.inputs.finish(ctx)
	if err != nil || len(c.rules) == 0 {
		return out, err
	}
	f := expect.Facts{At: c.at, Unknown: change.Unknown}
	if was := change.Previous; was != nil {
		f.Before = &was.Keys
		if most, limited := expect.MostDeleted(c.rules, was.Keys); limited {
			if f.Deleted, f.AtLeast, err = change.Lost(ctx, most); err != nil {
				return nil, err
			}
		}
	}
	o, err := c.outcome(ctx, f)
	if err != nil {
		return nil, err
	}
	return append(out, o.Checked), c.record(ctx, o)
}
