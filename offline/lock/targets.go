package lock

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
)

// CheckTargets returns an error unless every target is a column of the labels that is neither a key nor the instant.
func CheckTargets(targets []string, columns []fstore.EngineColumn, list *fstore.FeatureList, timestamp string) error {
	for i, target := range targets {
		at := slices.IndexFunc(columns, func(c fstore.EngineColumn) bool { return c.Name == target })
		isKey := slices.ContainsFunc(list.KeyColumns(), func(k fstore.Field) bool { return k.Name == target })
		switch {
		case at < 0:
			return fstore.Errorf(fstore.ErrInvalid, "there is no column %s, the target", target).WithHint("name a label column with --label; the columns are %s", names(columns))
		case isKey:
			return fstore.Errorf(fstore.ErrInvalid, "column %s is a join key and cannot be the target", target).WithHint("name the column that a model learns to predict")
		case target == timestamp:
			return fstore.Errorf(fstore.ErrInvalid, "column %s holds the instants and cannot be the target", target).WithHint("name the column that a model learns to predict")
		case slices.Contains(targets[:i], target):
			return fstore.Errorf(fstore.ErrInvalid, "column %s is the target twice", target)
		}
	}
	return nil
}

// checkTargets returns an error unless a lock's targets and sample can be those of its training set.
func (l *Lock) checkTargets() error {
	var columns []fstore.EngineColumn
	for _, c := range l.labelColumns() {
		columns = append(columns, fstore.EngineColumn{Name: c.Name, Type: c.Type})
	}
	if err := CheckTargets(l.Labels.Targets, columns, l.List(), l.Labels.Timestamp); err != nil {
		return fmt.Errorf("labels: %w", err)
	}
	s := l.Labels.Sample
	switch {
	case s != nil && s.Rows < 1:
		return fmt.Errorf("labels: a sample of %d rows", s.Rows)
	case l.Computed() && s.Size(l.Labels.Rows) != l.Output.Rows:
		return fmt.Errorf("labels: %d of %d rows are taken, and the output has %d", s.Size(l.Labels.Rows), l.Labels.Rows, l.Output.Rows)
	}
	return nil
}

func names(columns []fstore.EngineColumn) string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = c.Name
	}
	return strings.Join(out, ", ")
}
