package ondemand

import "github.com/fstore-dev/fstore"

// Given is what Eval reads. Every column has Rows rows.
type Given struct {
	Rows    int
	At      *fstore.Column   // timestamp: T in training, the request's clock in serving
	Lookups []*fstore.Column // in the order of Lookups
	Request []*fstore.Column // in the order of RequestColumns; nil: not sent

	// Made, if set, is told of the bytes of texts and lists as they are made. Its error ends Eval, which returns it.
	Made func(bytes int) error
}

// Evaluated has the on-demand outputs of a list, in its order.
type Evaluated struct {
	Columns []fstore.Column
	Present []fstore.Bitmap // by output: the rows with a value of their own, see Result
	Faults  []ViewFault
}

// ViewFault is a fault of a feature of an on-demand view.
type ViewFault struct {
	View fstore.ViewRef
	Fault
}

// Eval computes the on-demand outputs. The error is ErrInvalid for a request column that is missing, has another length, or
// that Convert refuses.
func (e *Evaluation) Eval(in Given) (*Evaluated, error) {
	sent := make([]*fstore.Column, len(e.sent))
	for i, c := range e.sent {
		var err error
		if sent[i], err = c.column(in.Request[c.index], e.request[c.index].Name, in.Rows); err != nil {
			return nil, err
		}
	}
	made := in.Made
	if made == nil {
		made = func(int) error { return nil }
	}
	results := make([]*Result, len(e.steps))
	out := &Evaluated{Columns: make([]fstore.Column, len(e.results)), Present: make([]fstore.Bitmap, len(e.results))}
	for i, s := range e.steps {
		inputs := make([]*fstore.Column, len(s.inputs))
		for j, at := range s.inputs {
			switch at.source {
			case fromLookup:
				inputs[j] = in.Lookups[at.index]
			case fromRequest:
				inputs[j] = sent[at.index]
			case fromStep:
				inputs[j] = &results[at.index].Columns[at.column]
			case fromAt:
				inputs[j] = in.At
			}
		}
		var err error
		if results[i], err = s.program.evalWithin(in.Rows, inputs, made); err != nil {
			return nil, err
		}
		for _, f := range results[i].Faults {
			out.Faults = append(out.Faults, ViewFault{s.version.Ref, f})
		}
	}
	for i, r := range e.results {
		out.Columns[i], out.Present[i] = results[r.step].Columns[r.column], results[r.step].Present[r.column]
		out.Columns[i].Name = r.name
	}
	return out, nil
}

// column returns the values of a request column: with its default where it has one, and the caller sends none or null.
func (s sentColumn) column(c *fstore.Column, name string, rows int) (*fstore.Column, error) {
	switch {
	case c == nil && s.replacement == nil:
		return nil, fstore.Errorf(fstore.ErrInvalid, "request column %s is missing", name).WithHint("it is %s", s.typ.WithArticle())
	case c != nil && c.Len != rows:
		return nil, fstore.Errorf(fstore.ErrInvalid, "request column %s has %d rows, not %d", name, c.Len, rows)
	case c != nil:
		var err error
		if c, err = Convert(c, s.typ); err != nil || s.replacement == nil || c.Valid == nil {
			return c, err
		}
	}
	out := fstore.NewColumn(name, s.typ, rows)
	for i := range rows {
		if c == nil || c.IsNull(i) {
			out.AppendFrom(&s.replacement.Column, 0)
		} else {
			out.AppendFrom(c, i)
		}
	}
	return &out, nil
}
