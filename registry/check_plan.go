package registry

import (
	"context"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
)

// sqlPlan judges what the engine's binder makes of the SQL, which yields the columns of out.
func (c *checker) sqlPlan(v *view, inputs []fstore.Relation, out []fstore.EngineColumn) {
	if len(v.query.refused) > 0 {
		return
	}
	event := slices.IndexFunc(out, func(col fstore.EngineColumn) bool { return v.def.Event != "" && col.Name == v.def.Event })
	found, err := judgePlan(c.ctx, c.engine, v.text, v.query.root, inputs, event)
	if err != nil {
		c.sqlError(v, err)
		return
	}
	for _, f := range found {
		switch {
		case f.message == sameInstant && v.def.Available.Created: // such rows may become known one after another
		case f.message == sameInstant:
			v.query.doubts = slices.DeleteFunc(v.query.doubts, func(d finding) bool { return strings.HasSuffix(d.message, notKnownYet) && d.offset == f.offset })
		case f.doubt:
			v.query.doubts = append(v.query.doubts, f.finding)
		default:
			c.problems.add(c.sqlPos(v, f.offset), f.hint, "%s", f.message)
		}
	}
}

// judgePlan returns what there is to say of the plan of a query, placed in its tree.
func judgePlan(ctx context.Context, engine Engine, text string, root node, inputs []fstore.Relation, event int) ([]verdict, error) {
	raw, err := engine.PlanSQL(ctx, text, inputs)
	if err != nil {
		return nil, err
	}
	found, err := inspectPlan(raw, event)
	return locate(found, root), err
}
