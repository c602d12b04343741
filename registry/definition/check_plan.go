package definition

import (
	"slices"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/sqlgate"
)

// sqlPlan checks the plan that the engine's binder makes of the SQL, which yields the columns of out.
func (c *checker) sqlPlan(v *view, plan []byte, out []fstore.EngineColumn) {
	if len(v.query.Refused) > 0 {
		return
	}
	refused, err := v.query.Judge(plan, c.history(v, out))
	if err != nil {
		c.sqlError(v, err)
		return
	}
	for _, f := range refused {
		c.problems.add(c.sqlPos(v, f.Offset), f.Hint, "%s", f.Message)
	}
}

// history returns the times of the rows that the SQL yields and of those that it reads. SQL that keeps one row per key
// has a warning already, so nothing more is said of when its rows are known.
func (c *checker) history(v *view, out []fstore.EngineColumn) sqlgate.History {
	at := func(name string) int {
		return slices.IndexFunc(out, func(col fstore.EngineColumn) bool { return name != "" && col.Name == name })
	}
	h := sqlgate.History{Event: at(v.def.Event), Created: at(v.def.Created), Available: v.def.Available}
	if _, one := v.query.OneRowPerKey(&v.def); one {
		return h
	}
	h.Inputs = map[string]sqlgate.Times{}
	for _, name := range v.def.Inputs {
		if up := c.views[name]; up != nil {
			h.Inputs[name] = sqlgate.Times{Event: up.def.Event, Created: up.def.Created, Available: up.def.Available}
		} else if s := c.sources[name]; s != nil {
			h.Inputs[name] = sqlgate.Times{Event: s.def.Event, Created: s.def.Created, Available: s.def.Available}
		}
	}
	return h
}
