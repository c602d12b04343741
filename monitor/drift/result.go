package drift

import (
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/stats"
)

// Comparison says how a window of current rows differs from a reference, feature by feature. As JSON it is what fstore drift
// --output json prints.
type Comparison struct {
	Reference  Side     `json:"reference"`
	Current    Side     `json:"current"`
	Verdict    Verdict  `json:"verdict"` // of the set: Drifted if Share is above ShareLimit; TooFew if nothing could be judged
	Share      float64  `json:"share"`   // of the judged features (drifted or stable) that drifted, 0 to 1
	ShareLimit float64  `json:"share_limit"`
	MinRows    int64    `json:"min_rows"` // fewer rows than this are too few to judge
	Counts     Verdicts `json:"counts"`   // of features; targets do not count

	// OnlyWithValue says that rows for which a feature's view had no value are not compared: the store has none of these, so they
	// are taken out of the reference.
	OnlyWithValue bool `json:"only_with_value,omitempty"`

	// Features are in the order of the reference's columns: targets that the current rows have, and all features.
	Features []Feature `json:"features"`

	// By is the length of Windows ("day"), and empty without them. Windows are in ascending order; each has rows. Feature.Windows
	// has an entry for each of them, at the same index.
	By      string `json:"by,omitempty"`
	Windows []Span `json:"windows,omitempty"`
}

// Side is one of the two sets of rows that are compared.
type Side struct {
	Kind    SideKind  `json:"kind"`
	Name    string    `json:"name"`              // of the training set, or the path as it was given; "store" for the online store, "served" for the served log
	File    string    `json:"file,omitempty"`    // absolute path of the rows, of the lock or of the log; absent for the store
	Service string    `json:"service,omitempty"` // feature service with its version, if the side is a training set of one
	Created time.Time `json:"created,omitzero"`  // when the training set was created
	Rows    int64     `json:"rows"`              // rows that were compared; of the store, those of its largest view

	// Timestamp is the column of instants by which rows were chosen or grouped. From and To are the window that was asked for: From
	// is exclusive and To inclusive. They are absent if all rows were taken.
	Timestamp string    `json:"timestamp,omitempty"`
	From      time.Time `json:"from,omitzero"`
	To        time.Time `json:"to,omitzero"`

	Log *ServedLog `json:"served_log,omitempty"` // of the kind Served
}

// SideKind says where the rows of a side come from.
type SideKind string

// The kinds of sides.
const (
	TrainingSet SideKind = "training_set" // its lock's statistics, or its file
	File        SideKind = "file"
	Store       SideKind = "store"  // what is published
	Served      SideKind = "served" // what servers answered
)

// Verdict is what a comparison concludes.
type Verdict string

// The verdicts.
const (
	Drifted     Verdict = "drifted"      // at least one check is over its threshold
	Stable      Verdict = "stable"       // no check is
	TooFew      Verdict = "too_few"      // one side has too few rows or values; no alarm
	NotCompared Verdict = "not_compared" // the current rows lack the column, its type has no statistics, or nothing that decides can be computed; Reason says which
)

// Verdicts counts features by their verdict.
type Verdicts struct {
	Drifted     int `json:"drifted"`
	Stable      int `json:"stable"`
	TooFew      int `json:"too_few"`
	NotCompared int `json:"not_compared"`
}

// Feature is the comparison of one column.
type Feature struct {
	Name    string         `json:"name"` // the column
	Role    Role           `json:"role"`
	View    fstore.ViewRef `json:"view,omitzero"`     // the view version of a feature
	Source  string         `json:"feature,omitempty"` // the feature's name in the view
	Type    fstore.Type    `json:"type"`
	Measure Measure        `json:"measure"` // what of each value is compared
	Kind    stats.Kind     `json:"kind"`    // how it is divided: numbers, categories or presence

	Verdict Verdict `json:"verdict"`
	Missing bool    `json:"missing,omitempty"` // it is not compared because the current side lacks what it should have: the column, or the published view
	Reason  string  `json:"reason"`            // one sentence in plain English: which checks are over, or why there is no verdict

	// Checks are all that were made, in a fixed order. A check without a threshold is only shown. Empty if the column cannot be compared at all.
	Checks []Check `json:"checks"`

	NotAuto string `json:"not_auto,omitempty"` // why thresholds of auto are the defaults, in a sentence; absent: they are not, or there are none

	// TakenOut are rows of the training set that Reference leaves out, because the feature's view had no value for them. They held
	// nulls or the feature's default.
	TakenOut int64 `json:"taken_out,omitempty"`

	Reference Figures  `json:"reference"`
	Current   *Figures `json:"current,omitempty"` // absent if the current rows lack the column

	LookUps *LookUps `json:"look_ups,omitempty"` // of the current rows; absent unless these are of a served log

	// Bins divide the values: of numbers in ascending order, of categories with the most frequent of the reference first. Empty for
	// presence.
	Bins []Bin `json:"bins"`

	// Unseen are categories that the reference does not have, the most frequent first: at most 10.
	Unseen []Category `json:"unseen,omitempty"`

	Windows []Window `json:"windows,omitempty"` // one for each of Comparison.Windows
}

// Role says what a column is to the model.
type Role string

// The roles of columns.
const (
	RoleFeature Role = "feature"
	RoleTarget  Role = "target" // a column that the model learns to predict
)

// Measure is what of a value is compared.
type Measure string

// The measures.
const (
	Value Measure = "value"
	Age   Measure = "age"  // of an instant: seconds from the value to the row's instant T, negative if the value is later
	Norm  Measure = "norm" // of a list of numbers: its Euclidean length
)

// Check is one score with the threshold that it is held to.
type Check struct {
	Name CheckName `json:"name"`

	// Value is the score. It is null if it could not be computed, for example the Wasserstein distance from a constant reference. One
	// that is beyond float64 is the greatest of its numbers.
	Value *float64 `json:"value"`

	// AtMost bounds the exact score of the rows from above, where bins only tell Value as a lower bound (KS and Wasserstein).
	AtMost *float64 `json:"at_most,omitempty"`

	// Exact says that Value is that of the rows of both sides, where bins would only give bounds. PValue is the chance that two samples of
	// these sizes from one distribution have a score as high, near 0 too: an estimate within 10 % if it is above 1e-9. Both are of KS.
	Exact  bool     `json:"exact,omitempty"`
	PValue *float64 `json:"p_value,omitempty"`

	Threshold     *float64 `json:"threshold,omitempty"`      // absent: the score is shown and decides nothing
	ThresholdFrom Origin   `json:"threshold_from,omitempty"` // who set Threshold, or took it away; absent: it has none by default
	Auto          bool     `json:"auto,omitempty"`           // Threshold follows from the reference's own windows

	// Noise is meant to be what the score of two samples of these sizes from one distribution exceeds once in a thousand times. A score
	// up to it is never an alarm.
	Noise *float64 `json:"noise,omitempty"`

	Over bool `json:"over"` // Value is at or above Threshold, and above Noise
}

// CheckName names a score.
type CheckName = fstore.DriftCheck

// The scores. Each function that computes one documents its formula and source.
const (
	CheckNullRate    = fstore.DriftNullRate
	CheckUnseen      = fstore.DriftUnseen
	CheckOutOfRange  = fstore.DriftOutOfRange
	CheckWasserstein = fstore.DriftWasserstein
	CheckPSI         = fstore.DriftPSI
	CheckJS          = fstore.DriftJS
	CheckKS          = fstore.DriftKS
	CheckCosine      = fstore.DriftCosine
)

// Figures are counts of one side of a feature. Rows = Nulls + NaNs + Below + the bins + Above + Other.
type Figures struct {
	Rows  int64    `json:"rows"`
	Nulls int64    `json:"nulls"`
	NaNs  int64    `json:"nans"`
	Below int64    `json:"below"`          // numbers below the first bin, -Infinity included
	Above int64    `json:"above"`          // numbers above the last bin, Infinity included
	Other int64    `json:"other"`          // values in categories that are not listed in Bins; Unseen has examples
	Mean  *float64 `json:"mean,omitempty"` // of the finite numbers; absent without one, and where it is unknown
}

// Missing returns the share of rows that are null or NaN; 0 of no rows.
func (f *Figures) Missing() float64 {
	if f.Rows == 0 {
		return 0
	}
	return float64(f.Nulls+f.NaNs) / float64(f.Rows)
}

// Bin is a part of the values and how many of them each side has. Of numbers it holds those above From, up to and including UpTo;
// the first bin also holds From. Of categories it is Category.
type Bin struct {
	From      *float64 `json:"from,omitempty"`
	UpTo      *float64 `json:"up_to,omitempty"`
	Category  *string  `json:"category,omitempty"` // text, "true" or "false"; bytes in base64
	Reference int64    `json:"reference"`
	Current   int64    `json:"current"`
}

// Category is a category and how often it occurs in the current rows.
type Category struct {
	Category string `json:"category"`
	Current  int64  `json:"current"`
}

// Span is a window of the current rows: From inclusive, To exclusive.
type Span struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	Rows int64     `json:"rows"`
}

// Window is the comparison of a feature with the reference in one of Comparison.Windows.
type Window struct {
	Verdict Verdict  `json:"verdict"`
	Checks  []Check  `json:"checks"`
	Figures Figures  `json:"figures"`
	LookUps *LookUps `json:"look_ups,omitempty"` // absent unless the rows are of a served log
}
