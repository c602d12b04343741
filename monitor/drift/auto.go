package drift

import (
	"fmt"
	"math"
	"slices"

	"github.com/fstore-dev/fstore"
)

// A threshold of auto is the mean of a score over windows of the reference, compared with the whole of it, and three standard deviations
// (as in NannyML). It is at least a tenth of the usual threshold: a score that never moved does not say how far it may.
const (
	AutoWindows      = 20 // that a reference is cut into, at most
	leastAutoWindows = 5
	autoDeviations   = 3
)

// usual are thresholds of which a threshold of auto is at least a tenth.
var usual = map[CheckName]float64{CheckNullRate: 0.01, CheckWasserstein: 0.1, CheckPSI: 0.2, CheckJS: 0.1, CheckKS: 0.1, CheckCosine: 0.1}

// Auto returns the columns whose thresholds follow from windows of the reference.
func (c *Counter) Auto(o Options) (out []Column) {
	for _, of := range c.columns {
		if t, off := o.thresholds(of.compared); off == "" && of.why == "" && t.auto() {
			out = append(out, of.Column)
		}
	}
	return out
}

func (t thresholds) auto() bool {
	for _, x := range t {
		if x.Mode == fstore.DriftAuto {
			return true
		}
	}
	return false
}

// NewWindows returns a counter of windows of a reference's own rows, for Learn. Window i has the instants up to ends[i]; ends ascend, and
// later instants are in none.
func NewWindows(columns []Column, at string, ends []int64) (*Counter, error) {
	return newCounter(columns, at, Whole, func(micros int64) (int64, bool) {
		i, _ := slices.BinarySearch(ends, micros)
		return int64(i), i < len(ends)
	})
}

// Learn takes thresholds of auto from what was counted of the reference's own windows. A column of which fewer than 5 windows have
// minimum values keeps the defaults.
func (c *Counter) Learn(windows *Counter, minimum int64) {
	for _, of := range windows.columns {
		for _, to := range c.columns {
			switch {
			case to.Name != of.Name:
			case to.takenOut > 0:
				to.notAuto = "Auto would compare rows without a value, which this comparison leaves out: the defaults hold."
			default:
				to.auto, to.notAuto = of.learned(minimum)
			}
		}
	}
}

// CannotLearn says why thresholds of auto are the defaults, in a sentence.
func (c *Counter) CannotLearn(reason string) {
	for _, of := range c.columns {
		of.notAuto = reason
	}
}

// learned returns thresholds, and why some are not there.
func (c *column) learned(minimum int64) (map[CheckName]float64, string) {
	scores := map[CheckName][]float64{}
	for i, window := range c.counts {
		if window.Rows() < minimum {
			continue
		}
		for _, s := range c.scores(window, c.cosinesIn(i), minimum) {
			if s.name.TakesAuto() && !math.IsNaN(s.value) {
				scores[s.name] = append(scores[s.name], s.value)
			}
		}
	}
	out := map[CheckName]float64{}
	for name, all := range scores {
		if len(all) >= leastAutoWindows {
			out[name] = max(autoOf(all), usual[name]/10)
		}
	}
	for _, name := range CheckNames {
		if _, has := scores[name]; has && len(scores[name]) < leastAutoWindows || len(out) == 0 {
			return out, fmt.Sprintf("Auto needs %d windows of the reference with %d rows and values each: the defaults hold.", leastAutoWindows, minimum)
		}
	}
	return out, ""
}

// autoOf returns the mean and three sample standard deviations.
func autoOf(scores []float64) float64 {
	mean, squares := 0.0, 0.0
	for _, x := range scores {
		mean += x / float64(len(scores))
	}
	for _, x := range scores {
		squares += (x - mean) * (x - mean)
	}
	return mean + autoDeviations*math.Sqrt(squares/float64(len(scores)-1))
}
