package offline

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore"
)

// Whatever the ORDER BY of a query for labels leaves open is settled, so that labels come in one order each time.
func TestLabelsByAQueryHaveOneOrder(t *testing.T) {
	for _, c := range []struct{ name, sql string }{
		{"none", "SELECT k, event AS t, z FROM s"},
		{"none and a comment", "SELECT k, event AS t, z FROM s; -- done"},
		{"ties", "SELECT k, event AS t, z FROM s ORDER BY z % 3 DESC"},
		{"ties by what is not selected", "SELECT k, event AS t, z FROM s ORDER BY x"},
		{"ties at a limit", "SELECT k, event AS t, z FROM s ORDER BY x DESC NULLS FIRST LIMIT 30000 OFFSET 10"},
		{"a union", "SELECT k, event AS t, z FROM s UNION ALL SELECT k + 1, event, z FROM s ORDER BY t"},
		{"distinct on", "SELECT DISTINCT ON (z) k, event AS t, z FROM s ORDER BY z, x, k, event"},
		{"with", "WITH a AS (SELECT k, max(event) AS t, z FROM s GROUP BY ALL ORDER BY 1) SELECT * FROM a ORDER BY k"},
		{"groups and windows", "SELECT k, event AS t, count(*) FILTER (z > 3) AS n, sum(count(*)) OVER (PARTITION BY k ORDER BY event) AS m FROM s GROUP BY GROUPING SETS ((k, event)) HAVING count(*) > 0 QUALIFY m > 0 ORDER BY k % 2"},
		{"everything is named", "SELECT k, event AS t, z FROM s ORDER BY 2 DESC, z, k"},
		{"all", "SELECT k, event AS t, z FROM s ORDER BY ALL DESC"},
	} {
		t.Run(c.name, func(t *testing.T) {
			seen := map[string]bool{}
			for _, threads := range []int{1, 4} {
				r := newRepo(t, threads)
				// more rows than one row group has, so that several threads read
				r.write("s.parquet", "SELECT i % 500 AS k, TIMESTAMP '2011-12-01' + to_hours((i * 7919) % 20) AS event, i % 2 AS x, (i * 31) % 101 AS z FROM range(130000) t(i)")
				s, err := r.e.session(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				defer s.close()
				l := &labels{}
				if err := s.labelQuery(t.Context(), l, Labels{SQL: c.sql, Sources: []fstore.Source{source_("s.parquet")}}, cut{}); err != nil {
					t.Fatal(err)
				}
				b, err := s.query(t.Context(), "SELECT md5(string_agg((COLUMNS(* EXCLUDE (_row)))::VARCHAR, ',' ORDER BY _row)) FROM "+l.from)
				if err != nil {
					t.Fatal(err)
				}
				seen[fmt.Sprint(boxed(b))] = true
			}
			if len(seen) != 1 {
				t.Errorf("%d different orders", len(seen))
			}
		})
	}
}

func TestTheOrderOfAQueryForLabelsStays(t *testing.T) {
	r := newRepo(t, 2)
	r.write("s.parquet", values("k BIGINT | event TIMESTAMP | x BIGINT", "1 | 2011-12-09 | 3", "2 | 2011-12-09 | 3", "3 | 2011-12-09 | 1", "4 | 2011-12-09 | NULL"))
	v := view(source_("s.parquet"), []string{"k int64"}, []string{"x int64"})
	for sql, want := range map[string]string{
		"SELECT k, event AS t FROM s ORDER BY x DESC NULLS FIRST":          "4 1 2 3",
		"SELECT k, event AS t FROM s ORDER BY x NULLS LAST, k DESC":        "3 2 1 4",
		"SELECT k, event AS t FROM s ORDER BY x DESC NULLS LAST LIMIT 2":   "1 2",
		"SELECT k, event AS t FROM s":                                      "1 2 3 4",
		"SELECT k, event AS t FROM s ORDER BY ALL DESC":                    "4 3 2 1",
		"SELECT k, event AS t FROM s WHERE k::VARCHAR <> '''' ORDER BY -k": "4 3 2 1",
	} {
		req := r.request("", all(v))
		req.Labels = Labels{SQL: sql, Sources: []fstore.Source{v.Sources[0]}}
		req.List = all(v)
		rows, _ := r.train(req)
		var got []string
		for _, row := range rows {
			got = append(got, row[0])
		}
		if fmt.Sprint(got) != "["+want+"]" {
			t.Errorf("%s: %s, want %s", sql, strings.Join(got, " "), want)
		}
	}
}
