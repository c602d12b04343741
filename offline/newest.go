package offline

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/fstore-dev/fstore"
)

// newestRow looks up the newest row: of the rows that are visible at P(T), the one with the greatest event and created
// (docs/point-in-time.md). It adds to _at the instant v0 from which the row holds that a label sees, null if it sees none.
type newestRow struct {
	*rows
	s *session
}

func (r newestRow) dropped() []DroppedRows { return r.nulls }

// atSQL finds the instant from which the row holds that a label sees.
func (r newestRow) atSQL(u *use) (columns []string, joins string) {
	on := append(u.sameKeys(u.alias()), fmt.Sprintf("labels.p%d >= %s.visible", u.number, u.alias()))
	return []string{fmt.Sprintf("%s.visible AS v%d", u.alias(), u.number)},
		fmt.Sprintf("\nASOF LEFT JOIN (\n%s\n) AS %s\n  ON %s", r.instantsSQL(), u.alias(), and(on))
}

// see finds the rows that the labels see: k0, k1…, visible (the instant from which the row holds), event, f0…
func (r newestRow) see(ctx context.Context, u *use) error {
	columns := []string{}
	for k := range u.Keys {
		columns = append(columns, fmt.Sprintf("%s AS k%d", u.key(k), k))
	}
	columns = append(columns, fmt.Sprintf("v%d AS visible", u.number))
	instants := "SELECT DISTINCT " + strings.Join(columns, ", ") + fmt.Sprintf("\n    FROM _at\n    WHERE v%d IS NOT NULL", u.number)
	features := make([]int, 0, len(u.features))
	for _, f := range u.features {
		features = append(features, r.position(f))
	}
	return r.s.makeSeen(ctx, u, r.winnersSQL(instants, features))
}

func (r newestRow) joinSQL(u *use) string {
	on := append(u.sameKeys(u.alias()), fmt.Sprintf("labels.v%d = %s.visible", u.number, u.alias()))
	return fmt.Sprintf("\nLEFT JOIN %s AS %s\n  ON %s", u.table(), u.alias(), and(on))
}

// featureSQL returns the value of a feature in the row found. It is null where there is no row or the row is stale.
func (r newestRow) featureSQL(u *use, feature string) string {
	at := r.position(feature)
	return r.whileFresh(u, r.feature(at, fmt.Sprintf("%s.f%d", u.alias(), at)))
}

func (r newestRow) eventSQL(u *use) string { return r.whileFresh(u, u.alias()+".event") }

// whileFresh returns an expression over the row found, null where the row is stale.
func (r newestRow) whileFresh(u *use, x string) string {
	if fresh := r.freshSQL(u); fresh != "" {
		return "CASE WHEN " + fresh + " THEN " + x + " END"
	}
	return x
}

// freshSQL returns the condition under which the row found is not stale for a label; empty if rows never get stale.
func (r newestRow) freshSQL(u *use) string {
	if r.view.TTL != nil && !r.view.Static() {
		return fmt.Sprintf("%s.event >= labels.t - %s", u.alias(), interval(*r.view.TTL))
	}
	return ""
}

// instantsSQL returns the query of the instants at which a key's value may change: k0, k1…, visible. Instants may occur
// more than once. An ASOF join with them finds the instant from which a label's row holds; winnersSQL then finds the row.
// The join sorts the instants alone, without the features, most of whose rows no label ever sees. And it leaves no choice
// to DuckDB's ASOF, which picks any of equal instants.
//
// A row that becomes visible after a row with a later event is late: it never holds. Only created availability has late
// rows. A row with the newest event and another created time is not late: it becomes visible at a later instant, or at
// the same instant, where winnersSQL chooses.
func (r newestRow) instantsSQL() string {
	at := strings.Join(append(r.keys(), "visible"), ", ")
	seen := "SELECT " + strings.Join(append(r.keys(), r.visibleSQL()+" AS visible", "event"), ", ") + `
  FROM ` + r.name + `
  WHERE ` + and(r.hasKey())
	if !r.view.Available.Created {
		return "SELECT " + at + "\nFROM (\n  " + seen + "\n)"
	}
	return "SELECT " + at + `
FROM (
  SELECT ` + at + ", event, max(event) OVER (" + partitionBy(r.keys()) + `ORDER BY visible) AS newest
  FROM (
  ` + seen + `
  )
)
WHERE event = newest`
}

// winnersSQL returns the query of the rows that hold from certain instants, given as a query of k0, k1… and visible: the
// same columns, event and features. Of rows that become visible at one instant, the newest holds. Few instants are
// crowded, so few rows are sorted by all features.
func (r newestRow) winnersSQL(instants string, features []int) string {
	at := append(r.keys(), "visible")
	columns := append(append([]string{}, at...), "event")
	for _, f := range features {
		columns = append(columns, fmt.Sprintf("f%d", f))
	}
	using := "USING (" + strings.Join(at, ", ") + ")"
	return `WITH candidates AS MATERIALIZED (
  SELECT *
  FROM (
    SELECT *, ` + r.visibleSQL() + ` AS visible
    FROM ` + r.name + `
  )
  SEMI JOIN (
    ` + instants + `
  ) AS asked ` + using + `
),
crowded AS MATERIALIZED (
  SELECT ` + strings.Join(at, ", ") + `
  FROM candidates
  GROUP BY ALL
  HAVING count(*) > 1
)
SELECT ` + strings.Join(columns, ", ") + `
FROM candidates
ANTI JOIN crowded ` + using + `
UNION ALL
SELECT ` + strings.Join(columns, ", ") + `
FROM (
  SELECT *
  FROM candidates
  SEMI JOIN crowded ` + using + `
  QUALIFY row_number() OVER (` + partitionBy(at) + "ORDER BY " + r.newestFirst() + `) = 1
)`
}

// asOf yields the newest row of each key as of an instant. The event of a static view is null.
func (r newestRow) asOf(ctx context.Context, p time.Time, yield func(*fstore.Batch) bool) error {
	return r.s.each(ctx, r.asOfSQL(instant(p)), yield)
}

func (r newestRow) asOfSQL(at string) string {
	columns := append(r.keys(), "event")
	if r.view.Static() {
		columns[len(columns)-1] = "NULL::TIMESTAMP AS event"
	}
	for i := range r.record {
		f := fmt.Sprintf("f%d", i)
		columns = append(columns, r.feature(i, f)+" AS "+f)
	}
	where, fresh := r.hasKey(), "true"
	if !r.view.Static() {
		where = append(where, r.visibleSQL()+" <= "+at)
		if r.view.TTL != nil {
			fresh = "event >= " + at + " - " + interval(*r.view.TTL)
		}
	}
	selected := "SELECT " + strings.Join(columns, ", ")
	if len(r.view.Keys) == 0 {
		return selected + `
FROM (
  SELECT *
  FROM ` + r.name + `
  WHERE ` + and(where) + `
  ORDER BY ` + r.newestFirst() + `
  LIMIT 1
)
WHERE ` + fresh
	}
	key := strings.Join(r.keys(), ", ")
	return `WITH seen AS NOT MATERIALIZED (
  SELECT *
  FROM ` + r.name + `
  WHERE ` + and(where) + `
),
newest AS (
  SELECT ` + key + `, max(event) AS event
  FROM seen
  GROUP BY ` + key + `
),
candidates AS MATERIALIZED (
  SELECT *
  FROM seen
  SEMI JOIN newest USING (` + key + `, event)
  WHERE ` + fresh + `
),
crowded AS MATERIALIZED (
  SELECT ` + key + `
  FROM candidates
  GROUP BY ` + key + `
  HAVING count(*) > 1
)
` + selected + `
FROM candidates
ANTI JOIN crowded USING (` + key + `)
UNION ALL
` + selected + `
FROM (
  SELECT *
  FROM candidates
  SEMI JOIN crowded USING (` + key + `)
  QUALIFY row_number() OVER (` + partitionBy(r.keys()) + "ORDER BY " + r.newestFirst() + `) = 1
)
ORDER BY ` + key
}
