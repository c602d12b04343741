package offline

import "context"

// counts returns the counts of labels in the order in which countsSQL has them.
func (s *ViewSummary) counts() []*int64 {
	return []*int64{&s.WithValue, &s.Stale, &s.NotAvailable, &s.NoRow, &s.Late, &s.Unpublished}
}

// summarize counts, for every use, the labels by what the view had for them.
func (t *training) summarize(ctx context.Context) error {
	if t.evaluator != nil {
		t.summary.Faults = t.evaluator.sorted()
	}
	for _, u := range t.uses {
		s := ViewSummary{View: u.Version.Ref, Keys: []string{}}
		for _, k := range u.Keys {
			s.Keys = append(s.Keys, k.Column)
		}
		b, err := t.query(ctx, u.lookup.countsSQL(u))
		if err != nil {
			return err
		}
		for i, n := range s.counts() {
			*n = b.Columns[i].Int64s[0]
		}
		t.summary.Views = append(t.summary.Views, s)
	}
	return nil
}
