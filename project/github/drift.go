package github

import (
	"strings"

	"github.com/fstore-dev/fstore/monitor/drift"
	"github.com/fstore-dev/fstore/project"
)

// Drift returns a comparison as Markdown.
func Drift(c *drift.Comparison, limit Limit) string {
	var p page
	title := "### fstore drift: " + project.DriftSummary(c) + "\n"
	p.add(block{lines: []string{title}})
	facts := []string{
		"- reference: " + code(project.DriftSideText(&c.Reference)) + "\n",
		"- current: " + code(project.DriftSideText(&c.Current)) + "\n",
	}
	if rows := project.DriftRowsText(c); rows != "" {
		facts = append(facts, "- rows: "+rows+"\n")
	}
	for _, note := range project.DriftNotes(c) {
		facts = append(facts, "- "+prose(note)+"\n")
	}
	p.add(block{open: "\n", lines: facts})
	p.add(table(project.DriftHeader, project.DriftRows(c)))
	p.add(table(project.DriftLookUpHeader, project.DriftLookUpRows(c)))
	p.add(table(project.DriftWindowHeader, project.DriftWindowRows(c)))
	return p.text(limit)
}

// table returns rows of cells that are code, but for their last column, which is prose.
func table(header []string, rows [][]string) block {
	b := block{open: "\n" + row(header...) + row(strings.Split(strings.Repeat("---,", len(header)-1)+"---", ",")...)}
	for _, cells := range rows {
		out := make([]string, 0, len(cells))
		for _, cell := range cells[:len(cells)-1] {
			out = append(out, code(cell))
		}
		b.lines = append(b.lines, row(append(out, prose(cells[len(cells)-1]))...))
	}
	return b
}
