package performance

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fstore-dev/fstore/monitor/drift"
)

// AUC is the share of pairs that are in order, ties half: counted pair by pair.
func TestAUC(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) pair {
			return pair{float64(rapid.IntRange(0, 1).Draw(t, "label")), float64(rapid.IntRange(0, 5).Draw(t, "score")) / 5}
		}), 1, 40).Draw(t, "rows")
		won, pairs, positives := 0.0, 0.0, 0
		for _, p := range rows {
			positives += int(p.label)
			for _, n := range rows {
				if p.label != 1 || n.label != 0 {
					continue
				}
				pairs++
				switch {
				case p.prediction > n.prediction:
					won++
				case p.prediction == n.prediction:
					won += 0.5
				}
			}
		}
		got := auc(rows, positives)
		if pairs == 0 {
			if got != nil {
				t.Fatalf("%v without pairs", *got)
			}
			return
		}
		if got == nil || math.Abs(*got-won/pairs) > 1e-15 {
			t.Fatalf("%v, want %v", got, won/pairs)
		}
	})
}

func judge(t *testing.T, rows *Rows, o Options) *Result {
	t.Helper()
	r, err := Judge(rows, nil, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Fewer rows than the minimum are not judged, in a window and in all.
func TestTooFewRows(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	rows := NewRows(drift.Day)
	for i := range 399 {
		rows.Add(day.Add(time.Duration(i/200)*24*time.Hour).UnixMicro(), float64(i%2), 0.5)
	}
	rows.Add(day.UnixMicro(), 1, math.NaN())
	r := judge(t, rows, Options{MinRows: 200, Threshold: 0.5, By: drift.Day})
	if len(r.Windows) != 2 || r.Windows[0].TooFew || r.Windows[0].Metrics == nil || !r.Windows[1].TooFew || r.Windows[1].Metrics != nil || r.Current.LeftOut != 1 {
		t.Errorf("%+v", r)
	}
	if r := judge(t, rows, Options{MinRows: 400, By: drift.Day}); !r.Current.TooFew || r.Current.Metrics != nil || r.Current.Calibration != nil {
		t.Errorf("%+v", r)
	}
}

// What is not defined is absent: nothing predicted, no positives, scores that are no probabilities.
func TestUndefinedMetrics(t *testing.T) {
	t.Parallel()
	rows := NewRows(drift.Whole)
	rows.Add(0, 0, 0.25)
	rows.Add(0, 0, 0.5)
	m := judge(t, rows, Options{Threshold: 0.75, MinRows: 1}).Current.Metrics
	if m.Precision != nil || m.Recall != nil || m.AUC != nil || *m.Accuracy != 1 || m.LogLoss == nil {
		t.Errorf("%+v", m)
	}
	rows.Add(0, 1, 3)
	m = judge(t, rows, Options{Threshold: 0.75, MinRows: 1}).Current.Metrics
	if m.LogLoss != nil || m.Brier != nil || m.ECE != nil || *m.AUC != 1 || *m.Precision != 1 {
		t.Errorf("%+v", m)
	}
	rows.Add(0, 2, 3)
	if r := judge(t, rows, Options{MinRows: 1}); r.Task != Regression || r.Threshold != nil || *r.Current.Metrics.MAE != (0.25+0.5+2+1)/4 {
		t.Errorf("%+v", r)
	}
	if _, err := Judge(rows, nil, Options{Task: Binary}); err == nil {
		t.Error("a label of 2 was judged as binary")
	}
}
