package definition

import (
	"fmt"
	"strings"

	"github.com/fstore-dev/fstore"
)

// OnDemandFields lists the fields of a version of an on-demand view. It returns nil for nil.
func OnDemandFields(v *fstore.OnDemandVersion) Fields {
	if v == nil {
		return nil
	}
	var l Fields
	for _, c := range v.View.Request {
		const added, gone = "the view reads one more request column", "the view no longer reads the request column"
		l.part("request."+c.Name+".type", c.Type.String(), "the request column has another type", added, gone)
		if c.Default != nil {
			l.counts("request."+c.Name+".default", string(c.Default.AppendJSON(nil, 0)), "it replaces missing values")
		}
		l.silent("request."+c.Name+".description", c.Description, forPeople)
	}
	for _, in := range v.Inputs {
		l.part("uses."+in.Name, inputText(&in), "the view reads another version or another key", "the view reads one more view", "the view no longer reads the view")
	}
	for _, f := range v.View.Features {
		const added, gone = "the view has one more feature", "the view no longer has the feature"
		l.part("features."+f.Name+".type", f.Type.String(), "the feature has another type", added, gone)
		l.part("features."+f.Name+".expression", f.Expression, "the feature is computed in another way", added, gone)
		if f.Default != nil {
			l.counts("features."+f.Name+".default", string(f.Default.AppendJSON(nil, 0)), "it replaces missing values")
		}
		l.meta("features."+f.Name+".", f.Meta)
	}
	names := make([]string, len(v.View.Features))
	for i, f := range v.View.Features {
		names[i] = f.Name
	}
	l.add(field{path: "features order", value: strings.Join(names, ", "), why: "features are found by name", as: asOrder})
	l.meta("", v.View.Meta)
	return l
}

// inputText says which version an on-demand view reads, and by which key columns.
func inputText(in *fstore.OnDemandInput) string {
	text := in.Ref.String()
	for _, k := range in.Keys {
		if k.Column != k.Key.Name {
			text += fmt.Sprintf(" by %s = %s", k.Key.Name, k.Column)
		}
	}
	return text
}
