package offline

import (
	"context"
	"fmt"
	"time"

	"github.com/fstore-dev/fstore"
)

// lookup is how the values of one view version are found: for labels (training) and for all keys as of an instant
// (materialization). A form of look-up is one type with these methods; newLookup chooses it. The caller knows nothing of
// what the form keeps in its tables.
//
// For labels, training makes _at once for all uses. It has each label's instant t, and for use 0 its keys j0_0, j0_1… and
// what atSQL adds. atSQL may also read p0, the instant P(T) that was published by T. Then training makes the use's table
// from _at (see), and joins the two (joinSQL). Both must give exactly one row for each label.
type lookup interface {
	// atSQL returns what the use adds to _at: columns, and joins of the labels that these columns come from.
	atSQL(u *use) (columns []string, joins string)
	// see makes the use's table, u.table(): what its labels see, found by _at.
	see(ctx context.Context, u *use) error
	// joinSQL returns the join of _at, under the name labels, with the use's table.
	joinSQL(u *use) string
	// featureSQL returns a feature's value for a label, after joinSQL; null if the label sees none.
	featureSQL(u *use, feature string) string
	// eventSQL returns the event time of that value, null if the label sees none or a stale one. A static view has none.
	eventSQL(u *use) string
	// countsSQL returns a query of one row over _at: how many labels the view has what for, as BIGINTs in the order of
	// ViewSummary.counts.
	countsSQL(u *use) string
	// asOf yields all keys' values as of an instant, in key order: the keys, the event time, and the features in name
	// order, in their declared types. Keys with a null part and stale values are left out. It ends early if yield returns
	// false.
	asOf(ctx context.Context, p time.Time, yield func(*fstore.Batch) bool) error
	// dropped counts the rows that were left out when the view was read.
	dropped() []DroppedRows
}

// newLookup makes the look-up of a view version in a session.
type newLookup func(context.Context, *session, *fstore.ViewVersion, cut) (lookup, error)

// lookupOf chooses the form of look-up that a view's definition asks for.
func lookupOf(ctx context.Context, s *session, v *fstore.ViewVersion, c cut) (lookup, error) {
	if v.View.Windowed() {
		return lookupWindows(ctx, s, v, c)
	}
	r, err := s.rows(ctx, v, c)
	if err != nil {
		return nil, err
	}
	return newestRow{r, s}, nil
}

// makeSeen makes the use's table from a query.
func (s *session) makeSeen(ctx context.Context, u *use, sql string) error {
	return s.locate(ctx, s.exec(ctx, "CREATE TEMP TABLE "+u.table()+" AS\n"+sql))
}

// each yields the rows of a query. It ends early if yield returns false.
func (s *session) each(ctx context.Context, sql string, yield func(*fstore.Batch) bool) error {
	q, err := s.conn.Query(ctx, sql)
	if err != nil {
		return s.locate(ctx, translate(err))
	}
	defer q.Close()
	for {
		b, err := q.Next()
		if err != nil {
			q.Close() // before locate uses the connection
			return s.locate(ctx, translate(err))
		}
		if b == nil || !yield(b) {
			return nil
		}
	}
}

// use is one use of a view by a training set: its look-up, by certain label columns.
type use struct {
	fstore.ViewUse
	number   int
	lookup   lookup
	features []string // that the outputs read
}

// key names the column of _at that holds a join key of the use.
func (u *use) key(k int) string { return fmt.Sprintf("j%d_%d", u.number, k) }

// table names the table that seenSQL makes.
func (u *use) table() string { return fmt.Sprintf("_seen_%d", u.number) }

// alias names that table in the joins of _at.
func (u *use) alias() string { return fmt.Sprintf("use%d", u.number) }

// sameKeys returns the conditions under which a label has the keys k0, k1… of a relation.
func (u *use) sameKeys(relation string) []string {
	out := make([]string, 0, len(u.Keys))
	for k := range u.Keys {
		out = append(out, fmt.Sprintf("labels.%s = %s.k%d", u.key(k), relation, k))
	}
	return out
}

// publishedSQL returns P(T): the last instant that the view had published by T. A static view holds for all time.
func (u *use) publishedSQL(t string) string {
	view := &u.Version.View
	p := view.Publish
	switch {
	case view.Static():
		return "make_timestamp(0)"
	case p == nil:
		return t
	}
	every, shift := p.Every.Micros(), p.Delay.Micros()+p.Offset.Micros()
	since := fmt.Sprintf("(epoch_us(%s) - %d)", t, shift) // of the grid's origin, when the run began
	return fmt.Sprintf("make_timestamp(%s - (%s %% %d + %d) %% %d + %d)", since, since, every, every, every, p.Offset.Micros())
}
