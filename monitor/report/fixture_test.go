package report

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/monitor/drift"
	"github.com/fstore-dev/fstore/stats"
)

// A made comparison is drawn from a seeded source: the same in every run. Its scores come from its bins by the plain formulas, so a
// report of it looks like one of real data. Package drift's own tests hold the real scores to an oracle.
type maker struct {
	rand    *rand.Rand
	rows    int
	windows int
}

var day = time.Date(2025, 11, 1, 0, 0, 0, 0, time.UTC)

// comparison has a feature of every verdict and of every kind.
func comparison() *drift.Comparison {
	m := &maker{rand.New(rand.NewPCG(1, 2)), 12_480, 30}
	normal := func(mean, sd float64) func(int) float64 {
		return func(int) float64 { return mean + sd*m.rand.NormFloat64() }
	}
	spend := func(scale float64) func(int) float64 {
		return func(int) float64 { return math.Round(100*scale*math.Exp(1.1*m.rand.NormFloat64())) / 100 }
	}
	c := &drift.Comparison{
		Reference: drift.Side{
			Kind: drift.TrainingSet, Name: "churn_2025", File: "/srv/shop/data/churn_2025.lock.json", Service: "churn@4",
			Created: time.Date(2025, 10, 3, 9, 12, 0, 0, time.UTC), Rows: int64(m.rows),
		},
		Current: drift.Side{
			Kind: drift.File, Name: "data/november.parquet", File: "/srv/shop/data/november.parquet", Rows: 30_000,
			Timestamp: "event_timestamp", From: day, To: day.AddDate(0, 0, 30),
		},
		ShareLimit: 0.5, MinRows: 200, By: "day",
	}
	for i := range m.windows {
		from := day.AddDate(0, 0, i)
		c.Windows = append(c.Windows, drift.Span{From: from, To: from.AddDate(0, 0, 1), Rows: 1000})
	}
	c.Features = []drift.Feature{
		m.numbers("spend_30d", "customer_spend", fstore.Float64, spend(40), spend(55), 0, 0),
		m.numbers("orders_90d", "customer_orders", fstore.Int64, func(int) float64 { return math.Floor(3 * m.rand.ExpFloat64()) },
			func(int) float64 { return math.Floor(3.05 * m.rand.ExpFloat64()) }, 0.002, 0.003),
		m.numbers("order_value", "customer_orders", fstore.Float64, normal(78, 22), normal(79, 22), 0.01, 0.012),
		m.numbers("basket_size", "customer_orders", fstore.Float64, normal(6, 2), func(i int) float64 { return 6 + float64(i)/9000 + 2.1*m.rand.NormFloat64() }, 0.004, 0.13),
		m.numbers("session_seconds", "sessions", fstore.Float64, normal(300, 60), normal(700, 40), 0, 0),
		m.categories("country", "customer", []string{"United Kingdom", "Germany", "France", "EIRE", "Spain", "Netherlands"},
			[]float64{0.62, 0.12, 0.11, 0.08, 0.05, 0.02}, []float64{0.48, 0.17, 0.12, 0.06, 0.05, 0.02}, []drift.Category{{Category: "Türkiye", Current: 2100}, {Category: "日本", Current: 400}}),
		m.categories("is_returning", "customer", []string{"false", "true"}, []float64{0.4, 0.6}, []float64{0.41, 0.59}, nil),
		m.numbers("devices", "sessions", fstore.Int32, func(int) float64 { return 1 + math.Floor(0.7*m.rand.ExpFloat64()) },
			func(int) float64 { return 1 + math.Floor(0.72*m.rand.ExpFloat64()) }, 0, 0),
		m.numbers("last_login", "sessions", fstore.Timestamp, func(int) float64 { return 86400 * 9 * m.rand.ExpFloat64() }, func(int) float64 { return 86400 * 9.2 * m.rand.ExpFloat64() }, 0.02, 0.02),
		{
			Name: "loyalty_tier", Role: drift.RoleFeature, View: fstore.ViewRef{Name: "customer", Version: 2}, Source: "loyalty_tier", Type: fstore.String, Measure: drift.Value,
			Kind: stats.Categories, Verdict: drift.NotCompared, Reason: "The current rows have no column loyalty_tier.", Reference: drift.Figures{Rows: int64(m.rows), Nulls: 12},
		},
	}
	f := &c.Features[8]
	f.Measure, f.Type = drift.Age, fstore.Timestamp
	few := m.numbers("refund_value", "refunds", fstore.Float64, normal(30, 9), normal(44, 9), 0.98, 0.995)
	few.Verdict, few.Reason, few.Windows = drift.TooFew, "A verdict needs 200 values, and there are 150 current ones.", nil
	for i := range few.Checks {
		few.Checks[i].Over = false
	}
	target := m.categories("is_churned", "", []string{"false", "true"}, []float64{0.9, 0.1}, []float64{0.86, 0.14}, nil)
	target.Role, target.View, target.Source = drift.RoleTarget, fstore.ViewRef{}, ""
	c.Features = append(c.Features, few, target)
	conclude(c)
	return c
}

// conclude counts the verdicts, as package drift does.
func conclude(c *drift.Comparison) {
	for _, f := range c.Features {
		if f.Role == drift.RoleTarget {
			continue
		}
		switch f.Verdict {
		case drift.Drifted:
			c.Counts.Drifted++
		case drift.Stable:
			c.Counts.Stable++
		case drift.TooFew:
			c.Counts.TooFew++
		case drift.NotCompared:
			c.Counts.NotCompared++
		}
	}
	c.Share = float64(c.Counts.Drifted) / float64(max(1, c.Counts.Drifted+c.Counts.Stable))
	c.Verdict = drift.Stable
	if c.Share > c.ShareLimit {
		c.Verdict = drift.Drifted
	}
}

// numbers makes a feature of numbers: 20 bins of equal counts, and windows of 1,000 rows. A value may depend on its row.
func (m *maker) numbers(name, view string, typ fstore.Type, reference, current func(int) float64, nullReference, nullCurrent float64) drift.Feature {
	draw := func(n int, of func(int) float64, nulls float64) (values []float64) {
		for i := range n {
			if v := of(i); m.rand.Float64() >= nulls {
				values = append(values, v)
			}
		}
		return values
	}
	old := draw(m.rows, reference, nullReference)
	slices.Sort(old)
	edges := []float64{old[0]}
	for i := 1; i <= 20; i++ {
		if e := old[(len(old)-1)*i/20]; e > edges[len(edges)-1] || i == 1 { // the least value may be a bin by itself
			edges = append(edges, e)
		}
	}
	f := drift.Feature{Name: name, Role: drift.RoleFeature, View: fstore.ViewRef{Name: view, Version: 3}, Source: name, Type: typ, Measure: drift.Value, Kind: stats.Numbers}
	var counted []int64
	f.Reference, counted = count(edges, old, m.rows)
	var all []int64
	figures := drift.Figures{}
	for w := range m.windows {
		values := draw(1000, func(i int) float64 { return current(w*1000 + i) }, nullCurrent)
		g, bins := count(edges, values, 1000)
		window := drift.Window{Figures: g}
		window.Checks = scores(&f.Reference, &g, counted, bins, edges)
		window.Verdict = judged(window.Checks)
		f.Windows = append(f.Windows, window)
		if all == nil {
			all = make([]int64, len(bins))
		}
		for i, n := range bins {
			all[i] += n
		}
		mean := (value(figures.Mean)*float64(w) + value(g.Mean)) / float64(w+1)
		figures = drift.Figures{Rows: figures.Rows + g.Rows, Nulls: figures.Nulls + g.Nulls, Below: figures.Below + g.Below, Above: figures.Above + g.Above, Mean: &mean}
	}
	f.Current = &figures
	for i := range all {
		f.Bins = append(f.Bins, drift.Bin{From: &edges[i], UpTo: &edges[i+1], Reference: counted[i], Current: all[i]})
	}
	f.Checks = scores(&f.Reference, f.Current, counted, all, edges)
	f.Verdict = judged(f.Checks)
	f.Reason = reason(f.Checks)
	return f
}

func value(x *float64) float64 {
	if x == nil {
		return 0
	}
	return *x
}

func count(edges, values []float64, rows int) (drift.Figures, []int64) {
	f := drift.Figures{Rows: int64(rows), Nulls: int64(rows - len(values))}
	bins := make([]int64, len(edges)-1)
	sum := 0.0
	for _, v := range values {
		sum += v
		i, _ := slices.BinarySearch(edges, v)
		switch {
		case i == 0 && v < edges[0]:
			f.Below++
		case i == len(edges):
			f.Above++
		default:
			bins[max(i-1, 0)]++
		}
	}
	if len(values) > 0 {
		mean := sum / float64(len(values))
		f.Mean = &mean
	}
	return f, bins
}

// scores computes null rate, Wasserstein (of the means, which is enough to look at), PSI and JS.
func scores(reference, current *drift.Figures, old, now []int64, edges []float64) []drift.Check {
	check := func(name drift.CheckName, v float64, threshold float64) drift.Check {
		k := drift.Check{Name: name, Value: &v}
		if threshold > 0 {
			k.Threshold, k.Over = &threshold, v >= threshold
		}
		return k
	}
	var psi, js float64
	n, o := float64(current.Rows-current.Nulls), float64(reference.Rows-reference.Nulls)
	add := func(a, b int64) {
		p, q := float64(a)/o, float64(b)/n
		if p > 0 {
			js += p * math.Log2(2*p/(p+q)) / 2
		}
		if q > 0 {
			js += q * math.Log2(2*q/(p+q)) / 2
		}
		p, q = max(p, 1e-4), max(q, 1e-4)
		psi += (q - p) * math.Log(q/p)
	}
	add(reference.Below, current.Below)
	add(reference.Above, current.Above)
	for i := range old {
		add(old[i], now[i])
	}
	out := []drift.Check{check(drift.CheckNullRate, math.Abs(reference.Missing()-current.Missing()), 0.01)}
	if edges != nil {
		spread := (edges[len(edges)*3/4] - edges[len(edges)/4]) / 1.35
		w := check(drift.CheckWasserstein, math.Abs(value(current.Mean)-value(reference.Mean))/spread, 0.1)
		most := *w.Value * 1.1
		w.AtMost = &most
		out = append(out, check(drift.CheckOutOfRange, float64(current.Below+current.Above)/n, 0.01), w)
	}
	if edges == nil {
		return append(out, check(drift.CheckUnseen, float64(current.Other)/n, 0.01), check(drift.CheckPSI, psi, 0), check(drift.CheckJS, math.Sqrt(js), 0.1))
	}
	return append(out, check(drift.CheckPSI, psi, 0.2), check(drift.CheckJS, math.Sqrt(js), 0))
}

func judged(checks []drift.Check) drift.Verdict {
	if slices.ContainsFunc(checks, func(k drift.Check) bool { return k.Over }) {
		return drift.Drifted
	}
	return drift.Stable
}

func reason(checks []drift.Check) string {
	says := map[drift.CheckName]string{
		drift.CheckNullRate: "the share of nulls changed by %.1f %%", drift.CheckOutOfRange: "%.1f %% of the values are out of the reference's range",
		drift.CheckUnseen:      "%.1f %% of the values do not occur in the reference",
		drift.CheckWasserstein: "values moved by %.3g standard deviations (Wasserstein)", drift.CheckPSI: "PSI is %.3g", drift.CheckJS: "Jensen-Shannon distance is %.3g",
	}
	var out []string
	for _, k := range checks {
		switch {
		case k.Over && isShare(k.Name):
			out = append(out, fmt.Sprintf(says[k.Name], 100**k.Value))
		case k.Over:
			out = append(out, fmt.Sprintf(says[k.Name], *k.Value))
		}
	}
	if len(out) == 0 {
		return "No check is over its threshold."
	}
	return strings.ToUpper(out[0][:1]) + strings.Join(out, ", ")[1:] + "."
}

func (m *maker) categories(name, view string, values []string, reference, current []float64, unseen []drift.Category) drift.Feature {
	f := drift.Feature{Name: name, Role: drift.RoleFeature, View: fstore.ViewRef{Name: view, Version: 2}, Source: name, Type: fstore.String, Measure: drift.Value, Kind: stats.Categories, Unseen: unseen}
	f.Reference.Rows, f.Current = int64(m.rows), &drift.Figures{Rows: 30_000}
	if name[:3] == "is_" {
		f.Type = fstore.Bool
	}
	var old, now []int64
	for i, v := range values {
		b := drift.Bin{Category: &v, Reference: int64(reference[i] * float64(m.rows)), Current: int64(current[i] * 30_000)}
		f.Bins = append(f.Bins, b)
		old, now = append(old, b.Reference), append(now, b.Current)
		f.Reference.Nulls -= b.Reference
		f.Current.Nulls -= b.Current
	}
	for _, u := range unseen {
		f.Current.Other += u.Current
	}
	f.Reference.Nulls += f.Reference.Rows
	f.Current.Nulls += f.Current.Rows - f.Current.Other
	f.Checks = scores(&f.Reference, f.Current, old, now, nil)
	f.Verdict, f.Reason = judged(f.Checks), reason(f.Checks)
	for range m.windows {
		f.Windows = append(f.Windows, drift.Window{Verdict: f.Verdict, Checks: f.Checks, Figures: *f.Current})
	}
	return f
}
