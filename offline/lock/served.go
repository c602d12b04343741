package lock

import (
	"fmt"
	"slices"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/sqltype"
)

// ServedKeys says what a served log has of keys.
type ServedKeys string

// What it may have: the values; their HMAC-SHA-256; nothing.
const (
	PlainKeys  ServedKeys = "plain"
	HashedKeys ServedKeys = "hashed"
	NoKeys     ServedKeys = "none"
)

// Served says how the rows of a training set were found in a served log, and in which files of it (docs/outcomes.md).
type Served struct {
	Model      *fstore.ModelRef `json:"model,omitempty" doc:"The version of the model that was served; absent if requests named the service."`
	Keys       ServedKeys       `json:"keys" doc:"What the log has of keys: plain, hashed or none."`
	RequestID  string           `json:"request_id,omitempty" doc:"Column of the labels with the id of the request; absent if rows were found by keys and instant."`
	Outcome    string           `json:"outcome,omitempty" doc:"Column of the labels with the instant of the outcome. No row was served after it."`
	Within     fstore.Duration  `json:"within" doc:"The longest time from answer to outcome."`
	Prediction string           `json:"prediction,omitempty" doc:"Column with what the model predicted."`
	Request    []fstore.Field   `json:"request_columns,omitempty" doc:"Request columns that the log has."`
	Counts     ServedCounts     `json:"counts" doc:"What became of the labels."`
	Files      []File           `json:"files" doc:"Files of the log with the rows of the training set. The snapshot has copies; one of a stream has the name that the sealed file gets."`
}

// ServedCounts says what became of labels that were joined to served rows. All but Repeated and Log add up to the labels.
type ServedCounts struct {
	Joined    int64 `json:"joined" doc:"Labels that are in the training set."`
	Replaced  int64 `json:"replaced" doc:"Labels superseded by a later one of the same row."`
	NotServed int64 `json:"not_served" doc:"Labels whose keys, or whose request, the log does not have."`
	After     int64 `json:"after" doc:"Labels whose rows were all served after the outcome."`
	TooOld    int64 `json:"too_old" doc:"Labels whose last row was served too long before the outcome."`
	Ambiguous int64 `json:"ambiguous" doc:"Labels of a request with several rows, without the keys that tell which."`
	Log       int64 `json:"log" doc:"Rows of the log that were read."`
	Repeated  int64 `json:"repeated" doc:"Rows of the log with the request and number of an earlier one, the same in all columns, which were ignored."`
}

// ServedLog is what a served log is called among the sources of inputs. No source has the name: it has a space.
const ServedLog = "served log"

// String says how rows were found; empty: they were not served.
func (s *Served) String() string {
	if s == nil {
		return ""
	}
	text := "by keys, at " + s.Outcome
	if s.RequestID != "" {
		text = "by " + s.RequestID
	}
	text += fmt.Sprintf(", within %s", s.Within)
	if s.Model != nil {
		text += ", model " + s.Model.String()
	}
	if s.Prediction != "" {
		text += ", prediction " + s.Prediction
	}
	return text
}

// Labels returns the number of labels.
func (c *ServedCounts) Labels() int64 {
	return c.Joined + c.Replaced + c.NotServed + c.After + c.TooOld + c.Ambiguous
}

// String counts the labels by what became of them: "2 of 5 labels joined, 3 not served".
func (c *ServedCounts) String() string {
	text := fmt.Sprintf("%d of %d labels joined", c.Joined, c.Labels())
	for _, n := range []struct {
		of   int64
		what string
	}{{c.Replaced, "replaced by a later label"}, {c.NotServed, "not served"}, {c.After, "served only after the outcome"}, {c.TooOld, "served too long before"}, {c.Ambiguous, "of requests with several rows"}} {
		if n.of > 0 {
			text += fmt.Sprintf(", %d %s", n.of, n.what)
		}
	}
	return text
}

// Computed reports whether the engine computed the features. Otherwise they are what was served.
func (l *Lock) Computed() bool { return l.Served == nil }

// checkServed returns an error unless rows could be found as the lock says.
func (l *Lock) checkServed() error {
	s := l.Served
	if s == nil {
		return nil
	}
	c := &s.Counts
	switch {
	case s.Keys != PlainKeys && s.Keys != HashedKeys && s.Keys != NoKeys:
		return fmt.Errorf("served: keys are %q", s.Keys)
	case s.RequestID == "" && (s.Outcome == "" || s.Keys == NoKeys):
		return fmt.Errorf("served: rows are found neither by the request nor by keys and an instant")
	case s.Within <= 0:
		return fmt.Errorf("served: within is %s", s.Within)
	case l.Labels.File == nil || l.Labels.Sample != nil || len(l.Sources) > 0:
		return fmt.Errorf("served: the labels are a whole file, and no source is read")
	case len(s.Files) == 0:
		return fmt.Errorf("served: it has no files")
	case min(c.Joined, c.Replaced, c.NotServed, c.After, c.TooOld, c.Ambiguous, c.Log, c.Repeated) < 0:
		return fmt.Errorf("served: a count is negative")
	case c.Labels() != l.Labels.Rows || c.Joined != l.Output.Rows:
		return fmt.Errorf("served: %d labels are counted, %d of them joined; there are %d, and the output has %d rows", c.Labels(), c.Joined, l.Labels.Rows, l.Output.Rows)
	case s.Prediction != "" && !slices.ContainsFunc(l.labelColumns(), func(c Column) bool { return c.Name == s.Prediction }):
		return fmt.Errorf("served: the output has no column %s, the prediction", s.Prediction)
	}
	return nil
}

// labelColumns returns the columns of the output before the features.
func (l *Lock) labelColumns() []Column {
	return l.Output.Columns[:max(0, len(l.Output.Columns)-len(l.Features))]
}

// checkKey returns an error unless the output has a join key. One of what was served has the keys that the log or the labels have.
func (l *Lock) checkKey(c *Column, k fstore.Field) error {
	switch {
	case c == nil && l.Served != nil && l.Served.Keys != PlainKeys:
		return nil
	case c != nil && l.Served != nil && l.Served.Keys == HashedKeys && c.Type == sqltype.Of(fstore.String):
		return nil
	case c == nil || c.Statistics.Count > 0 && !sqltype.Parse(c.Type).Converts(k.Type): // without values, it may have been written without a type
		return fmt.Errorf("uses: the output has no column %s of labels for a join key of type %s", k.Name, k.Type)
	}
	return nil
}
