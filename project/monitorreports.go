package project

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/fstore-dev/fstore/monitor/report"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/regular"
)

// WriteReports writes a report of each comparison of a round into a folder, and an index.html that links them. Each file is replaced
// as a whole, the index last. Files of models that are no longer monitored stay.
func (p *Project) WriteReports(dir string, m *Monitored) error {
	index := &report.Index{Project: p.Settings.Project, At: m.At}
	for _, of := range m.Models {
		cells := of.cells()
		line := report.IndexModel{Name: cells[0], Service: cells[1], Checks: cells[2], Drift: cells[3], Freshness: cells[4], Note: cells[5], Alarm: !of.OK()}
		if len(of.Errors) > 0 {
			index.Failed++
		}
		if of.Comparison != nil {
			line.Report = reportFile(of.Watched)
			var page bytes.Buffer
			if err := report.Write(&page, of.Comparison); err != nil {
				return err
			}
			if err := regular.Replace(filepath.Join(dir, line.Report), page.Bytes()); err != nil {
				return fmt.Errorf("the report of %s: %w", of.Watched, err)
			}
		}
		index.Models = append(index.Models, line)
	}
	for _, f := range m.firing() {
		index.Firing = append(index.Firing, report.IndexFiring{Event: string(f.Event), Subject: f.Subject, Why: f.Summary, Concerns: strings.Join(f.concerns, ", ")})
	}
	var page bytes.Buffer
	if err := report.WriteIndex(&page, index); err != nil {
		return err
	}
	return regular.Replace(filepath.Join(dir, "index.html"), page.Bytes())
}

// reportFile names the file of a report. Names of models and services have only letters, digits and . _ - +; anything else is escaped,
// so that no name leads out of the folder.
func reportFile(of registry.Watched) string {
	name := "service." + of.Service
	if of.Model != "" {
		name = of.Model + "@" + of.Version
	}
	var out strings.Builder
	for _, b := range []byte(name) {
		if b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || strings.IndexByte("._-+@", b) >= 0 {
			out.WriteByte(b)
		} else {
			fmt.Fprintf(&out, "%%%02X", b)
		}
	}
	return out.String() + ".html"
}
