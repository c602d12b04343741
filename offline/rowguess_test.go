package offline

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The type of a column of CSV does not depend on the columns beside it, nor on whether the row that settles it is among
// the first: a wide file has the types that each column has alone.
func TestTypesOfCSVAreThoseOfEachColumnAlone(t *testing.T) {
	const rows = firstRows + 10
	values := []string{"1", "0.5", "true", "2011-12-09", "2011-12-09T12:50:00", "2011-12-09T12:50:00Z", "12:50:00", "word", ""}
	column := func(i int) func(row int) string { // all of one value, but for one row, among the first or the last
		odd, at := values[i/len(values)%len(values)], []int{7, rows - 3}[i/(len(values)*len(values))%2]
		return func(row int) string {
			if row == at {
				return odd
			}
			return values[i%len(values)]
		}
	}
	const columns = 2 * 9 * 9
	all := make([]func(int) string, 0, 2*columns)
	for i := range 2 * columns {
		all = append(all, column(i%columns))
	}
	r := newRepo(t, 2)
	types := func(columns []func(int) string) []string {
		t.Helper()
		var text strings.Builder
		for i := range columns {
			fmt.Fprintf(&text, "c%d,", i)
		}
		text.WriteString("t\n")
		for row := range rows {
			for _, c := range columns {
				text.WriteString(c(row) + ",")
			}
			text.WriteString("2011-12-09\n")
		}
		path := filepath.Join(r.dir, "labels.csv")
		if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := r.e.session(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		f, err := s.rowFile(t.Context(), path, rowsWanted{timestamp: "t"})
		if err != nil {
			t.Fatal(err)
		}
		out := make([]string, 0, len(f.columns))
		for _, c := range f.columns[:len(columns)] {
			out = append(out, c.Type)
		}
		return out
	}
	wide := types(all)
	for i := 0; i < columns; i += 11 {
		if alone := types(all[i : i+1]); alone[0] != wide[i] || alone[0] != wide[columns+i] {
			t.Errorf("column %d: alone %s, beside others %s and %s", i, alone[0], wide[i], wide[columns+i])
		}
	}
	want := []string{"BIGINT", "DOUBLE", "VARCHAR", "DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "VARCHAR", "VARCHAR", "BIGINT"}
	got := []string{wide[0], wide[1], wide[2], wide[3*9+3], wide[3*9+4], wide[5*9+5], wide[6], wide[7*9+8], wide[8]}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
