package expect

import (
	"encoding/json"
	"fmt"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/english"
)

// Outcome says how a check came out.
type Outcome string

// The outcomes.
const (
	Passed  Outcome = "passed"
	Failed  Outcome = "failed"
	Skipped Outcome = "skipped" // there was nothing to check, or nothing to compare with
)

// Result says how an expectation came out.
type Result struct {
	Expectation string          `json:"expectation"` // with the feature or column: order_value between [0, 1e6]
	Check       fstore.Check    `json:"check"`
	Column      string          `json:"column,omitempty"` // the feature or column whose values were checked
	Severity    fstore.Severity `json:"severity"`
	Outcome     Outcome         `json:"outcome"`
	Rows        int64           `json:"rows"`               // rows looked at
	Checked     int64           `json:"checked"`            // of these: rows that the check decides about, for most checks those without a null
	Bad         int64           `json:"bad"`                // of these: rows that fail it
	Observed    string          `json:"observed,omitempty"` // what was compared with the bound, such as a mean or an age
	Why         string          `json:"message,omitempty"`  // in words, unless it passed
	Pos         fstore.Pos      `json:"position,omitzero"`  // of the expectation in the definitions

	Sample []json.RawMessage `json:"sample,omitempty"` // some bad rows, with their keys, as objects
}

// Blocks reports whether the result keeps rows from being published.
func (r *Result) Blocks() bool { return r.Outcome == Failed && r.Severity == fstore.SeverityError }

// Warns reports whether the result is a failure that is only reported.
func (r *Result) Warns() bool { return r.Outcome == Failed && r.Severity == fstore.SeverityWarn }

// String says in a line what was expected, where, and what is there. It has no values of rows.
func (r *Result) String() string {
	s := r.Expectation
	if at := r.Pos.String(); at != "" {
		s = at + ": " + s
	}
	if r.Why != "" {
		s += ": " + r.Why
	}
	return s
}

// Blocking returns the results that keep rows from being published.
func Blocking(all []Result) []*Result {
	var out []*Result
	for i := range all {
		if all[i].Blocks() {
			out = append(out, &all[i])
		}
	}
	return out
}

// Error returns the error of kind fstore.ErrCheck for results that keep rows from being published; nil if none does. It names
// no row.
func Error(all []Result) error {
	bad := Blocking(all)
	if len(bad) == 0 {
		return nil
	}
	message := "an expectation is not met"
	if len(bad) > 1 {
		message = english.Count(len(bad), "expectation") + " are not met"
	}
	const shown = 10
	for i, r := range bad {
		if i == shown {
			message += fmt.Sprintf("\n… and %d more", len(bad)-shown)
			break
		}
		message += "\n" + r.String()
	}
	return fstore.Errorf(fstore.ErrCheck, "%s", message)
}
