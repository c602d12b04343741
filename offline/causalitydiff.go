package offline

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/sqltype"
)

// differences are the rows that differ between all rows and those known at an instant.
type differences struct {
	rows, keys, of int64         // rows that differ; keys that have one; keys that have any row
	oldest         time.Duration // how long before the instant the oldest of them happened
	examples       []LeakExample
}

// LeakExample is a row of a view that differs.
type LeakExample struct {
	Key     string    `json:"key"`   // such as customer_id=7; empty in a view without keys
	Event   string    `json:"event"` // of the row
	Feature string    `json:"feature,omitempty"`
	Known   string    `json:"known"` // the feature's value by the rows known at the instant; or that there was no row
	All     string    `json:"all"`   // likewise by all rows
	visible time.Time // from when a look-up finds the row
	where   string    // finds the row by its key and visible
}

// What an example says of a row that differs as a whole.
const (
	present = "there"
	absent  = "not there"
)

func (x LeakExample) String() string {
	key := x.Key
	if key != "" {
		key += ", "
	}
	switch {
	case x.Feature != "":
	case x.Known == absent:
		return fmt.Sprintf("%srow of %s: it is there only once later rows are", key, x.Event)
	case x.All == absent:
		return fmt.Sprintf("%srow of %s: it is gone once later rows are there", key, x.Event)
	default:
		return fmt.Sprintf("%srow of %s: it has another event time once later rows are there", key, x.Event)
	}
	return fmt.Sprintf("%srow of %s: %s is %s by the rows known then, %s by all rows", key, x.Event, x.Feature, x.Known, x.All)
}

func (d *differences) exampleText() string {
	if len(d.examples) == 0 {
		return ""
	}
	x := d.examples[0]
	if x.Feature == "" {
		return fmt.Sprintf(", such as a row of %s for %s", x.Event, x.Key)
	}
	return fmt.Sprintf(", such as %s and %s for %s of %s", x.Known, x.All, x.Feature, x.Key)
}

// maxExamples is how many rows that differ an error shows.
const maxExamples = 3

// differences compares the rows of a relation that are visible at p with the rows that were computed as of p.
func (c *causality) differences(ctx context.Context, all string, then *rows, p time.Time, by tolerance) (*differences, error) {
	visible := "visible <= " + instant(p)
	differ := []string{"a.visible IS NULL", "b.visible IS NULL", "a.event <> b.event"}
	for i, f := range then.record {
		differ = append(differ, by.differsSQL(i, f.Type))
	}
	if err := c.exec(ctx, `CREATE OR REPLACE TEMP TABLE _differences AS
SELECT
  a,
  b,
  a.visible IS NOT NULL AS in_all,
  b.visible IS NOT NULL AS in_known,
  CASE WHEN in_all THEN a ELSE b END AS either
FROM `+
		c.pairsSQL(all, then, visible, by)+"\nWHERE "+strings.Join(differ, "\n  OR ")); err != nil {
		return nil, c.locate(ctx, err)
	}
	b, err := c.query(ctx, "SELECT count(*), count(DISTINCT "+rowOf("either.", then.keys())+"), min(either.event)\nFROM _differences")
	if err != nil {
		return nil, err
	}
	d := &differences{rows: b.Columns[0].Int64s[0], keys: b.Columns[1].Int64s[0]}
	if d.rows == 0 {
		return d, nil
	}
	d.oldest = p.Sub(fstore.FromMicros(b.Columns[2].Int64s[0]))
	if b, err = c.query(ctx, "SELECT count(DISTINCT "+rowOf("", then.keys())+")\nFROM "+all+"\nWHERE "+visible); err != nil {
		return nil, err
	}
	d.of = max(d.keys, b.Columns[0].Int64s[0])
	d.examples, err = c.examples(ctx, then, by)
	return d, err
}

// pairsSQL joins the rows of two relations that meet a condition: a of all rows, b of those computed otherwise.
func (c *causality) pairsSQL(all string, then *rows, condition string, by tolerance) string {
	on := []string{"a.visible = b.visible", "a.n = b.n"}
	for _, k := range then.keys() {
		on = append(on, "a."+k+" = b."+k)
	}
	scales := ""
	for i, f := range then.record {
		if by.applies(f.Type) {
			scales += ", " + scaleSQL(i, then.keys())
		}
	}
	side := func(from string) string {
		return "(\n  SELECT *" + scales + "\n  FROM " + from + "\n  WHERE " + condition + "\n)"
	}
	return side(all) + " AS a\nFULL JOIN " + side("(\n"+c.foundSQL(then)+"\n)") + " AS b\n  ON " + and(on)
}

func rowOf(of string, keys []string) string {
	if len(keys) == 0 {
		return "1"
	}
	out := make([]string, 0, len(keys))
	for _, k := range keys {
		out = append(out, of+k)
	}
	return "row(" + joined(out) + ")"
}

// examples describes some of the rows that differ, the newest first.
func (c *causality) examples(ctx context.Context, r *rows, by tolerance) ([]LeakExample, error) {
	columns := []string{"in_all", "in_known", "epoch_us(either.visible)", "epoch_us(either.event)"}
	at := len(columns)
	for _, k := range r.keys() {
		columns = append(columns, "either."+k+"::VARCHAR")
	}
	for i, f := range r.record {
		columns = append(columns, by.differsSQL(i, f.Type), fmt.Sprintf("coalesce(a.f%d::VARCHAR, 'null')", i), fmt.Sprintf("coalesce(b.f%d::VARCHAR, 'null')", i))
	}
	order := []string{"either.visible DESC"}
	for _, k := range r.keys() {
		order = append(order, "either."+k)
	}
	b, err := c.query(ctx, "SELECT\n  "+list(columns)+"\nFROM _differences\nORDER BY "+joined(order)+fmt.Sprintf("\nLIMIT %d", maxExamples))
	if err != nil {
		return nil, err
	}
	var out []LeakExample
	for i := range b.Len {
		of := func(n int) string { return shortValue(b.Columns[n].Strings[i]) }
		x := LeakExample{Known: absent, All: present, visible: fstore.FromMicros(b.Columns[2].Int64s[i])}
		x.Event = fstore.FormatTime(fstore.FromMicros(b.Columns[3].Int64s[i]))
		var keys []string
		where := []string{"visible = " + instant(x.visible)}
		for k, key := range r.view.Keys {
			value := b.Columns[at+k].Strings[i]
			keys = append(keys, key.Name+"="+shortValue(value))
			where = append(where, fmt.Sprintf("k%d = %s::%s", k, text(value), sqltype.Of(key.Type)))
		}
		x.Key, x.where = strings.Join(keys, ","), and(where)
		switch inAll, inKnown := b.Columns[0].Bools[i], b.Columns[1].Bools[i]; {
		case inAll && inKnown:
			for f := range r.record {
				n := at + len(r.view.Keys) + 3*f
				if b.Columns[n].Bools[i] {
					x.Feature, x.All, x.Known = r.record[f].Name, of(n+1), of(n+2)
					if c.v.View.Windowed() {
						x.Feature = "a value that is aggregated"
					}
					break
				}
			}
			if x.Feature == "" {
				x.Known, x.All = "of another event time", "of this one"
			}
		case inKnown:
			x.Known, x.All = present, absent
		}
		out = append(out, x)
	}
	return out, nil
}

// shortValue shortens a value for a message.
func shortValue(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
