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

// history returns the query of the view's condensed history: for each key and instant at which its value may
// change, the row that holds from then on. An ASOF join with it has one candidate for each label, as it must:
// DuckDB's picks any of equal instants.
//
// Of rows that become visible at one instant, a crowded one, only the newest is kept; as few instants are
// crowded, few rows are sorted by all features. Rows that become visible behind one of a greater event are late
// and never hold; there are none unless availability is created. (Of rows with one event, the later created is
// visible later, or at the same instant.) Both are found by sorting keys and times alone.
func (r *rows) history(features []int) string {
	columns := append(r.keys(), "visible", "event")
	for _, f := range features {
		columns = append(columns, fmt.Sprintf("f%d", f))
	}
	selected := "SELECT " + strings.Join(columns, ", ")
	at := append(r.keys(), "visible")
	crowded := "crowded USING (" + strings.Join(at, ", ") + ")"
	marks, marked, timely := "visible = lag(visible) OVER run AS is_crowded", "is_crowded", "seen"
	if r.view.Available.Created {
		marks = "event, " + marks + ", event < max(event) OVER run AS is_late"
		marked, timely = "is_crowded OR is_late", "timely"
	}
	return `WITH seen AS NOT MATERIALIZED (
  SELECT *, ` + r.visible() + ` AS visible
  FROM ` + r.name + `
  WHERE ` + and(r.keyed()) + `
),
marked AS MATERIALIZED (
  SELECT *
  FROM (
    SELECT ` + strings.Join(append(at, marks), ", ") + `
    FROM seen
    WINDOW run AS (` + partitionBy(r.keys()) + `ORDER BY visible ROWS UNBOUNDED PRECEDING)
  )
  WHERE ` + marked + `
),
crowded AS (
  SELECT *
  FROM marked
  WHERE is_crowded
)` + r.timely() + "\n" + selected + `
FROM ` + timely + `
ANTI JOIN ` + crowded + `
UNION ALL
` + selected + `
FROM (
  SELECT *
  FROM ` + timely + `
  SEMI JOIN ` + crowded + `
  QUALIFY row_number() OVER (` + partitionBy(at) + "ORDER BY " + r.newest() + `) = 1
)`
}

// timely returns the further common table expression of the rows that are not late; empty where none can be.
func (r *rows) timely() string {
	if !r.view.Available.Created {
		return ""
	}
	return `,
timely AS NOT MATERIALIZED (
  SELECT *
  FROM seen
  ANTI JOIN (
    SELECT *
    FROM marked
    WHERE is_late
  ) AS late USING (` + strings.Join(append(r.keys(), "visible", "event"), ", ") + `)
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
		columns = append(columns, fmt.Sprintf("f%d", i))
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
