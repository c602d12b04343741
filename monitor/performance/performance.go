// Package performance says how good predictions were, once their labels are known: over all rows, over time, and against a reference.
//
// The metrics of binary labels are those of scikit-learn, with its rules for ties, for probabilities of 0 and 1, and for the bins of a
// calibration curve (https://scikit-learn.org/stable/modules/model_evaluation.html). A metric that is not defined, such as the
// precision where nothing was predicted to be true, is absent.
package performance

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/monitor/drift"
)

// Task says what labels are.
type Task string

// The tasks.
const (
	Binary     Task = "binary"     // a label is 0 or 1, a prediction a score
	Regression Task = "regression" // both are amounts
)

// Defaults.
const (
	DefaultThreshold = 0.5
	DefaultMinRows   = 200 // fewer rows are too few to judge
)

// Options say how predictions are judged.
type Options struct {
	Task      Task         // "": Binary if every label is 0 or 1
	Threshold float64      // a score that is as large predicts 1
	MinRows   int64        // fewer rows are too few
	By        drift.Period // windows
}

// Metrics are of some rows. Those that are absent are not defined, or are of the other task.
type Metrics struct {
	Positives *float64 `json:"positives,omitempty"` // share of rows whose label is 1
	Accuracy  *float64 `json:"accuracy,omitempty"`
	Precision *float64 `json:"precision,omitempty"` // absent if no row is predicted to be 1
	Recall    *float64 `json:"recall,omitempty"`    // absent if no label is 1
	AUC       *float64 `json:"auc,omitempty"`       // area under the ROC curve; equal scores count half. Absent if all labels are equal
	LogLoss   *float64 `json:"log_loss,omitempty"`  // natural logarithm. It, Brier and ECE are absent if a score is not from 0 to 1
	Brier     *float64 `json:"brier,omitempty"`
	ECE       *float64 `json:"ece,omitempty"` // expected calibration error over 10 bins
	MAE       *float64 `json:"mae,omitempty"`
	RMSE      *float64 `json:"rmse,omitempty"`
	Bias      *float64 `json:"bias,omitempty"` // mean of prediction − label
}

// Names are those of the metrics, in the order of Values.
var Names = []string{"positives", "accuracy", "precision", "recall", "auc", "log_loss", "brier", "ece", "mae", "rmse", "bias"}

// Values returns the metrics in the order of Names.
func (m *Metrics) Values() []*float64 {
	return []*float64{m.Positives, m.Accuracy, m.Precision, m.Recall, m.AUC, m.LogLoss, m.Brier, m.ECE, m.MAE, m.RMSE, m.Bias}
}

// minus returns the differences of metrics that both have.
func (m *Metrics) minus(o *Metrics) *Metrics {
	if m == nil || o == nil {
		return nil
	}
	d := &Metrics{}
	to := []**float64{&d.Positives, &d.Accuracy, &d.Precision, &d.Recall, &d.AUC, &d.LogLoss, &d.Brier, &d.ECE, &d.MAE, &d.RMSE, &d.Bias}
	a, b := m.Values(), o.Values()
	for i := range to {
		if a[i] != nil && b[i] != nil {
			*to[i] = finite(*a[i] - *b[i])
		}
	}
	return d
}

// finite returns a number, or nil if JSON cannot have it.
func finite(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

// Bin is a bin of the calibration curve: scores from From to UpTo, which belongs to it, as does 0 to the first.
type Bin struct {
	From      float64  `json:"from"`
	UpTo      float64  `json:"up_to"`
	Rows      int64    `json:"rows"`
	Predicted *float64 `json:"predicted,omitempty"` // mean score; absent without rows
	Positives *float64 `json:"positives,omitempty"` // share of rows whose label is 1
}

// Part is some rows and their metrics. Without enough rows, there are none.
type Part struct {
	Rows    int64    `json:"rows"`
	TooFew  bool     `json:"too_few,omitempty"`
	Metrics *Metrics `json:"metrics,omitempty"`
}

// Window is the rows of a period.
type Window struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"` // the first instant after it
	Part
	Difference *Metrics `json:"difference,omitempty"` // from the reference
}

// Side is the rows of a set.
type Side struct {
	Name    string `json:"name,omitempty"` // of a training set
	File    string `json:"file"`
	LeftOut int64  `json:"left_out"` // rows without a label or a prediction
	Part
	Calibration []Bin `json:"calibration,omitempty"`
}

// Result is how good predictions were.
type Result struct {
	Task       Task     `json:"task"`
	Label      string   `json:"label"`
	Prediction string   `json:"prediction"`
	Timestamp  string   `json:"timestamp,omitempty"`
	Threshold  *float64 `json:"threshold,omitempty"` // of binary labels
	MinRows    int64    `json:"min_rows"`
	By         string   `json:"by,omitempty"`
	Current    Side     `json:"current"`
	Reference  *Side    `json:"reference,omitempty"`
	Difference *Metrics `json:"difference,omitempty"` // current − reference
	Windows    []Window `json:"windows,omitempty"`    // those that have rows, the earliest first
}

// pair is a label and its prediction.
type pair struct{ label, prediction float64 }

// Rows collects rows, 16 bytes each. A judgement takes as much again.
type Rows struct {
	by       drift.Period
	windows  map[int64][]pair // by the first instant; 0 without windows
	left     int64
	notTruth bool // a label is neither 0 nor 1
}

// NewRows returns no rows.
func NewRows(by drift.Period) *Rows { return &Rows{by: by, windows: map[int64][]pair{}} }

// Add adds a row: its instant in UTC microseconds, label and prediction. NaN and infinite ones are left out.
func (r *Rows) Add(at int64, label, prediction float64) {
	if finite(label) == nil || finite(prediction) == nil {
		r.left++
		return
	}
	from, _ := r.by.Window(at)
	r.windows[from] = append(r.windows[from], pair{label, prediction})
	r.notTruth = r.notTruth || label != 0 && label != 1
}

// LeaveOut counts a row without a label, a prediction or an instant.
func (r *Rows) LeaveOut() { r.left++ }

// Judge judges rows, and compares them with those of a reference, which may be nil. It returns ErrInvalid if a label is neither 0 nor 1
// and the task is Binary.
func Judge(current, reference *Rows, o Options) (*Result, error) {
	if o.Task == "" {
		o.Task = Binary
		if current.notTruth || reference != nil && reference.notTruth {
			o.Task = Regression
		}
	}
	for _, r := range []*Rows{current, reference} {
		if r != nil && r.notTruth && o.Task == Binary {
			return nil, fstore.Errorf(fstore.ErrInvalid, "a label is neither 0 nor 1").WithHint("labels of amounts are judged with --task regression")
		}
	}
	out := &Result{Task: o.Task, MinRows: o.MinRows, By: o.By.String(), Current: current.side(&o)}
	if o.Task == Binary {
		out.Threshold = &o.Threshold
	}
	var was *Metrics
	if reference != nil {
		side := reference.side(&o)
		out.Reference, was = &side, side.Metrics
		out.Difference = out.Current.Metrics.minus(was)
	}
	if o.By == drift.Whole {
		return out, nil
	}
	for from, rows := range current.windows {
		_, to := o.By.Window(from)
		w := Window{From: fstore.FromMicros(from), To: fstore.FromMicros(to), Part: o.part(rows)}
		w.Difference = w.Metrics.minus(was)
		out.Windows = append(out.Windows, w)
	}
	slices.SortFunc(out.Windows, func(a, b Window) int { return a.From.Compare(b.From) })
	return out, nil
}

// side judges all rows of a side.
func (r *Rows) side(o *Options) Side {
	var all []pair
	for _, rows := range r.windows {
		all = append(all, rows...)
	}
	// The order in which rows come must not change the last bits of sums.
	slices.SortFunc(all, func(a, b pair) int {
		return cmp.Or(cmp.Compare(a.prediction, b.prediction), cmp.Compare(a.label, b.label))
	})
	s := Side{LeftOut: r.left, Part: o.part(all)}
	if !s.TooFew && o.Task == Binary && areProbabilities(all) {
		s.Calibration = calibration(all)
	}
	return s
}

// part judges some rows.
func (o *Options) part(rows []pair) Part {
	p := Part{Rows: int64(len(rows))}
	if p.TooFew = p.Rows < max(o.MinRows, 1); p.TooFew {
		return p
	}
	if o.Task == Binary {
		p.Metrics = binary(rows, o.Threshold)
	} else {
		p.Metrics = regression(rows)
	}
	return p
}

// Titles are what tables call the metrics, in the order of Names.
var Titles = []string{"POSITIVES", "ACCURACY", "PRECISION", "RECALL", "AUC", "LOG LOSS", "BRIER", "ECE", "MAE", "RMSE", "BIAS"}

// Shown returns the indexes in Names of the metrics that any of some parts has.
func Shown(parts ...*Metrics) []int {
	var out []int
	for i := range Names {
		if slices.ContainsFunc(parts, func(m *Metrics) bool { return m != nil && m.Values()[i] != nil }) {
			out = append(out, i)
		}
	}
	return out
}
