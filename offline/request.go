package offline

import (
	"context"
	"fmt"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/ondemand"
)

// requestFields returns the request columns that the features of a list read.
func requestFields(e *ondemand.Evaluation) []fstore.Field {
	var out []fstore.Field
	for i, c := range e.RequestColumns() {
		if readers, _ := e.Readers(i); readers != nil {
			out = append(out, c.Field())
		}
	}
	return out
}

// requestColumns finds the label columns that give request columns.
func (l *labels) requestColumns(list *fstore.FeatureList, e *ondemand.Evaluation) ([]*givenColumn, error) {
	out := make([]*givenColumn, len(e.RequestColumns()))
	for i, c := range e.RequestColumns() {
		readers, optional := e.Readers(i)
		if readers == nil {
			continue
		}
		var err error
		if out[i], err = l.given(c.Field(), requestColumn); err != nil {
			return nil, fmt.Errorf("on-demand feature %s: %w", readers[0], err)
		}
		if out[i] == nil && !optional {
			return nil, fstore.Errorf(fstore.ErrInvalid, "there is no column %s: the on-demand feature %s needs it, as %s", c.Name, readers[0], c.Type.WithArticle()).
				WithHint("add it to the labels, which have %s; a service may name another with request: {%s: COLUMN}", columnNames(l.columns), declaredName(list, c.Name))
		}
	}
	return out, nil
}

// declaredName returns the name of a request column in its on-demand view, given the name under which callers send it.
func declaredName(list *fstore.FeatureList, sent string) string {
	for _, v := range list.OnDemand {
		for _, c := range v.View.Request {
			if list.Sent(c.Name) == sent {
				return c.Name
			}
		}
	}
	return sent
}

// checkHours adds to the summary the features that read the hour, minute or second of at, if every label's instant is
// midnight UTC: these features are then the same for all labels, and not when the model is served.
func (t *training) checkHours(ctx context.Context) error {
	features := t.evaluation.HoursOfAt()
	if features == nil {
		return nil
	}
	b, err := t.query(ctx, "SELECT count(*) > 0 AND bool_and(epoch_us(t) % 86400000000 = 0)\nFROM _labels")
	if err == nil && !b.Columns[0].IsNull(0) && b.Columns[0].Bools[0] {
		t.summary.Midnight = features
	}
	return err
}
