package project

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/materialize"
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
	if c.Kind == registry.KindSource {
		return "source " + c.Name
	}
	return c.ref().String()
}

func (c *Checked) ref() fstore.ViewRef { return fstore.ViewRef{Name: c.Name, Version: c.Version} }

// WriteFailing replaces a Parquet file by one with the bad rows that were kept of every expectation that does not hold.
func WriteFailing(path string, all []*Checked) error {
	var rows []expect.FailingRow
	for _, c := range all {
		rows = append(rows, c.failing...)
	}
	return expect.WriteFailing(path, rows)
}

// checks runs expectations for one operation, and keeps their outcomes.
type checks struct {
	ctx     context.Context //nolint:containedctx // lives as long as one operation
	engine  *offline.Engine
	db      *registry.Store
	project string
	now     time.Time
	by      string // the command, for the history
	keep    int    // bad rows kept of each expectation
	once    bool   // a source is checked once, as of the first instant that is asked for
	found   []*Checked
	known   map[string]*Checked // of sources, by what was checked
	open    map[*viewChecks]bool
}

func (p *Project) newChecks(ctx context.Context, db *registry.Store, by string, keep int) (*checks, error) {
	engine, err := p.openedEngine()
	if err != nil {
		return nil, err
	}
	return &checks{
		ctx: ctx, engine: engine, db: db, project: p.Settings.Project, now: p.now(), by: by, keep: max(keep, expect.Shown),
		known: map[string]*Checked{}, open: map[*viewChecks]bool{},
	}, nil
}

// close frees what checks that never came to an end hold.
func (x *checks) close() {
	for v := range x.open {
		v.close()
	}
}

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
	return x.view(v, p)
}

// viewChecks checks the rows of a view version as of an instant, and the sources that it reads.
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
		columns[len(v.View.Keys)].Name = eventName(&v.View)
		if c.rows, err = x.engine.OpenRows(x.ctx, v.View.Name, columns); err != nil {
			return nil, err
		}
	}
	x.open[c] = true
	return c, nil
}

// eventName is what queries of bad rows call the event time of a view's row: event, unless a key or feature has the name.
func eventName(v *fstore.View) string {
	name := "event"
	for v.Feature(name) != nil || hasKey(v, name) {
		name = "_" + name
	}
	return name
}

func hasKey(v *fstore.View, name string) bool {
	for _, k := range v.Keys {
		if k.Name == name {
			return true
		}
	}
	return false
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

// Judge implements materialize.Inspection.
func (c *viewChecks) Judge(ctx context.Context, change materialize.Change) (materialize.Verdict, error) {
	f := expect.Facts{At: c.at, Unknown: change.Unknown}
	if was := change.Previous; was != nil {
		f.Before = &was.Keys
		if most, limited := expect.MostDeleted(c.rules, was.Keys); limited {
			var err error
			if f.Deleted, f.AtLeast, err = change.Lost(ctx, most); err != nil {
				return materialize.Verdict{}, err
			}
		}
	}
	found, err := c.finish(ctx, f)
	if err != nil {
		return materialize.Verdict{}, err
	}
	var v materialize.Verdict
	var all []expect.Result
	for _, of := range found {
		for i := range of.Results {
			r := &of.Results[i]
			if r.Warns() {
				v.Warnings = append(v.Warnings, r.String())
			}
		}
		all = append(all, of.Results...)
	}
	if err := expect.Error(all); err != nil {
		v.Refused = fstore.Errorf(fstore.ErrCheck, "%s\n%s", err.Error(), change.Served()).
			WithHint("fstore check %s --to %s checks again without a run", c.v.Ref, fstore.FormatTime(c.at))
	}
	return v, nil
}

// finish returns how the view and the sources that it reads came out, once all rows have been looked at.
func (c *viewChecks) finish(ctx context.Context, f expect.Facts) ([]*Checked, error) {
	defer c.close()
	var out []*Checked
	for i := range c.v.Sources {
		if s := &c.v.Sources[i]; len(s.Expect) > 0 {
			checked, err := c.source(ctx, s, c.at)
			if err != nil {
				return nil, err
			}
			out = append(out, checked)
		}
	}
	if len(c.rules) == 0 {
		return out, nil
	}
	f.BadRows = c.badRows(c.rows, c.v.View.Name)
	results, err := c.run.Results(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("check %s: %w", c.v.Ref, err)
	}
	checked := &Checked{Kind: registry.KindView, Name: c.v.Ref.Name, Version: c.v.Ref.Version, At: c.at, Results: results}
	return append(out, checked), c.record(ctx, checked, c.run)
}

// source checks the rows of a source that are visible at an instant. Several views may read it as of the same one.
func (x *checks) source(ctx context.Context, s *fstore.Source, at time.Time) (*Checked, error) {
	of := []any{s, s.Expect, at}
	if x.once {
		of = of[:2]
	}
	key, err := json.Marshal(of)
	if err != nil {
		return nil, err
	}
	if known := x.known[string(key)]; known != nil {
		return known, nil
	}
	rows, err := x.engine.OpenSource(ctx, s, at)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	rules := expect.OfSource(s)
	columns := expect.SourceColumns(rules, s, rows.Columns())
	run, err := expect.Begin(rules, columns, x.keep)
	if err != nil {
		return nil, fmt.Errorf("check source %s: %w", s.Name, err)
	}
	if expect.Streams(rules) {
		names := make([]string, len(columns.All))
		for i, f := range columns.All {
			names[i] = f.Name
		}
		for b, err := range rows.Each(ctx, names) {
			if err != nil {
				return nil, err
			}
			run.Rows(b)
		}
	}
	results, err := run.Results(ctx, expect.Facts{At: at, Unknown: "a source is not published", BadRows: x.badRows(rows, s.Name)})
	if err != nil {
		return nil, fmt.Errorf("check source %s: %w", s.Name, err)
	}
	checked := &Checked{Kind: registry.KindSource, Name: s.Name, At: at, Results: results}
	x.known[string(key)] = checked
	return checked, x.record(ctx, checked, run)
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
func (x *checks) record(ctx context.Context, c *Checked, run *expect.Run) error {
	c.OK = expect.Error(c.Results) == nil
	kept := make([]expect.Result, len(c.Results))
	for i, r := range c.Results {
		if r.Outcome == expect.Failed {
			c.failing = append(c.failing, run.Failing(i, c.Subject(), &r)...)
		}
		kept[i] = r
		kept[i].Sample = nil
	}
	x.found = append(x.found, c)
	encoded, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	return x.db.AddChecks(ctx, x.project, c.Kind, c.ref(), registry.Checks{Time: x.now, At: c.At, By: x.by, OK: c.OK, Result: encoded})
}

// Samples lists the bad rows that are shown of expectations that do not hold, a line each. They are for the terminal of who
// runs a command: nothing sends or logs them.
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
