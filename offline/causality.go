package offline

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/offline/trainset"
	"github.com/fstore-dev/fstore/window"
)

// A view is causal if its rows visible at an instant P are the same whether they are computed from all rows of its sources
// or from those visible at P. SQL can break that. This file compares both on the data, at some instants.

// AllInstants asks CheckCausality to compare at every candidate.
const AllInstants = -1

// CausalityRequest says how a view is checked.
type CausalityRequest struct {
	Instants int              // the most instants at which the view is compared; AllInstants: every candidate
	Seed     uint64           // another seed draws other instants
	AsOf     *time.Time       // rows created later do not exist; nil: all rows do
	Until    *time.Time       // the instant of the last label: what becomes visible later does not count; nil: all counts
	Read     bool             // another view reads this one, so its rows count between publications too
	Files    *trainset.Pinned // the files to read; nil: those that the paths match
	Known    []CutDigest      // of an earlier check, from the same files but those in Added
	Added    []string
}

// CausalityResult is what a check found of a view without a leak.
type CausalityResult struct {
	lock.Causality
	Cuts     []CutDigest // of the instants that were compared
	Computed int         // how many of them were computed; the others were known
	Whole    *time.Time  // labels at this instant or later see what all labels could see; nil: all labels do
}

// PastUnknown is the verdict for a view that reads a static table: nobody knows what the table held in the past.
const PastUnknown = "not proved: past unknown"

// CheckCausality compares the rows of a view visible at P, computed from all rows of its sources, with those computed from
// the rows visible at P. It does so at instants P drawn from those at which a row of the view or of its sources becomes
// visible. Rows that no look-up finds do not count. The error is a *Leak (fstore.ErrCheck) if rows differ.
func (e *Engine) CheckCausality(ctx context.Context, v *fstore.ViewVersion, req CausalityRequest) (*CausalityResult, error) {
	out := &CausalityResult{Causality: lock.Causality{View: v.Ref, Verdict: PastUnknown, Read: req.Read}}
	known := func(s fstore.Source) bool { return !s.Static() }
	if v.View.Static() || !slices.ContainsFunc(v.Sources, known) {
		return out, nil
	}
	c := &causality{v: v, req: req, out: out}
	err := c.run(ctx, e)
	switch {
	case err != nil:
		return nil, fmt.Errorf("check %s for leaks: %w", v.Ref, err)
	case !slices.ContainsFunc(v.Sources, func(s fstore.Source) bool { return s.Static() }):
		out.Verdict = fmt.Sprintf("no leak at %s of %s", english.Thousands(out.Instants), english.Count(int(out.Candidates), "instant"))
	}
	return out, nil
}

// causality is one check of one view.
type causality struct {
	*session
	v     *fstore.ViewVersion
	req   CausalityRequest
	out   *CausalityResult
	input *fstore.ViewVersion // whose rows are compared: the view, or what a windowed view aggregates
	full  *rows               // computed from all rows; the table _full has those that a look-up finds
	known map[int64]string    // digests that still hold, by instant

	changes []float64 // see tolerance; nil: not measured yet

	oldest time.Duration // of the rows that differ: the longest time between event and instant
	span   time.Duration // between the first and the last candidate
}

func (c *causality) run(ctx context.Context, e *Engine) (err error) {
	if c.session, err = e.sessionFor(ctx, c.v, c.req.Files); err != nil {
		return err
	}
	defer c.close()
	if c.input = c.v; c.v.View.Windowed() {
		series := window.SeriesOf(c.v.View.ByName())
		if err := c.settle(ctx, c.v, cut{}, series); err != nil {
			return err
		}
		input := windowInput(c.v, series)
		c.input = &input
	}
	if c.full, err = c.rows(ctx, c.input, cut{known: c.req.AsOf}); err != nil {
		return err
	}
	if err := c.exec(ctx, "CREATE TEMP TABLE _full AS\n"+c.foundSQL(c.full)); err != nil {
		return c.locate(ctx, err)
	}
	if err := c.findCandidates(ctx); err != nil {
		return err
	}
	if err := c.findKnown(ctx); err != nil {
		return err
	}
	instants, err := c.draw(ctx)
	if err != nil {
		return err
	}
	c.out.Instants = int64(len(instants))
	var leak *Leak
	for _, p := range instants {
		if leak, err = c.compare(ctx, p, leak); err != nil {
			return err
		}
	}
	if leak != nil {
		return leak.explained(c)
	}
	return nil
}

// compare compares the rows visible at p, and adds to the leak if there is one.
func (c *causality) compare(ctx context.Context, p time.Time, leak *Leak) (*Leak, error) {
	want, err := c.digest(ctx, "_full", p)
	if err != nil {
		return nil, err
	}
	if got := c.known[fstore.Micros(p)]; got == want { // otherwise the rows themselves must tell
		c.out.Cuts = append(c.out.Cuts, CutDigest{p, got})
		return leak, nil
	}
	then, err := c.rows(ctx, c.input, cut{known: c.req.AsOf, visible: &p})
	if err != nil {
		return nil, err
	}
	defer c.forget(ctx, then)
	c.out.Computed++
	got, err := c.digest(ctx, "(\n"+c.foundSQL(then)+"\n)", p)
	if err != nil {
		return nil, err
	}
	c.out.Cuts = append(c.out.Cuts, CutDigest{p, got})
	if got == want {
		return leak, nil
	}
	d, err := c.unlike(ctx, then, p)
	if err != nil || d.rows == 0 {
		return leak, err
	}
	c.oldest = max(c.oldest, d.oldest)
	if leak != nil {
		leak.Instants = append(leak.Instants, p)
		return leak, nil
	}
	if err := c.checkOrder(ctx, p); err != nil {
		return nil, err
	}
	return c.newLeak(ctx, p, d)
}

// unlike compares rows that were computed as of p with those visible at p, apart from what the order of additions changes.
func (c *causality) unlike(ctx context.Context, then *rows, p time.Time) (*differences, error) {
	by, err := c.strictly(ctx)
	if err != nil {
		return nil, err
	}
	d, err := c.differences(ctx, "_full", then, p, by)
	if err != nil || d.rows == 0 || !by.floats {
		return d, err
	}
	if by, err = c.orderTolerance(ctx); err != nil {
		return nil, err
	}
	return c.differences(ctx, "_full", then, p, by)
}

// forget drops what was computed for one instant.
func (c *causality) forget(ctx context.Context, r *rows) {
	_ = c.exec(context.WithoutCancel(ctx), "DROP TABLE IF EXISTS "+r.name+"_all")
}

// foundSQL returns the query of the rows that a look-up may find: k0, k1…, visible (from when), event, f0, f1…, h, a hash
// of all of these, and n, which numbers the rows of a key that become visible together. A window finds all rows. Otherwise
// there is one for each key and instant. A row is never found that becomes visible together with a newer one or after it, or when it is
// stale already. Between publications nothing is looked up, so a row becomes visible at the next publication.
func (c *causality) foundSQL(r *rows) string {
	at := append(r.keys(), "visible")
	columns := append(slices.Clone(at), "event")
	for i := range r.record {
		columns = append(columns, fmt.Sprintf("f%d", i))
	}
	values := slices.Clone(columns)
	for i := range r.record {
		x := fmt.Sprintf("f%d", i)
		values[len(at)+1+i] = r.feature(i, x) + " AS " + x
	}
	found, newest := "n = 1", ""
	if r.view.Available.Created { // otherwise newer rows become visible later
		found, newest = "n = 1 AND event = newest", ", max(event) OVER ("+partitionBy(r.keys())+"ORDER BY visible) AS newest"
	}
	if c.v.View.Windowed() {
		found, newest = "true", ""
	} else if r.view.TTL != nil {
		found += " AND event >= visible - " + interval(*r.view.TTL)
	}
	return "SELECT *, hash(" + joined(columns) + `) AS h
FROM (
  SELECT
  ` + list(values) + `,
  row_number() OVER (` + partitionBy(at) + "ORDER BY " + r.newestFirst() + `) AS n
  FROM (
    SELECT *` + newest + `
    FROM (
      SELECT *, ` + c.publishedSQL(r.visibleSQL()) + ` AS visible
      FROM ` + r.name + `
      WHERE ` + and(r.hasKey()) + `
    )
  )
  QUALIFY ` + found + `
)`
}

// publishedSQL returns the first publication at or after an instant; the instant itself if rows count between publications.
func (c *causality) publishedSQL(at string) string {
	p := c.v.View.Publish
	if p == nil || c.req.Read {
		return at
	}
	every, offset := p.Every.Micros(), p.Offset.Micros()
	return fmt.Sprintf("make_timestamp(epoch_us(%[1]s) + ((%[3]d - epoch_us(%[1]s)) %% %[2]d + %[2]d) %% %[2]d)", at, every, offset)
}

// digest sums up the hashes of the rows of a relation that are visible at p.
func (c *causality) digest(ctx context.Context, from string, p time.Time) (string, error) {
	b, err := c.query(ctx, "SELECT count(*) || ' ' || coalesce(sum(h), 0)::VARCHAR\nFROM "+from+"\nWHERE visible <= "+instant(p))
	if err != nil {
		return "", c.locate(ctx, err)
	}
	return b.Columns[0].Strings[0], nil
}

// checkOrder returns an error if the view differs from itself when it is computed from the same rows in another order.
func (c *causality) checkOrder(ctx context.Context, p time.Time) error {
	floats, err := c.addsFloats(ctx)
	if err != nil {
		return err
	}
	for _, order := range []order{reversed, shuffled} {
		again, err := c.rows(ctx, c.input, cut{known: c.req.AsOf, order: order})
		if err != nil {
			return err
		}
		d, err := c.differences(ctx, "_full", again, p, tolerance{floats: floats})
		c.forget(ctx, again)
		if err != nil {
			return err
		}
		if d.rows > 0 {
			return fstore.Errorf(fstore.ErrCheck, "%s is not deterministic (ORDER BY is not total): the same rows in another order give other values%s", c.v.Ref, d.exampleText()).
				WithHint("add columns to ORDER BY until no two rows are alike; order first(), any_value(), list() and LIMIT too; exact_sum() adds up floats in any order")
		}
	}
	return nil
}

// order is the order in which SQL sees the rows of its sources.
type order int

const (
	unordered order = iota
	reversed
	shuffled
)

// sql returns a query with its rows in the order.
func (o order) sql(query string) string {
	by := map[order]string{reversed: "row_number() OVER () DESC", shuffled: "hash(t), md5(t::VARCHAR)"}[o]
	return "SELECT *\nFROM (\n" + query + "\n) AS t\nORDER BY " + by
}

// createInput makes a relation that SQL reads.
func (s *session) createInput(ctx context.Context, name, query string, c cut) error {
	if c.order != unordered {
		table := fmt.Sprintf("_reordered_%d", s.tables)
		s.tables++
		if err := s.exec(ctx, "CREATE TEMP TABLE "+table+" AS\n"+c.order.sql(query)); err != nil {
			return err
		}
		query = "SELECT *\nFROM " + table
	}
	return s.exec(ctx, "CREATE OR REPLACE TEMP VIEW "+ident(name)+" AS\n"+query)
}
