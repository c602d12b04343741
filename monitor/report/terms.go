package report

import (
	"fmt"
	"slices"

	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/monitor/drift"
)

// meanings say what each score is, in the order of the page.
var meanings = []struct {
	name drift.CheckName
	says string
}{
	{drift.CheckNullRate, "How far the share of rows that are null or NaN moved, up or down. 2 % means from 1 % to 3 %, for example."},
	{drift.CheckWasserstein, "How far values moved on average, in standard deviations of the reference. 0 is no change; 1 is a shift of one standard deviation."},
	{drift.CheckJS, "The Jensen-Shannon distance (JS, base 2) between the shares of both sides: 0 if they are equal, 1 if they have nothing in common."},
	{drift.CheckPSI, "The population stability index: the sum over bins of (current − reference) · ln(current / reference). By custom, 0.1 is a change worth a look and 0.2 a large one."},
	{drift.CheckKS, "The Kolmogorov-Smirnov statistic (KS): the greatest difference between the two cumulative distributions, 0 to 1. With p, it is that of the rows, and p is the chance of a value as high without drift; otherwise bins bound it."},
	{drift.CheckCosine, "How far lists of numbers, such as embeddings, turned: how far their cosines to the mean direction of the reference moved on average, in standard deviations."},
	{drift.CheckUnseen, "The share of values that do not occur in the reference: other categories, or numbers between its few numbers."},
	{drift.CheckOutOfRange, "The share of values below the reference’s smallest or above its greatest."},
}

// termsOf explains the scores and the words that this comparison uses.
func termsOf(c *drift.Comparison) []term {
	out := []term{{"Missing", "The share of the current rows that are null or NaN."}}
	for _, m := range meanings {
		if held, used := limitsOf(c, m.name); used {
			out = append(out, term{measureNames[m.name], m.says + held})
		}
	}
	out = append(out,
		term{"A range of scores", "Bins tell some scores only within bounds: “0.12 to 0.15” means that the exact score lies between the two. The lower one decides."},
		term{"May be chance", "The score is over its threshold, but two samples of these sizes from one distribution would reach it more often than once in a thousand times. It is no alarm."},
		term{"Bins", "Their edges are fixed by the reference, so that each bin has about as many of its values as any other. A flat reference is by design; look at how the outline departs from it. PSI and Jensen-Shannon count what is outside the range in the outermost bins."},
		term{"Too few rows", fmt.Sprintf("Fewer than %s rows or values on one side.", english.Thousands(c.MinRows))},
	)
	return out
}

// limitsOf says to which thresholds a score is held, and reports whether any feature has the score.
func limitsOf(c *drift.Comparison, name drift.CheckName) (says string, used bool) {
	var limits []float64
	for _, f := range c.Features {
		for _, k := range f.Checks {
			if k.Name != name {
				continue
			}
			used = true
			if k.Threshold != nil && !slices.Contains(limits, *k.Threshold) {
				limits = append(limits, *k.Threshold)
			}
		}
	}
	slices.Sort(limits)
	switch len(limits) {
	case 0:
		return " It is shown and decides nothing.", used
	case 1:
		return fmt.Sprintf(" Drifted from %s.", limit(name, limits[0])), used
	}
	return fmt.Sprintf(" Drifted from %s to %s, as the feature states.", limit(name, limits[0]), limit(name, limits[len(limits)-1])), used
}
