// Package report writes a comparison of package drift as one HTML file for people: what was compared, a line for each feature with
// both distributions drawn, and details that unfold.
//
// The file loads nothing and runs no script, so it works in a browser, as an attachment of a mail and as an artifact of MLflow. It
// follows the reader's light or dark scheme, and on paper the features that drifted are unfolded. The same comparison gives the same
// bytes. Names, categories and paths come from outside: they are escaped, and what is long is cut.
package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/fstore-dev/fstore/monitor/drift"
)

//go:embed report.html.tmpl
var layout string

//go:embed report.css
var style string

// The style is part of the template's text. A value that is put into a template may not change how the page looks.
var page = template.Must(template.New("report").Parse(strings.Replace(layout, "{{.Style}}", style, 1)))

// Write writes the report of a comparison.
func Write(w io.Writer, c *drift.Comparison) error {
	if err := page.Execute(w, overviewOf(c)); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}
