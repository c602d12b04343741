package offline

import (
	"fmt"
	"strings"
)

// countsSQL returns the query of the counts of labels.
func (r newestRow) countsSQL(u *use) string {
	from, fresh := "_at AS labels", r.freshSQL(u)
	if fresh == "" {
		fresh = "true"
	} else {
		from += r.joinSQL(u)
	}
	found := fmt.Sprintf("labels.v%d IS NOT NULL", u.number)
	happened, late, unpublished := "false", "false", "false"
	if r.scheduled() || r.mayBeLate() { // a row by T may not be visible
		from += u.lastSQL("happened", r.happenedSQL(), "event")
		happened = "happened.event IS NOT NULL"
		from += u.lastSQL("known", r.knownSQL(), "visible")
	}
	if r.scheduled() {
		unpublished = fmt.Sprintf("known.visible > labels.v%d", u.number)
	}
	if r.mayBeLate() {
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
func (r newestRow) scheduled() bool { return !r.view.Static() && r.view.Publish != nil }

// mayBeLate reports whether rows may become available after their event.
func (r newestRow) mayBeLate() bool {
	return !r.view.Static() && !r.view.Available.IsEvent()
}

// lastSQL returns the join of each label with the last row of a relation by T. by is the column that orders the rows.
func (u *use) lastSQL(name, relation, by string) string {
	return "\nASOF LEFT JOIN (\n" + relation + "\n) AS " + name + "\n  ON " + and(append(u.sameKeys(name), "labels.t >= "+name+"."+by))
}

// happenedSQL returns the query of the newest row at each event, available or not: keys, event and created.
func (r newestRow) happenedSQL() string {
	at := strings.Join(append(r.keys(), "event"), ", ")
	return "SELECT " + at + ", max(created) AS created\nFROM " + r.name + "\nWHERE " + and(r.hasKey()) + "\nGROUP BY " + at
}

// knownSQL returns the query of the newest row that is available from each instant on: keys, visible, event and created.
func (r newestRow) knownSQL() string {
	at := strings.Join(append(r.keys(), "visible"), ", ")
	return "SELECT " + at + `, max(event) AS event, max(created) AS created
FROM (
  SELECT *, max(event) OVER (` + partitionBy(r.keys()) + `ORDER BY visible) AS newest
  FROM (
    SELECT ` + strings.Join(append(r.keys(), "event", "created"), ", ") + ", " + r.visibleSQL() + ` AS visible
    FROM ` + r.name + `
    WHERE ` + and(r.hasKey()) + `
  )
)
WHERE event = newest
GROUP BY ` + at
}
