package offline

import (
	"context"
	"fmt"
)

// Exact sums count in units of 2^-60. Scaling a double by a power of two does not round, and a double of at least 2^-8 is a
// whole number of units. Each value is split exactly into a whole number of sixteens, which a BIGINT can hold below the
// limit, and a rest in units.
const (
	unitsPerOne     = "1152921504606846976"  // 2^60
	unitsPerSixteen = "18446744073709551616" // 2^64
	exactLimit      = "147573952589676412928"
)

// createMacros makes exact_sum and exact_avg. The last bits of a sum of doubles depend on the order, and so on the number of
// threads. A sum of integers does not. So each value is rounded to whole units, and sixteens and units are summed apart, in
// 128 bits each, so that no intermediate sum can overflow in any order. Nulls are left out, and the sum of no values is
// null. NaN and infinities add up as in any order of addition. A value or sum of 2^67 (1.4e20) or more is an error.
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
