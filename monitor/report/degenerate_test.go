package report

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"golang.org/x/net/html"
	"pgregory.net/rapid"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/monitor/drift"
	"github.com/fstore-dev/fstore/stats"
)

// drawn draws a comparison of any shape: no rows, no bins, one value, huge numbers, scores that are missing, windows without values.
func drawn(t *rapid.T) *drift.Comparison {
	c := &drift.Comparison{
		Reference: drift.Side{Kind: drift.TrainingSet, Name: "r"}, Current: drift.Side{Kind: drift.Store, Name: "store"},
		ShareLimit: 0.5, MinRows: 200,
	}
	if n := rapid.IntRange(0, 4).Draw(t, "windows"); n > 0 {
		c.By = "day"
		from := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
		for range n {
			to := from.Add(24 * time.Hour)
			c.Windows = append(c.Windows, drift.Span{From: from, To: to, Rows: 1})
			from = to.Add(24 * time.Hour * time.Duration(rapid.IntRange(0, 400).Draw(t, "gap")))
		}
	}
	for i := range rapid.IntRange(0, 6).Draw(t, "features") {
		c.Features = append(c.Features, drawnFeature(t, fmt.Sprintf("f%d", i), len(c.Windows)))
	}
	conclude(c)
	return c
}

func drawnFeature(t *rapid.T, name string, windows int) drift.Feature {
	verdicts := []drift.Verdict{drift.Drifted, drift.Stable, drift.TooFew, drift.NotCompared}
	f := drift.Feature{
		Name: name, Type: fstore.Float64, Role: rapid.SampledFrom([]drift.Role{drift.RoleFeature, drift.RoleTarget}).Draw(t, "role"),
		Measure: rapid.SampledFrom([]drift.Measure{drift.Value, drift.Age, drift.Norm}).Draw(t, "measure"),
		Kind:    rapid.SampledFrom([]stats.Kind{stats.Numbers, stats.Categories, stats.Presence}).Draw(t, "kind"),
		Verdict: rapid.SampledFrom(verdicts).Draw(t, "verdict"), Reference: drawnFigures(t), Checks: drawnChecks(t),
	}
	if f.Verdict != drift.NotCompared || rapid.Bool().Draw(t, "has current") {
		figures := drawnFigures(t)
		f.Current = &figures
	}
	count := rapid.Int64Range(0, math.MaxInt64/64)
	if f.Kind == stats.Numbers {
		edges := rapid.SliceOfN(rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64), 2, 90).Draw(t, "edges")
		slices.Sort(edges)
		for i := range edges[1:] {
			f.Bins = append(f.Bins, drift.Bin{From: &edges[i], UpTo: &edges[i+1], Reference: count.Draw(t, "n"), Current: count.Draw(t, "n")})
		}
	}
	if f.Kind == stats.Categories {
		for i := range rapid.IntRange(0, 40).Draw(t, "categories") {
			name := fmt.Sprint("c", i)
			f.Bins = append(f.Bins, drift.Bin{Category: &name, Reference: count.Draw(t, "n"), Current: count.Draw(t, "n")})
		}
	}
	for range windows {
		f.Windows = append(f.Windows, drift.Window{Verdict: rapid.SampledFrom(verdicts).Draw(t, "verdict"), Figures: drawnFigures(t), Checks: drawnChecks(t)})
	}
	return f
}

func drawnFigures(t *rapid.T) drift.Figures {
	n := rapid.SampledFrom([]int64{0, 0, 1, 17, math.MaxInt64 / 64})
	f := drift.Figures{Rows: n.Draw(t, "rows"), Nulls: n.Draw(t, "nulls"), NaNs: n.Draw(t, "nans"), Below: n.Draw(t, "below"), Above: n.Draw(t, "above"), Other: n.Draw(t, "other")}
	if rapid.Bool().Draw(t, "has mean") {
		mean := rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64).Draw(t, "mean")
		f.Mean = &mean
	}
	return f
}

func drawnChecks(t *rapid.T) (out []drift.Check) {
	number := rapid.Ptr(rapid.Float64Range(0, 1e300), true)
	for name := range measureNames {
		out = append(out, drift.Check{Name: name})
	}
	slices.SortFunc(out, func(a, b drift.Check) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	out = out[:rapid.IntRange(0, len(out)).Draw(t, "checks")]
	for i := range out {
		k := &out[i]
		k.Value, k.AtMost, k.Threshold = number.Draw(t, "value"), number.Draw(t, "at most"), number.Draw(t, "threshold")
		k.Over = k.Value != nil && k.Threshold != nil && *k.Value >= *k.Threshold
	}
	return out
}

// Every comparison gives a page whose drawings are whole numbers within their boxes.
func TestEveryComparisonCanBeDrawn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var out bytes.Buffer
		if err := Write(&out, drawn(t)); err != nil {
			t.Fatal(err)
		}
		root, err := html.Parse(&out)
		if err != nil {
			t.Fatal(err)
		}
		for n := range root.Descendants() {
			if n.Data != "path" {
				continue
			}
			attribute := map[string]string{}
			for _, a := range n.Attr {
				attribute[a.Key] = a.Val
			}
			checkPath(t, attribute["d"])
			if attribute["class"] == "l" && attribute["d"] == "" {
				t.Fatal("a figure over time has no window")
			}
		}
	})
}

// checkPath fails unless a path stays within its box, or what could be the box of 90 bins.
func checkPath(t *rapid.T, d string) {
	x, y := 0, 0
	var command byte
	for i := 0; i < len(d); {
		if b := d[i]; b == ' ' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' {
			if b != ' ' {
				command = b
			}
			i++
			continue
		}
		var n int
		if _, err := fmt.Sscanf(d[i:], "%d", &n); err != nil {
			t.Fatalf("%q at %d: %v", d, i, err)
		}
		for i++; i < len(d) && d[i] >= '0' && d[i] <= '9'; i++ {
		}
		switch command {
		case 'H':
			x = n
		case 'h':
			x += n
		case 'V':
			y = n
		case 'v':
			y += n
		case 'M', 'L':
			if d[i-1] != ' ' && i < len(d) && d[i] == ' ' {
				x = n
			} else {
				y = n
			}
		}
		if x < 0 || x > max(shapeWidth, 100*columnWidth) || y < 0 || y > chartHeight {
			t.Fatalf("%q leaves its box at %d: %d, %d", d, i, x, y)
		}
	}
}
