package offline

import (
	"context"
	"fmt"
)

// unitsPerOne is the resolution of exact sums: 2^60 units make 1. A power of two scales a double without rounding,
// and a double of at least 2^-8 is a whole number of units.
const unitsPerOne = "1152921504606846976"

// createMacros makes exact_sum and exact_avg. Sums of doubles depend on their order in the last bits, and so on
// the number of threads; sums of integers do not. Each value is rounded to a whole number of units, and those are
// summed in 128 bits. Nulls are left out, and no values have no sum. NaN and infinities give what adding them
// gives in any order. A value or sum of 2^67 (1.4e20) or more is an error.
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
END`, unitsPerOne, unitsPerOne)
	if err := s.exec(ctx, "CREATE MACRO exact_sum(x) AS "+sum); err != nil {
		return fmt.Errorf("make exact_sum: %w", err)
	}
	if err := s.exec(ctx, "CREATE MACRO exact_avg(x) AS ("+sum+") / count(x)"); err != nil {
		return fmt.Errorf("make exact_avg: %w", err)
	}
	return nil
}
