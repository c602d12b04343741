package offline

import (
	"fmt"
	"strings"
)

// keys returns k0, k1… of the history.
func (r *rows) keys() []string {
	out := make([]string, 0, len(r.view.Keys))
	for i := range r.view.Keys {
		out = append(out, fmt.Sprintf("k%d", i))
	}
	return out
}

// newest returns the order that puts the winner of rows of one key first: the greatest event and created, then a
// total order over all features, whichever are asked for. Nulls are lowest and NaN is highest.
func (r *rows) newest() string {
	order := []string{"event DESC", "created DESC"}
	for i := range r.record {
		order = append(order, fmt.Sprintf("f%d DESC NULLS LAST", i))
	}
	return strings.Join(order, ", ")
}

// visible returns the instant from which a row is seen. It is never before its event.
func (r *rows) visible() string {
	if r.view.Available.Created {
		return "greatest(event, created)"
	}
	return available("event", "created", r.view.Available)
}

// keyed returns the conditions of a key without a null part; another one matches nothing.
func (r *rows) keyed() []string {
	out := make([]string, 0, len(r.view.Keys))
	for _, k := range r.keys() {
		out = append(out, k+" IS NOT NULL")
	}
	return out
}

// partitionBy returns a PARTITION BY clause of columns, empty where there are none.
func partitionBy(columns []string) string {
	if len(columns) == 0 {
		return ""
	}
	return "PARTITION BY " + strings.Join(columns, ", ") + " "
}

// instants returns the query of the instants at which a key's value may change: k0, k1…, visible, some of them more
// than once. An ASOF join with them finds from when the row holds that a label sees; which row that is, winners
// tells. Joining the instants alone keeps the features, most of whose rows no label ever sees, out of the sort of
// the join, and leaves nothing to DuckDB's ASOF, which picks any of equal instants.
//
// A row that becomes visible after one of a later event is late, and never holds; there is none unless availability
// is created. A row as new as the newest but for its created time is not late: it becomes visible at a later
// instant, or at the same one, where winners chooses.
func (r *rows) instants() string {
	at := strings.Join(append(r.keys(), "visible"), ", ")
	seen := "SELECT " + strings.Join(append(r.keys(), r.visible()+" AS visible", "event"), ", ") + `
  FROM ` + r.name + `
  WHERE ` + and(r.keyed())
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

// winners returns the query of the row that holds from each instant asked for, a relation of k0, k1… and visible:
// these, event and features. Of rows that become visible at one instant the newest holds. Few instants are crowded,
// so that only their rows are sorted by all features.
func (r *rows) winners(asked string, features []int) string {
	at := append(r.keys(), "visible")
	columns := append(append([]string{}, at...), "event")
	for _, f := range features {
		columns = append(columns, fmt.Sprintf("f%d", f))
	}
	using := "USING (" + strings.Join(at, ", ") + ")"
	return `WITH candidates AS MATERIALIZED (
  SELECT *
  FROM (
    SELECT *, ` + r.visible() + ` AS visible
    FROM ` + r.name + `
  )
  SEMI JOIN (
    ` + asked + `
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
  QUALIFY row_number() OVER (` + partitionBy(at) + "ORDER BY " + r.newest() + `) = 1
)`
}

// asOf returns the query of the view's rows as of an instant, one a key in key order: the keys, event (null for
// a static view) and the features in name order. Rows with a null key and stale rows are left out.
func (r *rows) asOf(at string) string {
	columns := append(r.keys(), "event")
	if r.view.Static() {
		columns[len(columns)-1] = "NULL::TIMESTAMP AS event"
	}
	for i := range r.record {
		f := fmt.Sprintf("f%d", i)
		columns = append(columns, r.feature(i, f)+" AS "+f)
	}
	where, fresh := r.keyed(), "true"
	if !r.view.Static() {
		where = append(where, r.visible()+" <= "+at)
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
  ORDER BY ` + r.newest() + `
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
  QUALIFY row_number() OVER (` + partitionBy(r.keys()) + "ORDER BY " + r.newest() + `) = 1
)
ORDER BY ` + key
}
