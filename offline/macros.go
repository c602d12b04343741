package offline

import (
	"context"
	"fmt"
)

// resolution is one unit of exact sums as a fraction: 2^-50. A power of two scales a double without rounding.
const resolution = "1125899906842624"

// createMacros makes exact_sum and exact_avg. Sums of doubles depend on their order in the last bits, and so on
// the number of threads; sums of integers do not. Each value is rounded to a whole number of units, and those are
// summed in 128 bits. Nulls are left out, and no values have no sum. NaN and infinities give what adding them
// gives in any order. A sum or value beyond ±2^76 is an error.
func (e *Engine) createMacros(ctx context.Context) error {
	s, err := e.session(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	sum := fmt.Sprintf(`CASE
  WHEN bool_or(isnan(x::DOUBLE)) OR bool_or(x::DOUBLE = 'inf'::DOUBLE) AND bool_or(x::DOUBLE = '-inf'::DOUBLE) THEN 'nan'::DOUBLE
  WHEN bool_or(x::DOUBLE = 'inf'::DOUBLE) THEN 'inf'::DOUBLE
  WHEN bool_or(x::DOUBLE = '-inf'::DOUBLE) THEN '-inf'::DOUBLE
  ELSE sum(CASE WHEN isfinite(x::DOUBLE) THEN (x::DOUBLE * %s::DOUBLE)::HUGEINT END)::DOUBLE / %s::DOUBLE
END`, resolution, resolution)
	if err := s.exec(ctx, "CREATE MACRO exact_sum(x) AS "+sum); err != nil {
		return fmt.Errorf("make exact_sum: %w", err)
	}
	if err := s.exec(ctx, "CREATE MACRO exact_avg(x) AS ("+sum+") / count(x)"); err != nil {
		return fmt.Errorf("make exact_avg: %w", err)
	}
	return nil
}
