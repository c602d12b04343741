package offline

import (
	"fmt"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/sqltype"
)

// servedOutcome is what the column with the instant of the outcome is called if the instants of the rows have its name.
const servedOutcome = "outcome_timestamp"

// columns returns the columns of _joined: what a training set has of labels as l0, l1…, and the features as they were served as o0,
// o1…. It replaces the labels by what the training set has of them: the keys, the instant at which the row was served, the request
// columns, and the columns of the labels besides.
func (s *servedSet) columns() ([]string, error) {
	out := []string{"labels.row"}
	made := &labels{rowFile: rowFile{file: s.in.file, stamp: s.in.stamp, units: map[string]timeUnit{}}, rows: s.in.rows}
	add := func(name, typ, x string) error {
		if named(made.columns, name) >= 0 {
			return fstore.Errorf(fstore.ErrInvalid, "labels: column %s has the name of a column that comes from the served log", name).
				WithHint("rename it, or leave it out")
		}
		out = append(out, fmt.Sprintf("%s AS l%d", x, len(made.columns)))
		made.columns = append(made.columns, fstore.EngineColumn{Name: name, Type: typ})
		return nil
	}
	if err := s.logged(add); err != nil {
		return nil, err
	}
	for i, c := range s.in.columns {
		name := c.Name
		switch {
		case s.isKey(name):
			continue
		case name == s.Outcome && strings.EqualFold(name, s.req.Timestamp):
			name = servedOutcome
		}
		made.units[name] = s.in.units[c.Name]
		if err := add(name, c.Type, fmt.Sprintf("labels.l%d", i)); err != nil {
			return nil, err
		}
	}
	if err := lock.CheckTargets(s.req.Targets, made.columns, s.req.List, s.req.Timestamp); err != nil {
		return nil, fmt.Errorf("labels: %w", err)
	}
	if err := s.checkPrediction(made.columns); err != nil {
		return nil, err
	}
	if err := made.checkOutputs(s.req.List); err != nil {
		return nil, fmt.Errorf("labels: %w", err)
	}
	for i, o := range s.req.List.Outputs {
		x, err := s.featureSQL(o.Name(), s.req.List.Feature(i).Type)
		if err != nil {
			return nil, err
		}
		out = append(out, fmt.Sprintf("%s AS o%d", x, i))
	}
	s.labels = made
	return out, nil
}

// logged adds the columns that come from the log: keys, the instant, request columns. Of hashed keys, the labels may know the values.
func (s *servedSet) logged(add func(name, typ, x string) error) error {
	for _, k := range s.req.List.KeyColumns() {
		at := columnIndex(s.in.columns, k.Name)
		switch {
		case s.Keys == lock.PlainKeys, s.Keys == lock.HashedKeys && at < 0:
			_, typ, err := s.logType(k.Name)
			if err == nil {
				err = add(k.Name, typ, "log."+ident(k.Name))
			}
			if err != nil {
				return err
			}
		case at >= 0:
			if err := add(k.Name, s.in.columns[at].Type, fmt.Sprintf("labels.l%d", at)); err != nil {
				return err
			}
		}
	}
	if err := add(s.req.Timestamp, "TIMESTAMP WITH TIME ZONE", "log._at"); err != nil {
		return err
	}
	for _, f := range s.Request {
		_, typ, err := s.logType(f.Name)
		if err == nil {
			err = add(f.Name, typ, "log."+ident(f.Name))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *servedSet) isKey(name string) bool {
	for _, k := range s.req.List.KeyColumns() {
		if k.Name == name {
			return true
		}
	}
	return false
}

// checkPrediction returns an error unless the column with the prediction is there and has numbers or truths.
func (s *servedSet) checkPrediction(columns []fstore.EngineColumn) error {
	if s.Prediction == "" {
		return nil
	}
	at := columnIndex(columns, s.Prediction)
	if at < 0 {
		return fstore.Errorf(fstore.ErrInvalid, "labels: there is no column %s, the prediction", s.Prediction).WithHint("the columns are %s", columnNames(s.in.columns))
	}
	if t := sqltype.Parse(columns[at].Type); !t.Converts(fstore.Bool) && t.Bits == 0 && t.Mantissa == 0 && t.Name != "DECIMAL" {
		return fstore.Errorf(fstore.ErrInvalid, "labels: column %s, the prediction, is %s", s.Prediction, columns[at].Type).WithHint("a prediction is a number: a probability, a class of 0 or 1, or an amount")
	}
	return nil
}

// featureSQL returns a feature as it was served, bit for bit. The log has instants in UTC.
func (s *servedSet) featureSQL(name string, t fstore.Type) (string, error) {
	from, typ, err := s.logType(name)
	if err != nil {
		return "", err
	}
	x := "log." + ident(name)
	switch {
	case typ == sqltype.Of(t):
		return x, nil
	case t == fstore.Timestamp && from.IsTime():
		return "make_timestamp(epoch_us(" + x + "))", nil
	case t == fstore.List(fstore.Timestamp) && from.Name == "LIST" && from.Elem.IsTime():
		return "list_transform(" + x + ", lambda e: make_timestamp(epoch_us(e)))", nil
	}
	return "", fstore.Errorf(fstore.ErrInvalid, "column %s of the served log is %s, not %s", name, typ, t)
}
