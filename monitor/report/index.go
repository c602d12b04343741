package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/english"
)

//go:embed index.html.tmpl
var indexLayout string

var indexPage = template.Must(template.New("index").Parse(strings.Replace(indexLayout, "{{.Style}}", style, 1)))

// Index is a page about a round of monitoring: a line for each model, with a link to its report, and what fires.
type Index struct {
	Project string
	At      time.Time
	Models  []IndexModel
	Firing  []IndexFiring
	Failed  int // models about which something could not be looked at
}

// IndexModel is the line of a model or a service. Its texts are those of fstore monitor.
type IndexModel struct {
	Name, Service, Checks, Drift, Freshness, Note string

	Report string // file of the report beside the page; empty: there is none
	Alarm  bool   // something fires, or could not be looked at
}

// IndexFiring is something that fires.
type IndexFiring struct{ Event, Subject, Why, Concerns string }

// WriteIndex writes the page. Names and texts come from outside: they are escaped, and what is long is cut.
func WriteIndex(w io.Writer, i *Index) error {
	clean := *i
	clean.Project, clean.Models, clean.Firing = text(i.Project), slices.Clone(i.Models), slices.Clone(i.Firing)
	for k := range clean.Models {
		m := &clean.Models[k]
		m.Name, m.Service, m.Note = text(m.Name), text(m.Service), text(m.Note)
	}
	for k := range clean.Firing {
		f := &clean.Firing[k]
		f.Subject, f.Why, f.Concerns = text(f.Subject), text(f.Why), text(f.Concerns)
	}
	if err := indexPage.Execute(w, &clean); err != nil {
		return fmt.Errorf("write the index of reports: %w", err)
	}
	return nil
}

// Href returns the address of the report relative to the page.
func (m *IndexModel) Href() string { return "./" + url.PathEscape(m.Report) }

// State says in a word how the model fares.
func (m *IndexModel) State() string {
	if m.Alarm {
		return "▲ alarm"
	}
	return "✓ fine"
}

// Alarm reports whether the page has bad news.
func (i *Index) Alarm() bool { return len(i.Firing)+i.Failed > 0 }

// Mark is the sign of the outcome.
func (i *Index) Mark() string {
	if i.Alarm() {
		return "▲"
	}
	return "✓"
}

// When says when the round began.
func (i *Index) When() string { return fstore.FormatTime(i.At) }

// Outcome says in a sentence how the round came out.
func (i *Index) Outcome() string {
	switch {
	case len(i.Firing) > 0:
		return english.Count(len(i.Firing), "alert") + " in " + english.Count(len(i.Models), "line")
	case i.Failed > 0:
		return english.Count(i.Failed, "line") + " incomplete: something could not be looked at"
	}
	return "Nothing fires"
}
