package offline

import (
	"context"
	"fmt"
	"strings"
)

// summarize counts, for every use, the labels by what the view had for them.
func (t *training) summarize(ctx context.Context) error {
	for _, u := range t.uses {
		s := ViewSummary{View: u.rows.ref, Keys: []string{}}
		for _, k := range u.Keys {
			s.Keys = append(s.Keys, k.Column)
		}
		b, err := t.query(ctx, u.countsSQL())
		if err != nil {
			return err
		}
		for i, n := range []*int64{&s.WithValue, &s.Stale, &s.NotAvailable, &s.NoRow, &s.Late, &s.Unpublished} {
			*n = b.Columns[i].Int64s[0]
		}
		t.summary.Views = append(t.summary.Views, s)
	}
	return nil
}

// countsSQL returns the query of the six counts of labels.
func (u *use) countsSQL() string {
	from, fresh := "_at AS labels", u.fresh()
	if fresh == "" {
		fresh = "true"
	} else {
		from += u.found()
	}
	found := fmt.Sprintf("labels.v%d IS NOT NULL", u.number)
	happened, late, unpublished := "false", "false", "false"
	if u.scheduled() || u.late() { // a row by T may not be visible
		from += u.beside("happened", u.rows.happened(), "event")
		happened = "happened.event IS NOT NULL"
		from += u.beside("known", u.rows.known(), "visible")
	}
	if u.scheduled() {
		unpublished = fmt.Sprintf("known.visible > labels.v%d", u.number)
	}
	if u.late() {
		late = "(happened.event > known.event OR happened.event = known.event AND happened.created > known.created)"
	}
	value := found + " AND " + fresh
	return "SELECT\n  " + list([]string{
		"count_if(" + value + ")::BIGINT",
		"count_if(" + found + " AND NOT (" + fresh + "))::BIGINT",
		"count_if(NOT (" + found + ") AND " + happened + ")::BIGINT",
		"count_if(NOT (" + found + ") AND NOT (" + happened + "))::BIGINT",
		"count_if(" + value + " AND " + late + ")::BIGINT",
		"count_if(" + value + " AND " + unpublished + ")::BIGINT",
	}) + "\nFROM " + from
}

// scheduled reports whether rows that are available may not be published yet.
func (u *use) scheduled() bool { return !u.rows.view.Static() && u.rows.view.Publish != nil }

// late reports whether rows may become available after their event.
func (u *use) late() bool {
	v := u.rows.view
	return !v.Static() && (v.Available.Created || v.Available.Lag > 0)
}

// beside returns the join of each label with the row of a relation that is the last one at T by a column.
func (u *use) beside(name, relation, by string) string {
	on := []string{}
	for k := range u.Keys {
		on = append(on, fmt.Sprintf("labels.%s = %s.k%d", u.key(k), name, k))
	}
	return "\nASOF LEFT JOIN (\n" + relation + "\n) AS " + name + "\n  ON " + and(append(on, "labels.t >= "+name+"."+by))
}

// happened returns the query of the newest row at each event, whether it was available or not: keys, event and created.
func (r *rows) happened() string {
	at := strings.Join(append(r.keys(), "event"), ", ")
	return "SELECT " + at + ", max(created) AS created\nFROM " + r.name + "\nWHERE " + and(r.keyed()) + "\nGROUP BY " + at
}

// known returns the query of the newest row that is available from each instant on: keys, visible, event and created.
func (r *rows) known() string {
	at := strings.Join(append(r.keys(), "visible"), ", ")
	return "SELECT " + at + `, max(event) AS event, max(created) AS created
FROM (
  SELECT *, max(event) OVER (` + partitionBy(r.keys()) + `ORDER BY visible) AS newest
  FROM (
    SELECT ` + strings.Join(append(r.keys(), "event", "created"), ", ") + ", " + r.visible() + ` AS visible
    FROM ` + r.name + `
    WHERE ` + and(r.keyed()) + `
  )
)
WHERE event = newest
GROUP BY ` + at
}
