package scaffold

import (
	"strings"
	"testing"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/columntest"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/sqltype"
	"github.com/google/go-cmp/cmp"
)

// columnsOf reads "name TYPE, name TYPE".
func columnsOf(text string) []fstore.EngineColumn {
	var out []fstore.EngineColumn
	for _, c := range strings.Split(text, ", ") {
		name, typ, _ := strings.Cut(c, " ")
		col := fstore.EngineColumn{Name: name, Type: typ}
		if typ == "FOLDER" || typ == "FOLDER-DATE" {
			col.Type, col.Types, col.Dates = "VARCHAR", []fstore.ColumnType{{Type: "FOLDER"}}, typ == "FOLDER-DATE"
		}
		out = append(out, col)
	}
	return out
}

func TestWhatColumnsSuggest(t *testing.T) {
	for _, c := range []struct{ source, columns, event, created, keys string }{
		{"lines", "customer_id BIGINT, invoice_date TIMESTAMP, x DOUBLE", "invoice_date", "", "customer_id:int64=customer"},
		{"zipcodes", "Zipcode BIGINT, event_timestamp TIMESTAMP, created_timestamp TIMESTAMP", "event_timestamp", "created_timestamp", "zipcode:int64=zipcode"},
		{"orders", "created_at TIMESTAMP, order_key VARCHAR", "created_at", "", "order_key:string=order"},
		{"orders", "created_at TIMESTAMP, updated_at TIMESTAMP, id UUID", "created_at", "updated_at", "order_id:string=order"},
		{"orders", "shipped_on DATE, ts TIMESTAMP, _loaded_at TIMESTAMP_NS, order_id INTEGER", "ts", "loaded_at", "order_id:int32=order"},
		{"orders", "when TIMESTAMP, id VARCHAR", "when", "", "order_id:string=order"},
		{"orders", "day DATE, loaded_at DATE, id VARCHAR", "day", "", "order_id:string=order"},
		{"people", "dob DATE, expires_at TIMESTAMP, person_id DOUBLE", "", "", "person_id:int64=person"},
		{"categories", "key VARCHAR, category_key INTEGER", "", "", "key:string=key category_key:int32=category"},
		{"visits", "day FOLDER-DATE, StoreID FOLDER, visits BIGINT", "day", "", "store_id:string=store"},
		{"visits", "day FOLDER-DATE, at TIMESTAMP WITH TIME ZONE, store FOLDER", "at", "", ""},
		{"flags", "user_id BOOLEAN, device_id STRUCT(a INTEGER), session_id TIMESTAMP", "session_id", "", ""},
		{"events", "event_time VARCHAR, ts BIGINT, account_no DECIMAL(9,2)", "", "", "account_no:int64=account"},
	} {
		columns := guessColumns(columnsOf(c.columns))
		event, created := guessTimes(columns)
		name := func(c *guessedColumn) string {
			if c == nil {
				return ""
			}
			return c.name
		}
		var keys []string
		for _, k := range guessKeys(c.source, columns) {
			keys = append(keys, k.column.name+":"+k.typ.String()+"="+k.entity)
		}
		got := []string{name(event), name(created), strings.Join(keys, " ")}
		if d := cmp.Diff([]string{c.event, c.created, c.keys}, got); d != "" {
			t.Errorf("%s: %s (-want +got)\n%s", c.source, c.columns, d)
		}
	}
}

func TestNamesOfColumnsAreValidAndUnique(t *testing.T) {
	var got []string
	for _, c := range guessColumns(columnsOf("CustomerID BIGINT, customer_id BIGINT, größe BIGINT, 数量 BIGINT, 2nd BIGINT, ok BIGINT, order-Value BIGINT")) {
		if err := fstore.CheckName(c.name); err != nil {
			t.Error(err)
		}
		got = append(got, c.name)
	}
	if d := cmp.Diff([]string{"customer_id", "customer_id_2", "gr_e", "column_4", "nd", "ok", "order_value"}, got); d != "" {
		t.Error(d)
	}
}

// guessTypes are the types of fstore that types of the engine become.
var guessTypes = map[string]fstore.Type{
	"BOOLEAN": fstore.Bool,
	"TINYINT": fstore.Int32, "SMALLINT": fstore.Int32, "INTEGER": fstore.Int32, "UTINYINT": fstore.Int32, "USMALLINT": fstore.Int32,
	"BIGINT": fstore.Int64, "UINTEGER": fstore.Int64, "UBIGINT": fstore.Int64, "HUGEINT": fstore.Int64, "UHUGEINT": fstore.Int64,
	"FLOAT": fstore.Float32, "DOUBLE": fstore.Float64, "DECIMAL": fstore.Float64,
	"VARCHAR": fstore.String, "ENUM": fstore.String, "UUID": fstore.String, "BLOB": fstore.Bytes,
	"DATE": fstore.Timestamp, "TIMESTAMP": fstore.Timestamp, "TIMESTAMP_S": fstore.Timestamp, "TIMESTAMP_MS": fstore.Timestamp,
	"TIMESTAMP_NS": fstore.Timestamp, "TIMESTAMP WITH TIME ZONE": fstore.Timestamp,
}

// Every type that is proposed is one that the engine converts to.
func TestTypesThatAreProposed(t *testing.T) {
	e, err := offline.Open(offline.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for name, want := range guessTypes {
		for _, c := range []struct {
			name string
			want fstore.Type
		}{{name, want}, {name + "[]", fstore.List(want)}, {name + "[3]", fstore.List(want)}} {
			c.name = strings.Replace(c.name, "DECIMAL", "DECIMAL(9,2)", 1)
			if got := typeFor(c.name); got != c.want || !e.Converts(c.name, got) {
				t.Errorf("%s becomes %s", c.name, got)
			}
		}
	}
	for _, name := range []string{"TIME", "INTERVAL", "STRUCT(a INTEGER)", "MAP(VARCHAR, INTEGER)", "INTEGER[][]", "STRUCT(a INTEGER)[]", ""} {
		if got := typeFor(name); got != fstore.Invalid {
			t.Errorf("%s becomes %s", name, got)
		}
	}
}

func TestFilesAreGrouped(t *testing.T) {
	groups := []offline.FilesOfColumns{
		{Files: []string{"/d/sales_2024.parquet", "/d/e/sales_2024.parquet", "/d/other.parquet"}, Columns: []string{"a", "b", "c"}},
		{Files: []string{"/d/sales_2025-01.parquet"}, Columns: []string{"a", "b", "d"}},
		{Files: []string{"/d/sales_2026.parquet"}, Columns: []string{"A", "b", "c"}},
		{Files: []string{"/d/stock_2024.parquet"}, Columns: []string{"a", "b", "d", "e"}},
		{Files: []string{"/p/day=1/x.parquet", "/p/day=2/y.parquet"}, Columns: []string{"a"}},
	}
	var got []string
	for _, g := range groupFiles(groups, nil) {
		got = append(got, strings.Join(g.files, " ")+" lacking "+strings.Join(g.optional, " "))
	}
	want := []string{
		"/d/e/sales_2024.parquet lacking ",
		"/d/other.parquet /d/sales_2024.parquet /d/sales_2025-01.parquet lacking c d",
		"/d/sales_2026.parquet lacking ",
		"/d/stock_2024.parquet lacking ",
		"/p/day=1/x.parquet /p/day=2/y.parquet lacking ",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// A column that the engine has in the type of a feature is proposed as that type.
func TestEveryTypeIsProposed(t *testing.T) {
	for _, typ := range columntest.Types() {
		if got := typeFor(sqltype.Of(typ)); got != typ {
			t.Errorf("a column of type %s is proposed as %s, want %s", sqltype.Of(typ), got, typ)
		}
	}
}
