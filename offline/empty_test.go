package offline

import (
	"fmt"
	"testing"

	"github.com/fstore-dev/fstore"
)

// What data frames write of a column without values, in one file and in a later one that has values: pandas DOUBLE of NaNs
// (or no rows at all), R BOOLEAN, others what they please. It is null, of whatever type is declared, for views and for SQL.
func TestColumnsWithoutValuesConvertToAnyType(t *testing.T) {
	for _, empty := range []string{"'nan'::DOUBLE", "'nan'::FLOAT", "NULL::DOUBLE", "NULL::BOOLEAN", "NULL::INTEGER", "NULL::VARCHAR", "NULL::DATE", "no rows"} {
		for declared, filled := range map[string]string{
			"string": "'a'", "int64": "7::BIGINT", "int32": "7::INTEGER", "bool": "true", "bytes": "'a'::BLOB", "timestamp": "TIMESTAMP '2011-12-01'",
			"list<int64>": "[7]::BIGINT[]", "list<string>": "['a']", "float64": "0.5::DOUBLE",
		} {
			if declared == "float64" && empty[0] == '\'' {
				continue // NaN is a value of it
			}
			t.Run(empty+" as "+declared, func(t *testing.T) {
				r := newRepo(t, 1)
				x, event, where := empty, "TIMESTAMP '2011-12-02'", ""
				if empty == "no rows" {
					x, event, where = "NULL::DOUBLE", "NULL::DOUBLE", " WHERE false"
				}
				r.write("s/2.parquet", "SELECT 2 AS k, "+event+" AS event, "+x+" AS x"+where)
				want := []string{"1 | 2011-12-01T00:00:00Z | " + printed(declared), "2 | 2011-12-02T00:00:00Z | NULL"}
				if where != "" {
					want = want[:1]
				}
				src := source_("s/*.parquet")
				features := []string{"x " + declared}
				r.checkAsOf(view(src, []string{"k int64"}, features), 0, want[1:]...) // the file alone
				r.write("s/1.parquet", "SELECT 1 AS k, TIMESTAMP '2011-12-01' AS event, "+filled+" AS x")
				r.checkAsOf(view(src, []string{"k int64"}, features), 0, want...)
				up := view(src, []string{"k int64"}, features).View
				up.Name = "up"
				for _, sql := range []string{"SELECT k, event, x FROM s", "SELECT k, event, x FROM up"} {
					v := query(sql, []string{"k int64"}, features, src)
					v.Views = []fstore.View{up}
					if empty[0] == '\'' && declared[:3] == "int" && sql[len(sql)-1] == 's' {
						continue // SQL sees floats
					}
					r.checkAsOf(v, 0, want...)
				}
			})
		}
	}
}

func printed(declared string) string {
	return map[string]string{
		"string": "a", "int64": "7", "int32": "7", "bool": "true", "bytes": "[97]", "timestamp": "2011-12-01T00:00:00Z",
		"list<int64>": "[7]", "list<string>": "[a]", "float64": "0.5",
	}[declared]
}

// A value that does not fit is an error still, which names it and not what is missing beside it.
func TestColumnsWithAValueOfAnotherType(t *testing.T) {
	r := newRepo(t, 1)
	src := source_("s/*.parquet")
	r.write("s/1.parquet", "SELECT 1 AS k, TIMESTAMP '2011-12-01' AS event, 'nan'::DOUBLE AS x UNION ALL SELECT 2, TIMESTAMP '2011-12-01', 1.5")
	_, err := r.asOf(view(src, []string{"k int64"}, []string{"x string"}), day)
	r.fails(err, "column x is DOUBLE, which cannot be declared string")
	r.write("s/1.parquet", "SELECT 1 AS k, TIMESTAMP '2011-12-01' AS event, 'nan'::DOUBLE AS x")
	r.write("s/2.parquet", "SELECT 1 AS k, TIMESTAMP '2011-12-01' AS event, 1.5::DECIMAL(4,1) AS x")
	_, err = r.asOf(view(src, []string{"k int64"}, []string{"x int64"}), day)
	r.fails(err, "column x: 1.5 is not an int64, in ", "s/2.parquet row 1")
	r.write("s/2.parquet", "SELECT 1 AS k, 1.5 AS event, 1 AS x")
	_, err = r.asOf(view(src, []string{"k int64"}, []string{"x int64"}), day)
	r.fails(err, "column event is DECIMAL(2,1) in ", "s/2.parquet, not a time")
}

// Labels and views see the same of a column without values.
func TestTrainingOverColumnsWithoutValues(t *testing.T) {
	r := newRepo(t, 1)
	for i, x := range []string{"'a'", "'nan'::DOUBLE", "NULL::INTEGER"} {
		r.write(fmt.Sprintf("s/%d.parquet", i), fmt.Sprintf("SELECT %d AS k, TIMESTAMP '2011-12-01' AS event, %s AS x", i, x))
	}
	src := source_("s/*.parquet")
	req := r.request("", all(view(src, []string{"k int64"}, []string{"x string"})))
	req.Labels = Labels{SQL: "SELECT k, event AS t, x AS y FROM s ORDER BY k", Sources: []fstore.Source{src}}
	rows, _ := r.train(req)
	r.check(rows, "0 | 2011-12-01 00:00:00 | a | a", "1 | 2011-12-01 00:00:00 | NULL | NULL", "2 | 2011-12-01 00:00:00 | NULL | NULL")
}
