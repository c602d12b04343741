package offline

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
)

// A query over no rows converts no constants, so a wrong one was found only by the first run over data.
func TestConstantsOfAQueryConvert(t *testing.T) {
	e, err := Open(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	inputs := []fstore.Relation{{Name: "t", Columns: []fstore.EngineColumn{
		{Name: "q", Type: "BIGINT"}, {Name: "p", Type: "DECIMAL(10,2)"}, {Name: "d", Type: "TIMESTAMP"}, {Name: "s", Type: "VARCHAR"},
	}}}
	for _, c := range []struct {
		sql, want string
		offset    int
	}{
		{"select q > 'abc' from t", "Could not convert string 'abc' to INT64", 11},
		{"select s from t where q in ('1', 'abc')", "Could not convert string 'abc' to INT64", 33},
		{"select p > 'abc' from t", `Could not convert string "abc" to DECIMAL(10,2)`, 11},
		{"select case when q > 1 then 'abc'::int end from t", "Could not convert string 'abc' to INT32", 28},
		{"select s from (select * from t where d > date '2024-13-01')", `date field value out of range: "2024-13-01"`, 46},
		{"select q > '12', p > '1.5', d > '2024-01-31', s > 'abc', try_cast('abc' as int), try('abc'::int) from t", "", 0},
		{"select '[1, 2]'::int[], '{a: 1}'::struct(a int), ''::blob, 'x'::varchar, null::int from t", "", 0},
	} {
		_, _, err := e.PlanSQL(t.Context(), c.sql, inputs)
		var wrong *fstore.SQLError
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", c.sql, err)
			}
			continue
		}
		if !errors.As(err, &wrong) {
			t.Errorf("%s: got %v, want %s", c.sql, err, c.want)
			continue
		}
		if diff := cmp.Diff(&fstore.SQLError{Message: c.want, Offset: c.offset}, wrong); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.sql, diff)
		}
	}
}
