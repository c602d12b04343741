package duckdb_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
)

var engineTypes = map[fstore.Type]string{
	fstore.Bool: "BOOLEAN", fstore.Int32: "INTEGER", fstore.Int64: "BIGINT", fstore.Float32: "FLOAT", fstore.Float64: "DOUBLE",
	fstore.String: "VARCHAR", fstore.Bytes: "BLOB", fstore.Timestamp: "TIMESTAMP",
}

// Rows of every type, nulls and empty values among them, are in a table as they were appended, over more than one chunk.
func TestAppendedRowsAreReadBack(t *testing.T) {
	db, c := open(t)
	var types []fstore.Type
	var declared []string
	for scalar := fstore.Bool; scalar <= fstore.Timestamp; scalar++ {
		types = append(types, scalar, fstore.List(scalar))
		declared = append(declared, fmt.Sprintf("c%d %s, l%d %s[]", scalar, engineTypes[scalar], scalar, engineTypes[scalar]))
	}
	if err := c.Exec(context.Background(), "CREATE TABLE t ("+strings.Join(declared, ", ")+")"); err != nil {
		t.Fatal(err)
	}
	a, err := db.Appender("t", types)
	if err != nil {
		t.Fatal(err)
	}
	columns := make([]fstore.Column, len(types))
	var want [][]any
	for i, typ := range types {
		columns[i] = fstore.NewColumn("", typ, 0)
	}
	for row := range 5000 {
		var values []any
		for i, typ := range types {
			appendTestValue(&columns[i], typ, row)
			values = append(values, columns[i].Value(row))
		}
		want = append(want, values)
	}
	if err := a.Append(columns); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, rows(t, c, "FROM t")); diff != "" {
		t.Errorf("(-appended +read)\n%.2000s", diff)
	}
}

func appendTestValue(c *fstore.Column, typ fstore.Type, row int) {
	if row%7 == int(typ)%7 {
		c.AppendNull()
		return
	}
	json := map[fstore.Type]string{
		fstore.Bool: fmt.Sprint(row%2 == 0), fstore.Int32: fmt.Sprint(-row), fstore.Int64: fmt.Sprint(int64(row) << 40), fstore.Float32: fmt.Sprint(row) + ".5",
		fstore.Float64: fmt.Sprint(row) + ".25", fstore.String: fmt.Sprintf("%q", strings.Repeat("é", row%20)), fstore.Bytes: `"AAEC"`,
		fstore.Timestamp: fmt.Sprintf(`"20%02d-01-02T03:04:05Z"`, row%90),
	}[typ.Elem()]
	if typ.IsList() {
		json = "[" + strings.TrimSuffix(strings.Repeat(json+",", row%4), ",") + "]"
	}
	if err := c.AppendParsed([]byte(json)); err != nil {
		panic(err)
	}
}

func TestAppendersToNoTable(t *testing.T) {
	db, _ := open(t)
	if _, err := db.Appender("nothing", []fstore.Type{fstore.Int64}); err == nil {
		t.Error("rows can be appended to a table that is not there")
	}
}
