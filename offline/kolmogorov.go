package offline

import (
	"context"
	"fmt"
)

// Kolmogorov is the Kolmogorov-Smirnov statistic of the rows of two files: the largest difference between their shares of values up
// to x, over all x. Nulls and NaNs do not count; infinities do.
type Kolmogorov struct {
	Statistic          float64
	Reference, Current int64 // values
}

// Kolmogorov compares columns of numbers of two files, a column at a time: the engine sorts both files' values, on disk where memory does
// not hold them. Columns that a file lacks, or that have no value in one, are left out. The requests are those of Columns.
func (e *Engine) Kolmogorov(ctx context.Context, reference, current ColumnsRequest) (map[string]Kolmogorov, error) {
	s, err := e.session(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	var sides [2]ColumnReader
	for i, req := range []*ColumnsRequest{&reference, &current} {
		sides[i].session = s
		if err := sides[i].open(ctx, req); err != nil {
			return nil, fmt.Errorf("%s: %w", req.Path, err)
		}
	}
	out := map[string]Kolmogorov{}
	for name, x := range sides[0].values {
		y, both := sides[1].values[name]
		if !both {
			continue
		}
		b, err := s.query(ctx, kolmogorovSQL(sides[0].valuesSQL(x), sides[1].valuesSQL(y)))
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", name, err)
		}
		if !b.Columns[0].IsNull(0) {
			out[name] = Kolmogorov{b.Columns[0].Float64s[0], b.Columns[1].Int64s[0], b.Columns[2].Int64s[0]}
		}
	}
	for i := range sides {
		if err := s.checkFile(ctx, sides[i].file.stamp, sides[i].file.file); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// valuesSQL returns the query of the values of a column as x, from the rows that the reader takes.
func (r *ColumnReader) valuesSQL(value string) string {
	sql := "SELECT x\n  FROM (SELECT " + value + "::DOUBLE AS x FROM " + r.file.from
	if where := r.where(); where != nil {
		sql += "\n  WHERE " + and(where)
	}
	return sql + ")\n  WHERE NOT isnan(x)" // null is neither
}

// kolmogorovSQL returns the query of the statistic and of the numbers of values. The shares are taken after the last of equal values: so
// far the default frame of a window reaches.
func kolmogorovSQL(reference, current string) string {
	return "WITH reference AS MATERIALIZED (\n  " + reference + "\n),\ncurrent AS MATERIALIZED (\n  " + current + "\n)," + `
sizes AS (
  SELECT
    (SELECT count(*) FROM reference) AS n,
    (SELECT count(*) FROM current) AS m
),
up_to AS (
  SELECT
    sum(of_reference) OVER (ORDER BY x) AS f,
    sum(1 - of_reference) OVER (ORDER BY x) AS g
  FROM (
    SELECT x, 1 AS of_reference FROM reference
    UNION ALL
    SELECT x, 0 FROM current
  )
)
SELECT
  max(abs(f::DOUBLE / n - g::DOUBLE / m)),
  any_value(n),
  any_value(m)
FROM up_to, sizes
WHERE n > 0 AND m > 0`
}
