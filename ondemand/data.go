package ondemand

import "slices"

// Data is data that fstore embeds and on which results depend besides the inputs: see DataVersions.
type Data uint8

// The data.
const (
	ZoneData    Data = 1 << iota // of functions of calendars in a time zone
	UnicodeData                  // of lower, upper, trim and patterns
)

// data returns what the values of a node depend on, given what those of its inputs and of the features of its view do.
func (n *node) data(inputs, features []Data) Data {
	var d Data
	switch {
	case n.kind == inputNode:
		d = inputs[n.index]
	case n.kind == featureNode:
		d = features[n.index]
	case n.kind == callNode && slices.Contains([]string{"lower", "upper", "trim", "matches"}, n.name):
		d = UnicodeData
	case n.kind == callNode && slices.Contains([]string{"year", "month", "day", "hour", "minute", "second", "weekday", "day_of_year", "week"}, n.name) && len(n.args) == 2,
		n.kind == callNode && n.name == "date_trunc" && len(n.args) == 3:
		d = ZoneData
	}
	for _, a := range n.args {
		d |= a.data(inputs, features)
	}
	return d
}

// Data returns what the on-demand outputs of the list depend on, by their names.
func (e *Evaluation) Data() map[string]Data {
	steps, out := make([][]Data, len(e.steps)), map[string]Data{}
	for i, s := range e.steps {
		inputs := make([]Data, len(s.inputs))
		for j, in := range s.inputs {
			if in.source == fromStep {
				inputs[j] = steps[in.index][in.column]
			}
		}
		for _, root := range s.program.roots {
			steps[i] = append(steps[i], root.data(inputs, steps[i]))
		}
	}
	for i, at := range e.outputs {
		if at.Computed {
			r := e.results[at.Index]
			out[e.list.Outputs[i].Name()] = steps[r.step][r.column]
		}
	}
	return out
}
