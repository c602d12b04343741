package system

import "fmt"

// Statuses on the wire.
const (
	present  = 0
	notFound = 2
)

// checkValues holds every value of an answer against what its view version has for the key, in the epoch of the
// publication or in one other. It returns how many records were rightly absent, and whether a value was of a run that
// had not yet published.
func (l *ledger) checkValues(q *ask, a *answer, outputs []output, spans []*span) (absent int64, halfway bool, err error) {
	if a.rows != q.rows() {
		return 0, false, fmt.Errorf("%d rows for %d", a.rows, q.rows())
	}
	first := map[*span]bool{} // the feature that counts a record
	for i, o := range outputs {
		s := spans[i]
		if err := a.features[i].shaped(o, a.rows); err != nil {
			return 0, false, err
		}
		counts := !first[s]
		first[s] = true
		for row := range a.rows {
			key := q.key(o, row)
			if counts && !originHas(o.view, s.published, key, l.keys) {
				absent++
			}
			why := l.differs(&a.features[i], o, s.published, row, key)
			if why == "" {
				continue
			}
			if len(s.others) == 0 {
				return 0, false, fmt.Errorf("%s, row %d: %s", o.name, row, why)
			}
			halfway = true
		}
	}
	if !halfway {
		return absent, false, nil
	}
	return absent, true, l.checkHalfway(q, a, outputs, spans)
}

// checkHalfway holds an answer that has values of a run that has not yet published: each whole record has to be of the
// publication or of that run, and all those of one view version of the same run.
func (l *ledger) checkHalfway(q *ask, a *answer, outputs []output, spans []*span) error {
	tried := map[*span]bool{}
	for i := range outputs {
		s := spans[i]
		if tried[s] {
			continue
		}
		tried[s] = true
		var reasons []string
		for _, other := range append([]int{s.published}, s.others...) {
			why := l.between(q, a, outputs, spans, s, other)
			if why == "" {
				reasons = nil
				break
			}
			reasons = append(reasons, fmt.Sprintf("between epochs %d and %d: %s", s.published, other, why))
		}
		if reasons != nil {
			return fmt.Errorf("%s@%d: %v", outputs[i].view, outputs[i].version, reasons)
		}
	}
	return nil
}

// between says where a view version's records are neither of its publication nor of another epoch, whole.
func (l *ledger) between(q *ask, a *answer, outputs []output, spans []*span, s *span, other int) string {
	for row := range a.rows {
		for _, column := range []string{"id", "left", "right"} { // a view may be in the answer by several keys
			published, another := "", ""
			for i, o := range outputs {
				if spans[i] != s || o.column != column {
					continue
				}
				key := q.key(o, row)
				if why := l.differs(&a.features[i], o, s.published, row, key); why != "" {
					published = why
				}
				if why := l.differs(&a.features[i], o, other, row, key); why != "" {
					another = why
				}
			}
			if published != "" && another != "" {
				return fmt.Sprintf("row %d by %s: %s; and %s", row, column, published, another)
			}
		}
	}
	return ""
}

// shaped says what is wrong with the form of a feature of an answer.
func (f *featureAnswer) shaped(o output, rows int) error {
	want := ""
	for _, feature := range originFeatures(o.version) {
		if feature[0] == o.feature {
			want = feature[1]
		}
	}
	n := len(f.ints)
	if want == "string" {
		n = len(f.texts)
	}
	if f.typ != want || n != rows || f.statuses != nil && len(f.statuses) != rows || f.events != nil && len(f.events) != rows {
		return fmt.Errorf("%s of %s@%d: type %s, %d values of type %s for %d rows", o.name, o.view, o.version, f.typ, n, want, rows)
	}
	return nil
}

// differs says in what a value differs from that of a key in an epoch.
func (l *ledger) differs(f *featureAnswer, o output, epoch, row int, key int64) string {
	status := byte(present)
	if f.statuses != nil {
		status = f.statuses[row]
	}
	if !originHas(o.view, epoch, key, l.keys) {
		if status != notFound {
			return fmt.Sprintf("key %d has no record in epoch %d, and status %d", key, epoch, status)
		}
		return ""
	}
	if status != present {
		return fmt.Sprintf("key %d of epoch %d has status %d", key, epoch, status)
	}
	if o.view == beacon {
		key = 0
	}
	if f.typ == "string" {
		if want := originText(o.view, o.version, o.feature, epoch, key); f.texts[row] != want {
			return fmt.Sprintf("%q, not %q", f.texts[row], want)
		}
	} else if want := originInt(o.view, o.version, o.feature, epoch, key); f.ints[row] != want {
		return fmt.Sprintf("%d, not %d", f.ints[row], want)
	}
	if want := originEvent(o.view, epoch, key).UnixMicro(); f.events != nil && f.events[row] != want {
		return fmt.Sprintf("the event of key %d is %d, not %d", key, f.events[row], want)
	}
	return ""
}
