package registry

import (
	"fmt"

	"github.com/fstore-dev/fstore"
)

// sentFor says for what a list needs a column.
type sentFor struct {
	part InterfacePart
	typ  fstore.Type
	of   fstore.ViewRef // the view that needs it
}

func (s sentFor) String() string {
	what := "request column"
	if s.part == KeyColumn {
		what = "key"
	}
	return fmt.Sprintf("the %s %s of %s", s.typ, what, s.of)
}

// checkSent refuses a list in which one column that callers send would have two types, or would be named like an output.
// names are the outputs with the features that they are.
func checkSent(list *fstore.FeatureList, names map[string]string) error {
	seen := map[string]sentFor{}
	add := func(column string, need sentFor, setting, name string) error {
		have, ok := seen[column]
		if ok && have.typ != need.typ {
			return fstore.Errorf(fstore.ErrInvalid, "column %s is %s and %s", column, have, need).
				WithHint("define a feature_service with %s: {%s: …}", setting, name)
		}
		if !ok {
			seen[column] = need
		}
		return nil
	}
	for _, u := range list.Uses {
		for _, k := range u.Keys {
			if err := add(k.Column, sentFor{KeyColumn, k.Key.Type, u.Version.Ref}, "keys", k.Key.Name); err != nil {
				return err
			}
		}
	}
	for _, v := range list.OnDemand {
		for _, c := range v.View.Request {
			if err := add(list.Sent(c.Name), sentFor{RequestColumn, c.Type, v.Ref}, "request", c.Name); err != nil {
				return err
			}
		}
	}
	for _, column := range sortedKeys(seen) {
		if full, clash := names[column]; clash {
			return fstore.Errorf(fstore.ErrInvalid, "feature %s has the name of %s %s", full, seen[column].part, column).WithHint("%s=%s_value", full, column)
		}
	}
	return nil
}
