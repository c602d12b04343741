package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// table prints rows under a header, in columns that line up.
type table struct {
	header []string
	rows   [][]string
}

func newTable(header ...string) *table {
	for i, c := range header {
		header[i] = inCell(c)
	}
	return &table{header: header}
}

func (t *table) row(cells ...string) {
	for i, c := range cells {
		cells[i] = inCell(c)
	}
	t.rows = append(t.rows, cells)
}

// print writes the table; nothing where it has no rows.
func (t *table) print(w io.Writer) error {
	if len(t.rows) == 0 {
		return nil
	}
	var out bytes.Buffer
	tw := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	for _, cells := range append([][]string{t.header}, t.rows...) {
		// a row that is shorter than the header gets empty cells, or it would end the columns
		cells = append(slices.Clone(cells), make([]string, max(0, len(t.header)-len(cells)))...)
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

// printJSON writes one JSON document, indented, for people who read it and programs that do.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// The colors of plan.
const (
	green  = "32"
	red    = "31"
	yellow = "33"
)

// paint prints a text to stdout, in a color where results may be colored.
func (a *app) paint(color, text string) {
	if s, ok := a.stdout.(*screen); ok && a.color() {
		s.paint(color, text)
		return
	}
	fmt.Fprint(a.stdout, text)
}

// printPainted prints a line of one color.
func (a *app) printPainted(color, line string) {
	a.paint(color, line)
	fmt.Fprintln(a.stdout)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
