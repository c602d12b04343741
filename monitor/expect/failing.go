package expect

import (
	"bytes"

	"github.com/parquet-go/parquet-go"

	"github.com/fstore-dev/fstore/regular"
)

// FailingRow is a bad row as --failing writes it.
type FailingRow struct {
	Of          string `parquet:"of,dict"`          // what was checked: customer_orders@3, or source lines
	Expectation string `parquet:"expectation,dict"` // with the feature or column
	Severity    string `parquet:"severity,dict"`
	Position    string `parquet:"position,dict"` // of the expectation in the definitions
	Row         string `parquet:"row"`           // the keys and the value, or the row of a query, as a JSON object
}

// MostFailing is how many bad rows of an expectation a file of failing rows has at most.
const MostFailing = 1000

// Failing returns the bad rows that were kept of rule i, which came out as r.
func (r *Run) Failing(i int, of string, res *Result) []FailingRow {
	out := make([]FailingRow, len(r.checks[i].kept))
	for k, row := range r.checks[i].kept {
		out[k] = FailingRow{Of: of, Expectation: res.Expectation, Severity: string(res.Severity), Position: res.Pos.String(), Row: string(row)}
	}
	return out
}

// WriteFailing replaces a file by a Parquet file with the rows.
func WriteFailing(path string, rows []FailingRow) error {
	var file bytes.Buffer
	w := parquet.NewGenericWriter[FailingRow](&file, parquet.Compression(&parquet.Snappy), parquet.CreatedBy("fstore", "failing rows", ""))
	if _, err := w.Write(rows); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return regular.Replace(path, file.Bytes())
}
