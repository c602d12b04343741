package offline

import (
	"context"
	"fmt"
)

// summarize counts, for every use, the labels by what the view had for them.
func (t *training) summarize(ctx context.Context) error {
	for i, u := range t.uses {
		s := ViewSummary{View: u.rows.ref, Keys: []string{}}
		for _, k := range u.Keys {
			s.Keys = append(s.Keys, k.Column)
		}
		event, fresh := fmt.Sprintf("use%d.event", i), u.fresh()
		if fresh == "" {
			fresh = "true"
		}
		b, err := t.query(ctx, "SELECT count(*) FILTER (WHERE "+event+" IS NOT NULL AND "+fresh+"), count(*) FILTER (WHERE NOT ("+fresh+")), count(*) FILTER (WHERE "+
			event+" IS NULL)\nFROM _at AS labels"+u.found())
		if err != nil {
			return err
		}
		s.WithValue, s.Stale, s.NoRow = b.Columns[0].Int64s[0], b.Columns[1].Int64s[0], b.Columns[2].Int64s[0]
		if u.delayed() {
			if err := t.countDelayed(ctx, u, event, fresh, &s); err != nil {
				return err
			}
		}
		t.summary.Views = append(t.summary.Views, s)
	}
	return nil
}

// delayed reports whether rows may be visible only after their event.
func (u *use) delayed() bool {
	v := u.rows.view
	return !v.Static() && (v.Publish != nil || v.Available.Created || v.Available.Lag > 0)
}

// countDelayed counts the labels for which the view has a newer row by T than was visible.
func (t *training) countDelayed(ctx context.Context, u *use, event, fresh string, s *ViewSummary) error {
	columns, on := []string{"labels.t", event + " AS event", fresh + " AS fresh"}, []string{}
	for k := range u.Keys {
		columns = append(columns, "labels."+u.key(k))
		on = append(on, fmt.Sprintf("joined.%s = latest.k%d", u.key(k), k))
	}
	on = append(on, "joined.t >= latest.event")
	b, err := t.query(ctx, `SELECT count(*) FILTER (WHERE joined.event IS NULL AND latest.event IS NOT NULL), count(*) FILTER (WHERE fresh AND latest.event > joined.event)
FROM (
  SELECT `+list(columns)+`
  FROM _at AS labels`+u.found()+`
) AS joined
ASOF LEFT JOIN (
  SELECT `+list(append(u.rows.keys(), "event"))+`
  FROM `+u.rows.name+`
  WHERE `+and(u.rows.keyed())+`
) AS latest
  ON `+and(on))
	if err != nil {
		return err
	}
	s.NotAvailable, s.Older = b.Columns[0].Int64s[0], b.Columns[1].Int64s[0]
	s.NoRow -= s.NotAvailable
	return nil
}
