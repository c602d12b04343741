package offline

import (
	"fmt"

	"github.com/fstore-dev/fstore/offline/lock"
)

// sampleSQL returns the query of the labels that a sample takes.
func sampleSQL(s *lock.Sample, relation string, rows int64) string {
	if s == nil || s.Rows >= rows {
		return relation
	}
	return fmt.Sprintf("SELECT *\nFROM (\n%s\n)\nWHERE row IN (\n  SELECT range\n  FROM range(%d)\n  ORDER BY md5('%d:' || range), range\n  LIMIT %d\n)", relation, rows, s.Seed, s.Rows)
}
