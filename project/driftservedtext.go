package project

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/monitor/drift"
)

// servedText says whose answers of a served log a side has, and which sample of them.
func servedText(log *drift.ServedLog) string {
	var of []string
	for _, l := range log.Lists {
		name := "service " + l.Service
		if l.Model != "" {
			name = "model " + l.Model
		}
		if !slices.Contains(of, name) {
			of = append(of, name)
		}
	}
	out := "answers"
	if len(of) > 0 {
		out += " of " + strings.Join(of, ", ")
	}
	for _, s := range log.Samples {
		if s.Share == 1 {
			continue
		}
		text := "of which the log does not say which sample they are"
		if s.Share > 0 {
			text = "a sample of " + strconv.FormatFloat(100*s.Share, 'g', 4, 64) + " % by " + s.By
		}
		if len(log.Samples) > 1 {
			text += " (" + english.Thousands(s.Rows) + " rows)"
		}
		out += ", " + text
	}
	return out
}

// DriftNotes says what of a served log is not compared, a sentence each.
func DriftNotes(c *drift.Comparison) []string {
	log := c.Current.Log
	if log == nil {
		return nil
	}
	var out []string
	for _, v := range log.Versions {
		out = append(out, fmt.Sprintf("%s have %s, which is not the version of the reference: its values are not compared", english.Count(int(v.Rows), "row"), v.View))
	}
	if log.UnreadableFiles > 0 {
		text := english.Count(int(log.UnreadableFiles), "file") + " cannot be read to the end"
		if log.LostRows > 0 {
			text += ", which lack at least " + english.Count(int(log.LostRows), "row")
		}
		for i, f := range log.Unreadable {
			text += []string{": ", "; "}[min(i, 1)] + f.File + " (" + f.Reason + ")"
		}
		out = append(out, text)
	}
	return out
}

// DriftLookUpHeader names the cells of DriftLookUpRows.
var DriftLookUpHeader = []string{"LOOK-UPS WITHOUT A FRESH VALUE", "NOT_FOUND", "OUTSIDE_MAX_AGE"}

// DriftLookUpRows returns a row of cells for each feature for which look-ups found no fresh value.
func DriftLookUpRows(c *drift.Comparison) [][]string {
	var rows [][]string
	for i := range c.Features {
		f := &c.Features[i]
		if f.LookUps == nil || f.LookUps.NotFound+f.LookUps.OutsideMaxAge == 0 {
			continue
		}
		of := float64(f.Current.Rows)
		rows = append(rows, []string{f.Name, percent(float64(f.LookUps.NotFound) / of), percent(float64(f.LookUps.OutsideMaxAge) / of)})
	}
	return rows
}
