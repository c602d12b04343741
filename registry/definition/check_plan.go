package definition

import (
	"slices"

	"github.com/fstore-dev/fstore"
)

// sqlPlan checks the plan that the engine's binder makes of the SQL, which yields the columns of out.
func (c *checker) sqlPlan(v *view, plan []byte, out []fstore.EngineColumn) {
	if len(v.query.Refused) > 0 {
		return
	}
	event := slices.IndexFunc(out, func(col fstore.EngineColumn) bool { return v.def.Event != "" && col.Name == v.def.Event })
	// Where rows have a created time, rows with the same event time may become known one after another.
	refused, err := v.query.Judge(plan, event, !v.def.Available.Created)
	if err != nil {
		c.sqlError(v, err)
		return
	}
	for _, f := range refused {
		c.problems.add(c.sqlPos(v, f.Offset), f.Hint, "%s", f.Message)
	}
}
