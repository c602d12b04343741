package offline

import (
	"fmt"
	"slices"

	"github.com/fstore-dev/fstore"
)

// Sample takes some of the labels: the Rows of them whose number, from 0, has the smallest MD5 together with the seed
// (md5 of "seed:number" in decimal). So the same labels give the same sample everywhere, in their order.
type Sample struct {
	Rows int64 `json:"rows" doc:"Rows that are taken; all of them where there are no more."`
	Seed int64 `json:"seed" doc:"Seed: taken are the rows whose number, from 0, has the smallest MD5 of \"seed:number\"."`
}

// String says how much is taken: "1000 rows by seed 0".
func (s *Sample) String() string {
	if s == nil {
		return ""
	}
	return fmt.Sprintf("%d rows by seed %d", s.Rows, s.Seed)
}

// sampled returns the query of the labels that the sample takes of rows of them.
func (s *Sample) sampled(relation string, rows int64) string {
	if s == nil || s.Rows >= rows {
		return relation
	}
	return fmt.Sprintf("SELECT *\nFROM (\n%s\n)\nWHERE row IN (\n  SELECT range\n  FROM range(%d)\n  ORDER BY md5('%d:' || range), range\n  LIMIT %d\n)", relation, rows, s.Seed, s.Rows)
}

// size returns how many of rows labels the sample takes.
func (s *Sample) size(rows int64) int64 {
	if s == nil {
		return rows
	}
	return min(s.Rows, rows)
}

// checkTargets returns an error unless every target is a column of the labels that is neither a key nor the instant.
func checkTargets(targets []string, columns []fstore.EngineColumn, list *fstore.FeatureList, timestamp string) error {
	for i, target := range targets {
		at := columnIndex(columns, target)
		isKey := slices.ContainsFunc(list.KeyColumns(), func(k fstore.Field) bool { return k.Name == target })
		switch {
		case at < 0:
			return fstore.Errorf(fstore.ErrInvalid, "there is no column %s, the target", target).WithHint("name a label column with --label; the columns are %s", columnNames(columns))
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
	for _, c := range l.Output.Columns[:max(0, len(l.Output.Columns)-len(l.Features))] {
		columns = append(columns, fstore.EngineColumn{Name: c.Name, Type: c.Type})
	}
	if err := checkTargets(l.Labels.Targets, columns, l.List(), l.Labels.Timestamp); err != nil {
		return fmt.Errorf("labels: %w", err)
	}
	s := l.Labels.Sample
	switch {
	case s != nil && s.Rows < 1:
		return fmt.Errorf("labels: a sample of %d rows", s.Rows)
	case s.size(l.Labels.Rows) != l.Output.Rows:
		return fmt.Errorf("labels: %d of %d rows are taken, and the output has %d", s.size(l.Labels.Rows), l.Labels.Rows, l.Output.Rows)
	}
	return nil
}
