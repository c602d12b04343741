package offline

import (
	"strings"
	"testing"

	"github.com/fstore-dev/fstore"
)

// Files may write one column in two ways. The error is about the one that is asked for, whatever the order of the files, and
// its hint helps: with the other file written anew, or the other column renamed, the rows are there.
func TestNamesThatDifferOnlyInCase(t *testing.T) {
	at := ", TIMESTAMP '2011-12-01' AS event"
	for _, first := range []string{"price", "Price"} {
		for _, asked := range []string{"price", "Price"} {
			t.Run(first+" first, "+asked+" asked", func(t *testing.T) {
				r := newRepo(t, 1)
				other := map[string]string{"price": "Price", "Price": "price"}
				r.write("s/1.parquet", "SELECT 1 AS k, 10 AS "+first+at)
				r.write("s/2.parquet", "SELECT 2 AS k, 20 AS "+other[first]+at)
				mine, others := "1", "2"
				if asked != first {
					mine, others = "2", "1"
				}
				src := source_("s/*.parquet")
				up := query("SELECT k, event, "+asked+" AS x FROM s", []string{"k int64"}, []string{"x int64"}, src)
				direct := view(src, []string{"k int64"}, []string{"x int64"})
				direct.View.Features[0].Column = asked
				for _, v := range []*fstore.ViewVersion{up, direct} {
					_, err := r.asOf(v, day)
					r.fails(err, "column "+asked+" is missing from 1 of 2 files: ", "s/"+others+".parquet (",
						asked+" is written "+other[asked]+" in ", "s/"+others+".parquet: names of columns match exactly, case included; write that file with "+asked)
				}
				columns, err := r.e.SourceColumns(t.Context(), &src)
				if err != nil {
					t.Fatal(err)
				}
				_, err = r.e.BindSQL(t.Context(), up.View.SQL, []fstore.Relation{{Name: "s", Columns: columns}})
				r.fails(err, "column "+asked+" is missing from 1 of 2 files")
				optional := src
				optional.Optional = []string{"Price", "price"}
				up.Sources = []fstore.Source{optional}
				_, err = r.asOf(up, day)
				r.fails(err, "SQL cannot tell columns "+asked+" and "+other[asked]+" apart", "rename: {"+other[asked]+": another_name}")
				optional.Rename, optional.Optional = map[string]string{other[asked]: "another_name"}, []string{"another_name", asked}
				up.Sources = []fstore.Source{optional}
				rows, err := r.asOf(up, day)
				if err != nil || len(rows) != 2 || !strings.Contains(strings.Join(append(rows[0], rows[1]...), " "), mine+" 2011-12-01T00:00:00Z "+mine+"0") {
					t.Errorf("with another_name: %v, %v", rows, err)
				}
				r.write("s/"+others+".parquet", "SELECT "+others+" AS k, "+others+"0 AS "+asked+at)
				r.checkAsOf(query("SELECT k, event, "+asked+" AS x FROM s", []string{"k int64"}, []string{"x int64"}, src), 0,
					"1 | 2011-12-01T00:00:00Z | 10", "2 | 2011-12-01T00:00:00Z | 20")
			})
		}
	}
}
