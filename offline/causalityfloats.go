package offline

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/functions"
)

// Floats that SQL adds up in no fixed order may differ in their last bits. A difference passes if it is small beside the two
// values themselves. In a sum whose terms cancel, it is small only beside the terms. There it passes if it is as small beside
// the key's largest value, and if the same rows in another order change the feature as much. So a leak of small values does
// not hide beside one large value: another order does not change them.

// tolerance says by how much floats may differ.
type tolerance struct {
	floats  bool      // false: not at all
	changes []float64 // by feature: what another order changes; nil: as much as is small beside the key's largest value
}

// Relative differences of floats that come from the order of additions alone. The last bit of a float32 is 1.2e-7 of it.
const (
	tolerance64 = "1e-9"
	tolerance32 = "2e-7"
)

// otherOrders is by how much more a feature may differ than it did in the orders that were tried.
const otherOrders = 8

func (by tolerance) applies(t fstore.Type) bool { return by.floats && isFloat(t) }

// differsSQL returns the condition that a feature differs between the rows a and b.
func (by tolerance) differsSQL(i int, t fstore.Type) string {
	x := fmt.Sprintf("a.f%d IS DISTINCT FROM b.f%[1]d", i)
	if !by.applies(t) {
		return x
	}
	most := smallSQL(i, t)
	if by.changes != nil {
		most = fmt.Sprintf("greatest(%s * greatest(abs(a.f%d::DOUBLE), abs(b.f%[2]d::DOUBLE)), least(%[3]s, %[4]e))", relative(t), i, most, otherOrders*by.changes[i])
	}
	return fmt.Sprintf("%s AND NOT coalesce(%s <= %s, false)", x, distanceSQL(i), most)
}

// smallSQL returns what is small beside the largest value of a feature in the rows of a key.
func smallSQL(i int, t fstore.Type) string {
	return fmt.Sprintf("%s * greatest(a.s%d, b.s%[2]d)", relative(t), i)
}

// distanceSQL returns by how much a feature differs; null where that is not a finite number.
func distanceSQL(i int) string {
	a, b := fmt.Sprintf("a.f%d::DOUBLE", i), fmt.Sprintf("b.f%d::DOUBLE", i)
	return fmt.Sprintf("CASE WHEN isfinite(%s) AND isfinite(%s) THEN abs(%[1]s - %[2]s) END", a, b)
}

func relative(t fstore.Type) string {
	if t == fstore.Float32 {
		return tolerance32
	}
	return tolerance64
}

// scaleSQL returns the largest value of a feature in the rows of a key, as s0, s1…
func scaleSQL(i int, keys []string) string {
	x := fmt.Sprintf("f%d::DOUBLE", i)
	return fmt.Sprintf("max(abs(%s)) FILTER (isfinite(%s)) OVER (%s) AS s%d", x, x, strings.TrimSpace(partitionBy(keys)), i)
}

// strictly returns the tolerance for floats that no other order changes.
func (c *causality) strictly(ctx context.Context) (tolerance, error) {
	floats, err := c.addsFloats(ctx)
	return tolerance{floats, make([]float64, len(c.full.record))}, err
}

// orderTolerance returns the tolerance for floats that another order of the same rows changes. It computes the view in other
// orders, once.
func (c *causality) orderTolerance(ctx context.Context) (tolerance, error) {
	if c.changes != nil {
		return tolerance{true, c.changes}, nil
	}
	changes := make([]float64, len(c.full.record))
	for _, order := range []order{reversed, shuffled} {
		if err := c.addChanges(ctx, order, changes); err != nil {
			return tolerance{}, err
		}
	}
	c.changes = changes
	return tolerance{true, changes}, nil
}

// addChanges raises the changes to what an order changes, apart from what is not small: a view that changes so much is not
// deterministic.
func (c *causality) addChanges(ctx context.Context, order order, changes []float64) error {
	again, err := c.rows(ctx, c.input, cut{known: c.req.AsOf, order: order})
	if err != nil {
		return err
	}
	defer c.forget(ctx, again)
	loose := tolerance{floats: true}
	var columns []string
	for i, f := range again.record {
		x := "0::DOUBLE"
		if loose.applies(f.Type) {
			x = fmt.Sprintf("coalesce(max(%s) FILTER (%[1]s <= %[2]s), 0)", distanceSQL(i), smallSQL(i, f.Type))
		}
		columns = append(columns, x)
	}
	b, err := c.query(ctx, "SELECT\n  "+list(columns)+"\nFROM "+c.pairsSQL("_full", again, "true", loose))
	if err != nil {
		return c.locate(ctx, err)
	}
	for i := range changes {
		changes[i] = math.Max(changes[i], b.Columns[i].Float64s[0])
	}
	return nil
}

// addsFloats reports whether the view's SQL adds up floats in no fixed order.
func (c *causality) addsFloats(ctx context.Context) (bool, error) {
	seen := map[string]bool{}
	for _, q := range c.admitted {
		if seen[q.sql] {
			continue
		}
		seen[q.sql] = true
		_, plan, err := c.e.PlanSQL(ctx, q.sql, q.inputs)
		if err != nil {
			return false, err
		}
		var v any
		if err := json.Unmarshal(plan, &v); err != nil {
			return false, fmt.Errorf("read the plan of a query: %w", err)
		}
		if addsFloats(v) {
			return true, nil
		}
	}
	return false, nil
}

// addsFloats looks for a sum of floats in the plan of a query.
func addsFloats(v any) bool {
	switch v := v.(type) {
	case []any:
		return slices.ContainsFunc(v, addsFloats)
	case map[string]any:
		n := object(v)
		name := strings.ToLower(n.str("name"))
		if functions.AlwaysFloatSums[name] || functions.FloatSums[name] && slices.ContainsFunc(n.list("children"), isFloatExpression) {
			return true
		}
		for _, child := range v {
			if addsFloats(child) {
				return true
			}
		}
	}
	return false
}

func isFloatExpression(v any) bool {
	t := asObject(asObject(v)["return_type"]).str("id")
	return t == "DOUBLE" || t == "FLOAT"
}
