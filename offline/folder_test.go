package offline

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
)

// The values of folders are what the declaration makes of their text, whatever other folders there are.
func TestTheDeclaredTypeReadsFolders(t *testing.T) {
	for _, c := range []struct{ folder, typ, want string }{
		{"7", "int64", "7"},
		{"009", "int64", "9"},
		{"-1", "int32", "-1"},
		{"7", "string", "7"},
		{"009", "string", "009"},
		{"NULL", "string", "NULL"},
		{"null", "string", "null"},
		{"Null", "string", "Null"},
		{"", "string", ""},
		{"__HIVE_DEFAULT_PARTITION__", "string", "<nil>"},
		{"__hive_default_partition__", "string", "__hive_default_partition__"},
		{"__HIVE_DEFAULT_PARTITION__", "int64", "<nil>"},
		{"a%20b%2Fc%25d", "string", "a b/c%d"},
		{"%C3%A9", "string", "é"},
		{"a+b", "string", "a+b"},
		{"%ZZ", "string", "%ZZ"},
		{"x", "bytes", "x"},
		{"1e3", "float64", "1000"},
		{"0.1", "float64", "0.1"},
		{"-0.0", "float64", "0"},
		{"nan", "float64", "NaN"},
		{"0.5", "float32", "0.5"},
		{"true", "bool", "true"},
		{"False", "bool", "false"},
		{"2011-12-09", "timestamp", "2011-12-09T00:00:00Z"},
		{"2011-12-09 12%3A30%3A00", "timestamp", "2011-12-09T12:30:00Z"},
		{"2011-12-09T12%3A30%3A00+02", "timestamp", "2011-12-09T10:30:00Z"},
		{"2011-12-09", "string", "2011-12-09"},
		{"NULL", "int64", "!"},
		{"", "int64", "!"},
		{"7.5", "int64", "!"},
		{"9223372036854775808", "int64", "!"},
		{"2147483648", "int32", "!"},
		{"1_0", "int64", "!"},
		{"a", "float64", "!"},
		{"0.1", "float32", "!"},
		{"1", "bool", "!"},
		{"2011", "timestamp", "!"},
		{"2011-13-01", "timestamp", "!"},
	} {
		t.Run(url.PathEscape(c.folder)+" as "+c.typ, func(t *testing.T) {
			r := newRepo(t, 1)
			for i, folder := range []string{c.folder, "__HIVE_DEFAULT_PARTITION__", c.folder} {
				r.write(fmt.Sprintf("s/store=%s/%d.parquet", folder, i), values("k BIGINT | event TIMESTAMP", fmt.Sprintf("%d | 2011-12-01", i)))
			}
			v := view(source_("s/*/*.parquet"), []string{"k int64"}, []string{"store " + c.typ})
			got, err := r.asOf(v, day)
			if c.want == "!" {
				r.fails(err, "view v@1, column store: ", " is not "+withArticle(c.typ), "s/store="+c.folder+"/0.parquet row 1")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range []string{c.want, "<nil>", c.want} {
				have := got[i][2]
				if c.typ == "bytes" && want == "x" {
					want = "[120]"
				}
				if want == "<nil>" {
					want = "NULL"
				}
				if have != want {
					t.Errorf("row %d: got %s, want %s", i, have, want)
				}
			}
		})
	}
}

// SQL sees the text of folders.
func TestSQLSeesFoldersAsText(t *testing.T) {
	r := newRepo(t, 1)
	for i, folder := range []string{"7", "009", "NULL", "__HIVE_DEFAULT_PARTITION__"} {
		r.write(fmt.Sprintf("s/store=%s/a.parquet", folder), values("k BIGINT | event TIMESTAMP", fmt.Sprintf("%d | 2011-12-01", i)))
	}
	want := []string{"0 | 2011-12-01T00:00:00Z | 7", "1 | 2011-12-01T00:00:00Z | 009", "2 | 2011-12-01T00:00:00Z | NULL", "3 | 2011-12-01T00:00:00Z | none"}
	r.checkAsOf(query("SELECT k, event, coalesce(store, 'none') AS store FROM s", []string{"k int64"}, []string{"store string"}, source_("s/*/*.parquet")), 0, want...)
	r.checkAsOf(query("SELECT k, event, store::BIGINT AS store FROM s WHERE store <> 'NULL'", []string{"k int64"}, []string{"store int64"}, source_("s/*/*.parquet")), 0,
		"0 | 2011-12-01T00:00:00Z | 7", "1 | 2011-12-01T00:00:00Z | 9")
}

// Folders of every kind give event times, keys, and values beside a file's own columns.
func TestFoldersAsTimesAndKeys(t *testing.T) {
	r := newRepo(t, 1)
	r.write("s/day=2011-12-01/k=07/a.parquet", values("x BIGINT", "10"))
	r.write("s/day=2011-12-02 12%3A30%3A00/k=7/a.parquet", values("x BIGINT", "20"))
	r.write("s/day=__HIVE_DEFAULT_PARTITION__/k=7/a.parquet", values("x BIGINT", "30"))
	src := source_("s/*/*/*.parquet")
	src.Event, src.Available = "day", fstore.Available{Stated: true}
	v := view(src, []string{"k int64"}, []string{"x int64"})
	v.View.Event = "day"
	r.checkAsOf(v, 0, "7 | 2011-12-02T12:30:00Z | 20")
	r.checkAsOf(v, -8*24*time.Hour, "7 | 2011-12-01T00:00:00Z | 10")
	columns, err := r.e.SourceColumns(t.Context(), &src)
	if err != nil || !columns[1].Dates && !columns[0].Dates && !columns[2].Dates {
		t.Errorf("a day is not seen to be one: %v, %v", columns, err)
	}
	r.write("s/day=soon/k=7/a.parquet", values("x BIGINT", "30"))
	_, err = r.asOf(v, day)
	r.fails(err, "column day is a time, but the folder of ", "s/day=soon/k=7/a.parquet says soon")
	r.write("two/a=1/a=2/a.parquet", values("k BIGINT | event TIMESTAMP", "1 | 2011-12-01"))
	_, _, err = r.source(source_("two/**/*.parquet"))
	r.fails(err, "give column a twice")
	r.write("part/a=1/a.parquet", values("k BIGINT | event TIMESTAMP", "1 | 2011-12-01"))
	r.write("part/a.parquet", values("k BIGINT | event TIMESTAMP", "2 | 2011-12-01"))
	parts := source_("part/**/*.parquet")
	_, err = r.asOf(view(parts, []string{"k int64"}, []string{"a string"}), day)
	r.fails(err, "column a is missing from 1 of 2 files: ")
	parts.Optional = []string{"a"}
	r.checkAsOf(view(parts, []string{"k int64"}, []string{"a string"}), 0, "1 | 2011-12-01T00:00:00Z | 1", "2 | 2011-12-01T00:00:00Z | NULL")
}
