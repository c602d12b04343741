package project

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/monitor/expect"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/registry"
)

// Checked says how the expectations of a source or of a view version came out.
type Checked struct {
	Kind    registry.Kind   `json:"kind"` // source or feature_view
	Name    string          `json:"name"`
	Version int             `json:"version,omitempty"` // of a view
	At      time.Time       `json:"at"`                // the instant as of which the rows were checked
	OK      bool            `json:"ok"`                // nothing failed at severity error
	Results []expect.Result `json:"results"`

	failing []expect.FailingRow
}

// Subject names what was checked: customer_orders@3, or source lines.
func (c *Checked) Subject() string {
	switch {
	case c.Kind == registry.KindSource:
		return "source " + c.Name
	case c.Version == 0: // the registry no longer has the definition
		return c.Name
	}
	return c.ref().String()
}

func (c *Checked) ref() fstore.ViewRef { return fstore.ViewRef{Name: c.Name, Version: c.Version} }

// WriteFailing replaces a Parquet file by one with the bad rows that were kept of every expectation that failed.
func WriteFailing(path string, all []*Checked) error {
	var rows []expect.FailingRow
	for _, c := range all {
		rows = append(rows, c.failing...)
	}
	return expect.WriteFailing(path, rows)
}

// checks runs expectations for one operation, and keeps their outcomes.
type checks struct {
	ctx      context.Context //nolint:containedctx // lives as long as one operation
	engine   *offline.Engine
	db       *registry.Store
	rev      *registry.Revision
	project  string
	now      time.Time
	by       string // the command, for the history
	keep     int    // bad rows kept of each expectation
	progress func(of string, rows int64)
	found    []*Checked
	known    map[string]*Checked // of sources and upstream views, by what was checked and the files that it was read from
	open     map[*viewChecks]bool
}

func (p *Project) newChecks(ctx context.Context, db *registry.Store, rev *registry.Revision, by string, keep int) (*checks, error) {
	engine, err := p.openedEngine()
	if err != nil {
		return nil, err
	}
	return &checks{
		ctx: ctx, engine: engine, db: db, rev: rev, project: p.Settings.Project, now: p.now(), by: by, keep: max(keep, expect.Shown),
		progress: func(string, int64) {}, known: map[string]*Checked{}, open: map[*viewChecks]bool{},
	}, nil
}

// close frees what checks that never came to an end hold.
func (x *checks) close() {
	for v := range x.open {
		v.close()
	}
}

// viewChecks checks the rows of a view version as of an instant.
type viewChecks struct {
	*checks
	v     *fstore.ViewVersion
	at    time.Time
	rules []expect.Rule
	run   *expect.Run
	rows  *offline.CheckedRows // for queries over the rows; nil: there are none
}

func (x *checks) view(v *fstore.ViewVersion, at time.Time) (*viewChecks, error) {
	c := &viewChecks{checks: x, v: v, at: at, rules: expect.OfView(&v.View)}
	if v.View.Sawtooth() { // its batches hold tiles, and only rows can be counted
		c.rules = expect.OfRows(c.rules)
	}
	var err error
	if c.run, err = expect.Begin(c.rules, expect.ViewColumns(&v.View), x.keep); err != nil {
		return nil, err
	}
	if expect.Queries(c.rules) {
		columns := expect.ViewColumns(&v.View).All
		columns[len(v.View.Keys)].Name = v.View.EventColumn()
		if c.rows, err = x.engine.OpenRows(x.ctx, v.View.Name, columns); err != nil {
			return nil, err
		}
	}
	x.open[c] = true
	return c, nil
}

func (c *viewChecks) close() {
	if c.rows != nil {
		c.rows.Close()
	}
	delete(c.open, c)
}

// Rows implements materialize.Inspection.
func (c *viewChecks) Rows(b *fstore.Batch) error {
	c.run.Rows(b)
	if c.rows == nil {
		return nil
	}
	return c.rows.Add(b)
}

// compute looks at all rows of the view.
func (c *viewChecks) compute(ctx context.Context) error {
	if len(c.rules) == 0 {
		return nil
	}
	rows := int64(0)
	for b, err := range c.engine.AsOf(ctx, c.v, c.at) {
		if err == nil {
			err = c.Rows(b)
		}
		if err != nil {
			return err
		}
		rows += int64(b.Len)
		c.progress(c.v.Ref.String(), rows)
	}
	return nil
}

// outcome says how the view came out, once all rows have been looked at.
func (c *viewChecks) outcome(ctx context.Context, f expect.Facts) (judged, error) {
	f.BadRows = c.badRows(c.rows, c.v.View.Name)
	results, err := c.run.Results(ctx, f)
	if err != nil {
		return judged{}, fmt.Errorf("check %s: %w", c.v.Ref, err)
	}
	checked := &Checked{Kind: registry.KindView, Name: c.v.Ref.Name, Version: c.v.Ref.Version, At: c.at, Results: results}
	return judged{Checked: checked, run: c.run}, nil
}

// judged is how something came out, with the bad rows that were kept.
type judged struct {
	*Checked
	run *expect.Run
	key string // see checks.known
}

// badRows returns what runs the queries of rules over rows.
func (x *checks) badRows(rows *offline.CheckedRows, name string) func(context.Context, *expect.Rule) (int64, []json.RawMessage, error) {
	return func(ctx context.Context, r *expect.Rule) (n int64, out []json.RawMessage, err error) {
		var bad *fstore.Batch
		if r.Check == fstore.ExpectUnique {
			n, bad, err = rows.BadUnique(ctx, r.Columns, x.keep)
		} else {
			n, bad, err = rows.BadSQL(ctx, r.SQL, r.SQLFile, x.keep)
		}
		if err != nil {
			return 0, nil, fmt.Errorf("%s: %w", name, err)
		}
		for i := range bad.Len {
			out = append(out, expect.RowJSON(bad, i))
		}
		return n, out, nil
	}
}

// record keeps an outcome, in the registry without rows.
func (x *checks) record(ctx context.Context, c judged) error {
	c.OK = expect.Error(c.Results) == nil
	kept := make([]expect.Result, len(c.Results))
	for i, r := range c.Results {
		if r.Outcome == expect.Failed {
			c.failing = append(c.failing, c.run.Failing(i, c.Subject(), &r)...)
		}
		kept[i] = r
		kept[i].Sample = nil
	}
	x.found = append(x.found, c.Checked)
	encoded, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	return x.db.AddChecks(ctx, x.project, c.Kind, c.ref(), registry.Checks{Time: x.now, At: c.At, By: x.by, OK: c.OK, Result: encoded})
}

// Samples lists the bad rows that are shown of expectations that failed, a line each. They are for the terminal of who runs a
// command: nothing sends or logs them.
func Samples(all []*Checked) []string {
	var out []string
	for _, c := range all {
		for i := range c.Results {
			r := &c.Results[i]
			if r.Outcome != expect.Failed || len(r.Sample) == 0 {
				continue
			}
			rows := make([]string, len(r.Sample))
			for k, row := range r.Sample {
				rows[k] = string(row)
			}
			out = append(out, c.Subject()+" "+r.Expectation+": "+strings.Join(rows, " "))
		}
	}
	return out
}
