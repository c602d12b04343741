package offline

import (
	"context"
	"fmt"
)

// Exact sums have a resolution of 2^-60: 2^60 units make 1. A power of two scales a double without rounding, and a
// double of at least 2^-8 is a whole number of units. A value is split at 16, exactly, into a part that is a whole
// number of sixteens, which a BIGINT holds below the limit, and a part of units.
const (
	unitsPerOne     = "1152921504606846976"  // 2^60
	unitsPerSixteen = "18446744073709551616" // 2^64
	exactLimit      = "147573952589676412928"
)

// createMacros makes exact_sum and exact_avg. Sums of doubles depend on their order in the last bits, and so on
// the number of threads; sums of integers do not. Each value is rounded to a whole number of units, and those are
// summed: sixteens and units apart in 128 bits each, so that no sum on the way can overflow, in whatever order.
// Nulls are left out, and no values have no sum. NaN and infinities give what adding them gives in any order. A
// value or sum of 2^67 (1.4e20) or more is an error.
func (s *session) createMacros(ctx context.Context) error {
	const (
		x        = "x::DOUBLE"
		sixteens = "trunc(" + x + " / 16)"
		finite   = "isfinite(" + x + ")"
	)
	sum := fmt.Sprintf(`CASE
  WHEN bool_or(isnan(%[1]s)) OR bool_or(%[1]s = 'inf'::DOUBLE) AND bool_or(%[1]s = '-inf'::DOUBLE) THEN 'nan'::DOUBLE
  WHEN bool_or(%[1]s = 'inf'::DOUBLE) THEN 'inf'::DOUBLE
  WHEN bool_or(%[1]s = '-inf'::DOUBLE) THEN '-inf'::DOUBLE
  WHEN bool_or(%[2]s AND abs(%[1]s) >= %[3]s::DOUBLE) THEN error('exact_sum: a value is 2^67 (1.4e20) or more')
  ELSE (
    sum(CASE WHEN %[2]s AND abs(%[1]s) < %[3]s::DOUBLE THEN %[4]s::BIGINT END) * %[5]s::HUGEINT
    + sum(CASE WHEN %[2]s AND abs(%[1]s) < %[3]s::DOUBLE THEN ((%[1]s - %[4]s * 16) * %[6]s::DOUBLE)::HUGEINT END)
  )::DOUBLE / %[6]s::DOUBLE
END`, x, finite, exactLimit, sixteens, unitsPerSixteen, unitsPerOne)
	if err := s.exec(ctx, "CREATE MACRO exact_sum(x) AS "+sum); err != nil {
		return fmt.Errorf("make exact_sum: %w", err)
	}
	if err := s.exec(ctx, "CREATE MACRO exact_avg(x) AS ("+sum+") / count(x)"); err != nil {
		return fmt.Errorf("make exact_avg: %w", err)
	}
	return nil
}
