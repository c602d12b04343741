package offline

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/duckdb"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/ondemand"
)

// The on-demand features of a training set are computed by the query that writes it, which calls a function for some rows
// at a time. So they need no second pass, and their memory does not grow with the rows.

// evaluator computes the on-demand features of a training set and counts their faults.
type evaluator struct {
	*ondemand.Evaluation
	request []int // the request columns that the labels have

	mu     sync.Mutex // guards what follows
	rows   int64      // that were computed
	faults []lock.Fault
	failed error // of the first call that failed
}

// evaluateFunction is the function's name in SQL.
const evaluateFunction = "_evaluate"

// compile prepares the evaluation of the list, and the function that computes its on-demand features, if it has any.
func (t *training) compile() (err error) {
	if t.evaluation, err = ondemand.NewEvaluation(t.req.List); err != nil {
		return err
	}
	if slices.ContainsFunc(t.evaluation.Outputs(), func(p ondemand.Place) bool { return p.Computed }) {
		t.evaluator = &evaluator{Evaluation: t.evaluation}
	}
	return nil
}

// define makes the function, once the labels are known.
func (t *training) define() error {
	if t.evaluator == nil {
		return nil
	}
	f := &duckdb.Function{Name: evaluateFunction, Takes: []fstore.Type{fstore.Int64, fstore.Timestamp}, Call: t.evaluator.call}
	for _, l := range t.evaluation.Lookups() {
		of := fstore.Timestamp
		if l.Feature != "" {
			of = t.req.List.Uses[l.Use].Version.View.Feature(l.Feature).Type
		}
		f.Takes = append(f.Takes, of)
	}
	for i, c := range t.labels.request {
		if c != nil {
			f.Takes, t.evaluator.request = append(f.Takes, c.to), append(t.evaluator.request, i)
		}
	}
	for i, p := range t.evaluation.Outputs() {
		if p.Computed {
			f.Gives = append(f.Gives, t.req.List.Feature(i).Type)
		}
	}
	return t.conn.Define(f)
}

// evaluatedSQL returns the FROM clause of labels in their order with what they look up, given as such, and beside them the
// column evaluated, with the on-demand features c0, c1…
func (t *training) evaluatedSQL(from string) string {
	args := []string{"row", "t"}
	for i := range t.evaluation.Lookups() {
		args = append(args, fmt.Sprintf("o%d", i))
	}
	for _, c := range t.labels.request {
		if c != nil {
			args = append(args, c.sql())
		}
	}
	return "(\n  SELECT *, " + evaluateFunction + "(" + strings.Join(args, ", ") + ") AS evaluated\n  FROM (\n  SELECT *\n  FROM " + from + "\n  )\n)"
}

// call computes the features of some labels, which come in their order: their rows, their instants, what they look up, and
// their request columns.
func (e *evaluator) call(rows int, args []fstore.Column) ([]fstore.Column, error) {
	in := ondemand.Given{Rows: rows, At: &args[1], Request: make([]*fstore.Column, len(e.RequestColumns()))}
	lookups := args[2 : 2+len(e.Lookups())]
	for i := range lookups {
		in.Lookups = append(in.Lookups, &lookups[i])
	}
	for i, c := range e.request {
		in.Request[c] = &args[2+len(lookups)+i]
	}
	out, err := e.Eval(in)
	numbers := args[0].Int64s
	if err == nil && !slices.IsSorted(numbers) {
		err = fmt.Errorf("labels from row %d on are out of order", numbers[0]+1)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil {
		if e.failed == nil {
			e.failed = err
		}
		return nil, err
	}
	e.rows += int64(rows)
	for _, f := range out.Faults {
		e.count(lock.Fault{View: f.View, Feature: f.Feature, Reason: f.Reason.String(), Rows: int64(f.Rows), FirstRow: numbers[f.First] + 1})
	}
	return out.Columns, nil
}

// count adds a fault to those of the same feature and reason.
func (e *evaluator) count(f lock.Fault) {
	for i := range e.faults {
		if is := &e.faults[i]; is.View == f.View && is.Feature == f.Feature && is.Reason == f.Reason {
			is.Rows, is.FirstRow = is.Rows+f.Rows, min(is.FirstRow, f.FirstRow)
			return
		}
	}
	e.faults = append(e.faults, f)
}

// start forgets an attempt that failed, before the query runs again.
func (e *evaluator) start() {
	e.rows, e.faults, e.failed = 0, nil, nil
}

// sorted returns the faults by view, feature and reason.
func (e *evaluator) sorted() []lock.Fault {
	slices.SortFunc(e.faults, func(a, b lock.Fault) int {
		return cmp.Or(cmp.Compare(a.View.String(), b.View.String()), cmp.Compare(a.Feature, b.Feature), cmp.Compare(a.Reason, b.Reason))
	})
	return e.faults
}

// end returns the error of a query that wrote the labels, given the engine's. It is an error if a label was not computed
// exactly once: then the counts of faults would be wrong.
func (e *evaluator) end(err error, labels int64) error {
	switch {
	case e.failed != nil:
		return e.failed
	case err == nil && e.rows != labels:
		return fmt.Errorf("on-demand features were computed for %d rows of %d labels", e.rows, labels)
	}
	return err
}
