package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/monitor/drift"
	"github.com/fstore-dev/fstore/monitor/performance"
)

//go:embed performance.html.tmpl
var performanceLayout string

var performancePage = template.Must(template.Must(page.Clone()).New("performance").Parse(performanceLayout))

// WritePerformance writes how good predictions were as a page of the same kind as Write.
func WritePerformance(w io.Writer, r *performance.Result) error {
	if err := performancePage.Execute(w, judgementOf(r)); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// judgement is what the page says.
type judgement struct {
	Title, Label, Prediction, Lead string
	Metrics                        figureTable
	Times                          []timeline
	Windows                        figureTable
	Calibration                    *curve
	Terms                          []term
}

// figureTable is a table of metrics.
type figureTable struct {
	Caption string
	Header  []string
	Rows    []figureRow
}

type figureRow struct {
	Name  string
	Cells []string
}

// curve is a calibration curve in a square, and its bins as numbers.
type curve struct {
	Says, Current, Reference string // Current and Reference are paths
	Bins                     []curveBin
	WithReference            bool
}

type curveBin struct{ Scores, Rows, Predicted, Positives, ReferenceRows, ReferencePositives string }

func judgementOf(r *performance.Result) *judgement {
	j := &judgement{Label: text(r.Label), Prediction: text(r.Prediction), Terms: metricTerms(r.Task)}
	j.Title = "Performance of " + j.Prediction
	name := r.Current.Name
	if name == "" {
		name = r.Current.File
	}
	j.Lead = fmt.Sprintf("%s of %s with a label and a prediction", english.Count(int(r.Current.Rows), "row"), text(name))
	if r.Current.LeftOut > 0 {
		j.Lead += fmt.Sprintf("; %s without one left out", english.Thousands(r.Current.LeftOut))
	}
	if r.Threshold != nil {
		j.Lead += fmt.Sprintf(". A score of %s or more predicts 1", strconv.FormatFloat(*r.Threshold, 'g', 4, 64))
	}
	j.Lead += fmt.Sprintf(". Fewer than %s are too few to judge.", english.Count(int(r.MinRows), "row"))
	all := []*performance.Metrics{r.Current.Metrics}
	if r.Reference != nil {
		all = append(all, r.Reference.Metrics)
	}
	for i := range r.Windows {
		all = append(all, r.Windows[i].Metrics)
	}
	shown := performance.Shown(all...)
	j.Metrics = newFigureTable("All rows", shown)
	j.Metrics.add("current", &r.Current.Part, shown)
	if r.Reference != nil {
		j.Metrics.add("reference", &r.Reference.Part, shown)
		j.Metrics.addDifference(r.Difference, shown)
	}
	j.Windows = newFigureTable("By "+text(r.By), shown)
	for i := range r.Windows {
		j.Windows.add(instant(r.Windows[i].From), &r.Windows[i].Part, shown)
	}
	for _, i := range shown {
		if t := metricOverTime(r, i); t.Line != "" {
			j.Times = append(j.Times, t)
		}
	}
	j.Calibration = curveOf(r)
	return j
}

func newFigureTable(caption string, shown []int) figureTable {
	t := figureTable{Caption: caption, Header: []string{"Rows"}}
	for _, i := range shown {
		t.Header = append(t.Header, metricWords[performance.Names[i]].name)
	}
	return t
}

func (t *figureTable) add(name string, p *performance.Part, shown []int) {
	row := figureRow{name, []string{english.Thousands(p.Rows)}}
	for n, i := range shown {
		switch {
		case p.Metrics != nil:
			row.Cells = append(row.Cells, plain(p.Metrics.Values()[i]))
		case n == 0:
			row.Cells = append(row.Cells, "too few")
		default:
			row.Cells = append(row.Cells, "–")
		}
	}
	t.Rows = append(t.Rows, row)
}

func (t *figureTable) addDifference(d *performance.Metrics, shown []int) {
	row := figureRow{"difference", []string{""}}
	for _, i := range shown {
		cell := "–"
		if d != nil {
			if cell = plain(d.Values()[i]); d.Values()[i] != nil && *d.Values()[i] > 0 {
				cell = "+" + cell
			}
		}
		row.Cells = append(row.Cells, cell)
	}
	t.Rows = append(t.Rows, row)
}

// plain writes a metric.
func plain(x *float64) string {
	if x == nil {
		return "–"
	}
	return strings.Replace(strconv.FormatFloat(*x, 'g', 4, 64), "-", "−", 1)
}

// metricOverTime draws a metric over the windows, with the reference's as a level.
func metricOverTime(r *performance.Result, i int) timeline {
	if len(r.Windows) < 2 {
		return timeline{}
	}
	c := &drift.Comparison{}
	marks := make([]mark, len(r.Windows))
	some := false
	for n := range r.Windows {
		w := &r.Windows[n]
		c.Windows = append(c.Windows, drift.Span{From: w.From, To: w.To})
		marks[n].value = math.NaN()
		if w.Metrics != nil && w.Metrics.Values()[i] != nil {
			marks[n].value, some = *w.Metrics.Values()[i], true
		}
	}
	if !some {
		return timeline{}
	}
	var level *float64
	if r.Reference != nil && r.Reference.Metrics != nil {
		level = r.Reference.Metrics.Values()[i]
	}
	var also []float64
	if level != nil {
		also = []float64{*level}
	}
	t := draw(c, marks, also, nil, level)
	t.Title = metricWords[performance.Names[i]].name + " by " + text(r.By)
	t.Range = between(marks, func(x float64) string { return plain(&x) })
	if level != nil {
		t.Note = "Dashed: the reference, " + plain(level) + "."
	}
	t.Says = t.Title + ", " + t.Range
	return t
}

// curveSize is the width and height of the box of a calibration curve.
const curveSize = 400

func curveOf(r *performance.Result) *curve {
	bins := r.Current.Calibration
	if bins == nil {
		return nil
	}
	c := &curve{Says: "Share of positives over mean score, current " + spoken(bins), Current: curvePath(bins)}
	var old []performance.Bin
	if r.Reference != nil {
		if old = r.Reference.Calibration; old != nil {
			c.Reference, c.WithReference = curvePath(old), true
		}
	}
	for i, b := range bins {
		row := curveBin{fmt.Sprintf("%.1f to %.1f", b.From, b.UpTo), english.Thousands(b.Rows), plain(b.Predicted), plain(b.Positives), "", ""}
		if old != nil {
			row.ReferenceRows, row.ReferencePositives = english.Thousands(old[i].Rows), plain(old[i].Positives)
		}
		c.Bins = append(c.Bins, row)
	}
	return c
}

// curvePath joins the bins that have rows; each is a point too.
func curvePath(bins []performance.Bin) string {
	path, command := "", "M"
	for _, b := range bins {
		if b.Rows == 0 {
			continue
		}
		x, y := int(math.Round(*b.Predicted*curveSize)), int(math.Round((1-*b.Positives)*curveSize))
		path += fmt.Sprintf("%s%d %d", command, x, y)
		if command == "M" {
			path += "h0"
		}
		command = "L"
	}
	return path
}

// spoken reads a curve aloud.
func spoken(bins []performance.Bin) string {
	var out []string
	for _, b := range bins {
		if b.Rows > 0 {
			out = append(out, fmt.Sprintf("%.2f at %.2f", *b.Positives, *b.Predicted))
		}
	}
	return strings.Join(out, ", ")
}

// metricWords are the names of metrics, and what they say.
var metricWords = map[string]struct {
	task       performance.Task
	name, says string
}{
	"positives": {performance.Binary, "Positives", "Share of rows whose label is 1."},
	"accuracy":  {performance.Binary, "Accuracy", "Share of rows whose predicted class is the label."},
	"precision": {performance.Binary, "Precision", "Of the rows that are predicted to be 1, the share that are."},
	"recall":    {performance.Binary, "Recall", "Of the rows whose label is 1, the share that are predicted to be."},
	"auc":       {performance.Binary, "AUC", "Area under the ROC curve: how often a row of label 1 has a larger score than one of label 0. Chance gives 0.5."},
	"log_loss":  {performance.Binary, "Log loss", "Mean of −ln of the probability that was given to the label. Smaller is better."},
	"brier":     {performance.Binary, "Brier", "Mean squared distance of the score from the label. Smaller is better."},
	"ece":       {performance.Binary, "ECE", "Expected calibration error: how far the share of positives is from the score, on average over the rows in 10 bins."},
	"mae":       {performance.Regression, "MAE", "Mean absolute error."},
	"rmse":      {performance.Regression, "RMSE", "Root of the mean squared error."},
	"bias":      {performance.Regression, "Bias", "Mean of prediction − label. Above 0, predictions are too high."},
}

func metricTerms(task performance.Task) (out []term) {
	for _, name := range performance.Names {
		if w := metricWords[name]; w.task == task {
			out = append(out, term{w.name, w.says})
		}
	}
	return out
}
