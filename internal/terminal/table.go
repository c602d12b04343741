package terminal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// Table prints rows under a header, in aligned columns.
type Table struct {
	Header []string
	rows   [][]string
}

// NewTable returns a table without rows.
func NewTable(header ...string) *Table {
	for i, c := range header {
		header[i] = InCell(c)
	}
	return &Table{Header: header}
}

// Row adds a row.
func (t *Table) Row(cells ...string) {
	for i, c := range cells {
		cells[i] = InCell(c)
	}
	t.rows = append(t.rows, cells)
}

// Print writes the table, or nothing if it has no rows.
func (t *Table) Print(w io.Writer) error {
	if len(t.rows) == 0 {
		return nil
	}
	var out bytes.Buffer
	tw := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	for _, cells := range append([][]string{t.Header}, t.rows...) {
		// A row shorter than the header gets empty cells. Otherwise it would end the columns.
		cells = append(slices.Clone(cells), make([]string, max(0, len(t.Header)-len(cells)))...)
		fmt.Fprintln(tw, strings.Join(cells, "\t"))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(out.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// Empty reports whether the table has no rows.
func (t *Table) Empty() bool { return len(t.rows) == 0 }

// PrintJSON writes one indented JSON document, for people and programs.
func PrintJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// Value formats a JSON value for people: text without quotes if it cannot be mistaken for another value.
func Value(text []byte) string {
	if text[0] != '"' {
		return string(text)
	}
	bare := string(text[1 : len(text)-1])
	if bare == "" || bare == "null" || strings.Contains(bare, `\`) || strings.TrimSpace(bare) != bare {
		return string(text)
	}
	return bare
}
