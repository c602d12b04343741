package offline

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/fstore-dev/fstore"
)

// findCandidates makes _inputs, the instants at which rows of the sources become visible, and _candidates: those at which
// rows of the view (output) or of the sources (input) do.
func (c *causality) findCandidates(ctx context.Context) error {
	var inputs []string
	for i := range c.v.Sources {
		def := &c.v.Sources[i]
		if def.Static() {
			continue
		}
		from, err := c.sourceTimes(ctx, def)
		if err != nil {
			return fmt.Errorf("source %s: %w", def.Name, err)
		}
		inputs = append(inputs, from...)
	}
	if err := c.exec(ctx, "CREATE TEMP TABLE _inputs AS\nSELECT DISTINCT visible\nFROM (\n"+strings.Join(inputs, "\nUNION ALL\n")+"\n)"); err != nil {
		return c.locate(ctx, err)
	}
	where := []string{"isfinite(p)"}
	for _, bound := range []*time.Time{c.req.Until, c.req.AsOf} {
		if bound != nil {
			where = append(where, "p <= "+instant(*bound))
		}
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
WHERE `+and(where)+`
GROUP BY p`); err != nil {
		return err
	}
	var err error
	c.out.Candidates, err = c.count(ctx, "true")
	return err
}

// sourceTimes returns queries of the rows of a source: visible (from when), event, and key, the columns given as text.
func (c *causality) sourceTimes(ctx context.Context, def *fstore.Source, keys ...string) ([]string, error) {
	src, err := c.source(ctx, def)
	if err != nil {
		return nil, err
	}
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
	if n < 0 || n > c.out.Candidates {
		n = c.out.Candidates
	}
	random := c.random()
	var drawn []time.Time
	for _, step := range []struct {
		where string
		n     int64
	}{{"output", n/2 + n%2*random.Int64N(2)}, {"input", n}, {"true", n}} {
		more, err := c.drawFrom(ctx, step.where, min(step.n, n-int64(len(drawn))), drawn, random)
		if err != nil {
			return nil, err
		}
		drawn = append(drawn, more...)
	}
	slices.SortFunc(drawn, time.Time.Compare)
	return drawn, nil
}

// drawFrom draws n of the candidates that are not drawn yet: one at random from each of n periods with as many candidates.
func (c *causality) drawFrom(ctx context.Context, where string, n int64, drawn []time.Time, random *rand.Rand) ([]time.Time, error) {
	for _, p := range drawn {
		where += " AND p <> " + instant(p)
	}
	have, err := c.count(ctx, where)
	n = min(n, have)
	if err != nil || n == 0 {
		return nil, err
	}
	chosen := ""
	if n < have {
		var at []string
		for i := range n {
			low, high := i*have/n, (i+1)*have/n
			at = append(at, fmt.Sprint(low+random.Int64N(high-low)))
		}
		chosen = "\nWHERE i IN (" + strings.Join(at, ", ") + ")"
	}
	b, err := c.query(ctx, "SELECT p\nFROM (\n  SELECT p, row_number() OVER (ORDER BY p) - 1 AS i\n  FROM _candidates\n  WHERE "+where+"\n)"+chosen)
	if err != nil {
		return nil, err
	}
	out := make([]time.Time, 0, b.Len)
	for _, us := range b.Columns[0].Int64s {
		out = append(out, fstore.FromMicros(us))
	}
	return out, nil
}
