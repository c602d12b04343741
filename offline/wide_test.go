package offline

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
)

// TestWideLabelsComeOutUnchanged makes a training set of labels that do not go through the joins, from a file of each kind
// and by a query, and compares it with that of the same labels with two columns.
func TestWideLabelsComeOutUnchanged(t *testing.T) {
	r := newRepo(t, 4)
	const labels = "(hash(i) % 50)::BIGINT AS k, make_timestamp(1300000000000000 + (hash(i + 1) % 1000000)::BIGINT * 1000000) AS t"
	wide := labels
	for i := range carriedColumns {
		wide += fmt.Sprintf(", (i * %d)::INTEGER AS c%d", i, i)
	}
	const rows = " FROM range(3000) x(i)"
	r.write("s.parquet", "SELECT (i % 60)::BIGINT AS k, make_timestamp(1300000000000000 + (hash(i + 2) % 1000000)::BIGINT * 1000000) AS event, i::DOUBLE AS f"+rows)
	r.write("narrow.parquet", "SELECT "+labels+rows)
	r.write("wide.parquet", "SELECT "+wide+rows)
	r.write("wide.csv", "SELECT "+strings.ReplaceAll(wide, "INTEGER", "BIGINT")+rows)
	src := fstore.Source{Name: "w", Path: "wide.parquet", Event: "t"}
	list := all(view(source_("s.parquet"), []string{"k int64"}, []string{"f float64"}))

	content := func(l Labels) *lock.Output {
		req := r.request("", list)
		req.Labels = l
		s, err := r.e.TrainingSet(context.Background(), req)
		if err != nil {
			t.Fatal(err)
		}
		lock, err := lock.Read(s.Lock)
		if err != nil {
			t.Fatal(err)
		}
		return &lock.Output
	}
	narrow := content(Labels{Path: "narrow.parquet"})
	var asked lock.Output
	s, err := r.e.session(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if err := s.content(context.Background(), filepath.Join(r.dir, "wide.parquet"), "", &asked, ""); err != nil {
		t.Fatal(err)
	}
	want := append(asked.Columns, narrow.Columns[2])
	for _, l := range []Labels{{Path: "wide.parquet"}, {SQL: "SELECT * FROM w ORDER BY c1", Sources: []fstore.Source{src}}} {
		if diff := cmp.Diff(want, content(l).Columns); diff != "" {
			t.Errorf("%+v: %s", l, diff)
		}
	}
	csv := content(Labels{Path: "wide.csv"})
	if got, want := csv.Columns[len(csv.Columns)-1], narrow.Columns[2]; got.Content != want.Content {
		t.Errorf("of CSV: the feature is %+v, want %+v", got, want)
	}
}
