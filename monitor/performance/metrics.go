package performance

import (
	"cmp"
	"math"
	"slices"
	"sort"
)

// sum adds numbers and keeps what is lost to rounding (Neumaier, https://doi.org/10.1002/zamm.19740540106).
type sum struct{ total, lost float64 }

func (s *sum) add(x float64) {
	t := s.total + x
	if math.Abs(s.total) >= math.Abs(x) {
		s.lost += s.total - t + x
	} else {
		s.lost += x - t + s.total
	}
	s.total = t
}

func (s *sum) over(n int) *float64 { return finite((s.total + s.lost) / float64(n)) }

// share returns part of whole, or nil if the whole is nothing.
func share(part, whole int) *float64 {
	if whole == 0 {
		return nil
	}
	return finite(float64(part) / float64(whole))
}

// regression returns the metrics of amounts.
func regression(rows []pair) *Metrics {
	var absolute, square, bias sum
	for _, r := range rows {
		e := r.prediction - r.label
		absolute.add(math.Abs(e))
		square.add(e * e)
		bias.add(e)
	}
	m := &Metrics{MAE: absolute.over(len(rows)), Bias: bias.over(len(rows))}
	if mean := square.over(len(rows)); mean != nil {
		m.RMSE = finite(math.Sqrt(*mean))
	}
	return m
}

// binary returns the metrics of labels that are 0 or 1.
func binary(rows []pair, threshold float64) *Metrics {
	var right, positives, predicted, both int
	for _, r := range rows {
		is, said := r.label == 1, r.prediction >= threshold
		if is {
			positives++
		}
		if said {
			predicted++
		}
		if is && said {
			both++
		}
		if is == said {
			right++
		}
	}
	n := len(rows)
	m := &Metrics{Positives: share(positives, n), Accuracy: share(right, n), Precision: share(both, predicted), Recall: share(both, positives), AUC: auc(rows, positives)}
	if !areProbabilities(rows) {
		return m
	}
	var loss, brier sum
	for _, r := range rows {
		// scikit-learn keeps probabilities this far from 0 and 1.
		p := min(max(r.prediction, epsilon), 1-epsilon)
		if r.label == 0 {
			p = 1 - p
		}
		loss.add(-math.Log(p))
		e := r.prediction - r.label
		brier.add(e * e)
	}
	m.LogLoss, m.Brier, m.ECE = loss.over(n), brier.over(n), expectedError(calibration(rows), n)
	return m
}

const epsilon = 0x1p-52

// areProbabilities reports whether all predictions are from 0 to 1.
func areProbabilities(rows []pair) bool {
	return !slices.ContainsFunc(rows, func(r pair) bool { return r.prediction < 0 || r.prediction > 1 })
}

// auc returns the share of pairs of a positive and a negative row in which the positive one has the larger score; equal scores count
// half. All counts are exact, up to 2^53 pairs.
func auc(rows []pair, positives int) *float64 {
	negatives := len(rows) - positives
	if positives == 0 || negatives == 0 {
		return nil
	}
	byScore := func(a, b pair) int { return cmp.Compare(a.prediction, b.prediction) }
	if !slices.IsSortedFunc(rows, byScore) {
		rows = slices.Clone(rows)
		slices.SortFunc(rows, byScore)
	}
	var won float64
	below := 0 // negative rows with smaller scores
	for i := 0; i < len(rows); {
		p, n := 0, 0
		for score := rows[i].prediction; i < len(rows) && rows[i].prediction == score; i++ {
			if rows[i].label == 1 {
				p++
			} else {
				n++
			}
		}
		won += float64(p) * (float64(below) + float64(n)/2)
		below += n
	}
	return finite(won / float64(positives) / float64(negatives))
}

const calibrationBins = 10

// calibration returns bins of equal width, as scikit-learn's calibration_curve has them.
func calibration(rows []pair) []Bin {
	width := 1.0 / calibrationBins
	bins := make([]Bin, calibrationBins)
	var inner []float64
	for i := range bins {
		bins[i].From, bins[i].UpTo = float64(i)*width, float64(i+1)*width
		inner = append(inner, bins[i].UpTo)
	}
	bins[calibrationBins-1].UpTo = 1
	inner = inner[:calibrationBins-1]
	scores, positives := make([]sum, calibrationBins), make([]int, calibrationBins)
	for _, r := range rows {
		i := sort.SearchFloat64s(inner, r.prediction)
		bins[i].Rows++
		scores[i].add(r.prediction)
		if r.label == 1 {
			positives[i]++
		}
	}
	for i := range bins {
		if n := int(bins[i].Rows); n > 0 {
			bins[i].Predicted, bins[i].Positives = scores[i].over(n), share(positives[i], n)
		}
	}
	return bins
}

// expectedError returns the mean distance of the calibration curve from its diagonal, by rows.
func expectedError(bins []Bin, rows int) *float64 {
	var total sum
	for _, b := range bins {
		if b.Rows > 0 {
			total.add(float64(b.Rows) * math.Abs(*b.Predicted-*b.Positives))
		}
	}
	return total.over(rows)
}
