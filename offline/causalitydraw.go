package offline

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"github.com/fstore-dev/fstore"
)

// findCandidates makes _inputs, the instants at which rows of the sources become visible, and _candidates: those at which
// rows of the view (output) or of the sources (input) do. Nothing changes between two of them, so a label sees what the
// candidate before it sees, and the candidates end with the last label.
func (c *causality) findCandidates(ctx context.Context) error {
	var inputs []string
	for i := range c.v.Sources {
		if c.v.Sources[i].Static() {
			continue
		}
		src, err := c.source(ctx, &c.v.Sources[i])
		if err == nil {
			var from []string
			from, err = c.sourceTimes(src)
			inputs = append(inputs, from...)
		}
		if err != nil {
			return fmt.Errorf("source %s: %w", c.v.Sources[i].Name, err)
		}
	}
	if err := c.exec(ctx, "CREATE TEMP TABLE _inputs AS\nSELECT DISTINCT visible\nFROM (\n"+strings.Join(inputs, "\nUNION ALL\n")+"\n)\nWHERE isfinite(visible)"); err != nil {
		return c.locate(ctx, err)
	}
	if err := c.exec(ctx, `CREATE TEMP TABLE _candidates AS
SELECT p, bool_or(output) AS output, bool_or(NOT output) AS input
FROM (
  SELECT visible AS p, true AS output
  FROM _full
  UNION ALL
  SELECT `+c.publishedSQL("visible")+` AS p, false AS output
  FROM _inputs
)
WHERE isfinite(p)
GROUP BY p`); err != nil {
		return err
	}
	b, err := c.query(ctx, "SELECT max(p), min(p)\nFROM _candidates")
	if err != nil {
		return err
	}
	if last := &b.Columns[0]; !last.IsNull(0) {
		at := fstore.FromMicros(last.Int64s[0])
		c.span = at.Sub(fstore.FromMicros(b.Columns[1].Int64s[0]))
		if !c.req.Read {
			at = c.v.View.Publish.ServableFrom(at)
		}
		c.out.Whole = &at
	}
	if c.req.Until != nil {
		if err := c.exec(ctx, "DELETE FROM _candidates\nWHERE p > "+instant(c.lastSeen(*c.req.Until))); err != nil {
			return err
		}
	}
	c.out.Candidates, err = c.count(ctx, "true")
	return err
}

// lastSeen returns the instant up to which a label at t sees rows.
func (c *causality) lastSeen(t time.Time) time.Time {
	if c.req.Read {
		return t
	}
	return c.v.View.Publish.Servable(t)
}

// sourceTimes returns queries of the rows of a source: visible (from when), event, and key, the columns given as text.
func (c *causality) sourceTimes(src *source, keys ...string) ([]string, error) {
	def := src.def
	names, pairs := append([]string{def.Event}, keys...), []string{"''"}
	if def.Created != "" {
		names = append(names, def.Created)
	}
	slices.Sort(names)
	wanted, err := src.named(slices.Compact(names)...)
	if err != nil {
		return nil, err
	}
	for i, k := range keys {
		name := k + "="
		if i > 0 {
			name = "," + name
		}
		pairs = append(pairs, text(name)+" || coalesce("+ident(k)+"::VARCHAR, 'null')")
	}
	event := ident(def.Event)
	visible := "greatest(" + event + ", " + available(event, createdOr(def.Created, event), def.Available) + ")"
	var out []string
	for _, r := range src.relations(cut{known: c.req.AsOf}, wanted) {
		out = append(out, "SELECT "+visible+" AS visible, "+event+"::VARCHAR AS event, "+strings.Join(pairs, " || ")+" AS key\nFROM "+r.from)
	}
	return out, nil
}

func joined(columns []string) string { return strings.Join(columns, ", ") }

func (c *causality) count(ctx context.Context, where string) (int64, error) {
	b, err := c.query(ctx, "SELECT count(*)\nFROM _candidates\nWHERE "+where)
	if err != nil {
		return 0, err
	}
	return b.Columns[0].Int64s[0], nil
}

// draw returns the instants at which the view is compared, in their order: half of them from those of the view's rows, half
// from those of the sources' rows, spread over time.
func (c *causality) draw(ctx context.Context) ([]time.Time, error) {
	n := int64(c.req.Instants)
	if n < 0 || n >= c.out.Candidates {
		return c.instants(ctx, "SELECT p\nFROM _candidates\nORDER BY p")
	}
	seed := c.seed()
	var drawn []time.Time
	for _, step := range []struct {
		where string
		n     int64
	}{{"output", n/2 + n%2*int64(seed%2)}, {"input", n}, {"true", n}} {
		more, err := c.drawFrom(ctx, step.where, min(step.n, n-int64(len(drawn))), drawn, seed)
		if err != nil {
			return nil, err
		}
		drawn = append(drawn, more...)
	}
	slices.SortFunc(drawn, time.Time.Compare)
	return drawn, nil
}

// drawFrom draws n of the candidates that are not drawn yet: one from each of n periods with as many candidates. It takes
// the one with the least hash, so that a period that moves a little, because files have come, mostly keeps its instant.
func (c *causality) drawFrom(ctx context.Context, where string, n int64, drawn []time.Time, seed uint64) ([]time.Time, error) {
	for _, p := range drawn {
		where += " AND p <> " + instant(p)
	}
	have, err := c.count(ctx, where)
	if n = min(n, have); err != nil || n == 0 {
		return nil, err
	}
	return c.instants(ctx, fmt.Sprintf(`SELECT arg_min(p, hash(p, %d::UBIGINT))
FROM (
  SELECT p, row_number() OVER (ORDER BY p) - 1 AS i
  FROM _candidates
  WHERE %s
)
GROUP BY i * %d // %d`, seed, where, n, have))
}

// instants returns the instants of a query.
func (c *causality) instants(ctx context.Context, sql string) ([]time.Time, error) {
	b, err := c.query(ctx, sql)
	if err != nil {
		return nil, err
	}
	out := make([]time.Time, 0, b.Len)
	for _, us := range b.Columns[0].Int64s {
		out = append(out, fstore.FromMicros(us))
	}
	return out, nil
}

// seed is the seed of the draws: the same for the same view and the same seed of the request.
func (c *causality) seed() uint64 {
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, c.v.Ref.Name, " ", c.v.Fingerprint, " ", c.req.Seed)
	return h.Sum64()
}
