package skew

import (
	"context"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/fstore-dev/fstore"
)

// publications are those of a group of rows, for each of its views.
type publications struct {
	published, runAt []time.Time // zero: none; runAt is of a run in flight
	standings        []Standing  // of both runs of a view; "": not asked yet
	changed          [][]string  // inputs of both runs of a view
}

func publicationsOf(g *Rows) *publications {
	n := len(g.Views)
	p := &publications{make([]time.Time, n), make([]time.Time, n), make([]Standing, n), make([][]string, n)}
	for v := range g.Views {
		if !g.Published[v].IsNull(0) {
			p.published[v] = fstore.FromMicros(g.Published[v].Int64s[0])
		}
		if !g.RunAt[v].IsNull(0) {
			p.runAt[v] = fstore.FromMicros(g.RunAt[v].Int64s[0])
		}
	}
	return p
}

// between reports whether values of a view may be of either of two instants.
func (p *publications) between(v int) bool {
	return !p.runAt[v].IsZero() && !p.runAt[v].Equal(p.published[v])
}

// maxBetween is for how many views all combinations of their two instants are replayed.
const maxBetween = 3

// instants returns what values may be of, by view: all combinations of the published instants and those of runs in flight, the
// published ones first. With too many views, only all published instants, and all of the runs in flight.
func (p *publications) instants() [][]time.Time {
	all := [][]time.Time{p.published}
	var between []int
	for v := range p.published {
		if p.between(v) {
			between = append(between, v)
		}
	}
	if len(between) > maxBetween {
		at := slices.Clone(p.published)
		for _, v := range between {
			at[v] = p.runAt[v]
		}
		return append(all, at)
	}
	for _, v := range between {
		for _, at := range all {
			other := slices.Clone(at)
			other[v] = p.runAt[v]
			all = append(all, other)
		}
	}
	return all
}

// covers reports whether replays as of instants give every value that a feature may have had. Two look-ups of one view may have
// found one key as of either instant, and a replay reads a view as of one.
func (p *publications) covers(g *Rows, f int, replays int) bool {
	seen := 0
	for v, view := range g.Views {
		if !p.between(v) {
			continue
		}
		n := 0
		for _, read := range g.Features[f].Reads {
			if read == view {
				n++
			}
		}
		if n > 1 {
			return false
		}
		seen += n
	}
	return 1<<seen <= replays
}

// group compares rows of the same publications.
func (r *runner) group(ctx context.Context, g *Rows) error {
	p := publicationsOf(g)
	problems, comparable := map[string]bool{}, false
	for i := range g.Features {
		if problem := g.Features[i].Problem; problem != "" {
			problems[problem] = true
		} else {
			comparable = true
		}
	}
	if !comparable {
		for range g.Len {
			r.skip(g, strings.Join(slices.Sorted(maps.Keys(problems)), "; "))
		}
		return nil
	}
	var replays []*Replayed
	for _, at := range p.instants() {
		again, err := r.o.Replayer.Replay(ctx, g, at)
		if err != nil {
			return err
		}
		replays = append(replays, again)
	}
	for row := range g.Len {
		if err := failureOf(replays, row); err != nil {
			r.skip(g, "it cannot be replayed: "+err.Error())
			continue
		}
		r.result.Compared++
		uncovered := false
		for f := range g.Features {
			if g.Features[f].Problem != "" {
				r.of(g.Features[f].View).NotProvable++
			} else if !r.equal(g, replays, row, f) {
				uncovered = !r.differs(ctx, g, p, replays, row, f) || uncovered
			}
		}
		for problem := range problems {
			r.because(problem)
		}
		if uncovered {
			r.because("a feature reads several values that a run in flight may have replaced or not, in more combinations than are compared")
		}
	}
	r.o.Progress(int64(g.Len))
	return nil
}

func failureOf(replays []*Replayed, row int) error {
	for _, again := range replays {
		if err := again.Failed[row]; err != nil {
			return err
		}
	}
	return nil
}

// equal counts a value that is equal to one of the replays, and reports whether it is.
func (r *runner) equal(g *Rows, replays []*Replayed, row, f int) bool {
	counts, status := r.of(g.Features[f].View), g.Statuses[row][f]
	for _, again := range replays {
		now := again.Statuses[row][f]
		same := status == now || r.absent(status) && r.absent(now) // stale and never seen count as one
		if !same || !bitsEqual(&g.Values[f], row, &again.Values[f], row) {
			continue
		}
		if status == r.o.Expired || now == r.o.Expired {
			counts.Expired++
		} else {
			counts.Equal++
		}
		return true
	}
	return false
}

// differs judges a value that is equal to none of the replays. It returns false if replays do not cover what it may have been.
func (r *runner) differs(ctx context.Context, g *Rows, p *publications, replays []*Replayed, row, f int) bool {
	counts := r.of(g.Features[f].View)
	if !p.covers(g, f, len(replays)) {
		counts.NotProvable++
		return false
	}
	standing, changed := r.standing(ctx, g, p, f)
	outcome := Wrong
	switch standing {
	case SameInputs:
		counts.Wrong++
	case ChangedInputs:
		outcome = SourceChanged
		counts.SourceChanged++
	case OtherBuild, Unknown:
		outcome = NotProvable
		counts.NotProvable++
		counts.Unexplained++
	}
	r.show(g, p, replays[0], row, f, Difference{Outcome: outcome, Inputs: standing, Changed: changed})
	return true
}

func (r *runner) absent(status byte) bool { return status == r.o.NotFound || status == r.o.Expired }

// standing returns what is known of the inputs of a feature: of the views that it reads, the one that explains most, and what has
// changed of any. It asks once for each group, after its replays: a source that changes later explains nothing about them.
func (r *runner) standing(ctx context.Context, g *Rows, p *publications, f int) (Standing, []string) {
	rank := []Standing{SameInputs, Unknown, OtherBuild, ChangedInputs}
	worst := 0
	var changed []string
	for v, view := range g.Views {
		if p.published[v].IsZero() || !slices.Contains(g.Features[f].Reads, view) {
			continue
		}
		if p.standings[v] == "" {
			runs := []string{first(&g.Run[v])}
			if !p.runAt[v].IsZero() {
				runs = append(runs, first(&g.InFlight[v]))
			}
			of := 0
			for _, run := range runs {
				standing, what := r.o.Replayer.Standing(ctx, view, run)
				of, p.changed[v] = max(of, slices.Index(rank, standing)), append(p.changed[v], what...)
			}
			p.standings[v] = rank[of]
		}
		worst, changed = max(worst, slices.Index(rank, p.standings[v])), append(changed, p.changed[v]...)
	}
	slices.Sort(changed)
	return rank[worst], slices.Compact(changed)
}

// first returns the first text of a column; null is empty.
func first(c *fstore.Column) string {
	if c.IsNull(0) {
		return ""
	}
	return c.Strings[0]
}

// show keeps a difference to be shown, the wrong ones first. d has its outcome and what is known of its inputs.
func (r *runner) show(g *Rows, p *publications, again *Replayed, row, f int, d Difference) {
	r.result.differencesN++
	all := r.result.Differences
	if len(all) >= r.o.Shown {
		if d.Outcome != Wrong || all[len(all)-1].Outcome == Wrong {
			return
		}
		all = all[:len(all)-1]
	}
	feature := &g.Features[f]
	d.Request, d.Row, d.At, d.View, d.Feature = g.Request[row], g.Row[row], fstore.FromMicros(g.At[row]), feature.View, feature.Name
	d.Sent = string((&fstore.Batch{Columns: g.Sent, Len: g.Len}).AppendRowJSON(nil, row))
	d.Served, d.Offline = r.text(&g.Values[f], row, g.Statuses[row][f]), r.text(&again.Values[f], row, again.Statuses[row][f])
	if v := slices.Index(g.Views, feature.View); v >= 0 {
		d.Published = p.published[v]
	}
	all = append(all, d)
	slices.SortStableFunc(all, func(a, b Difference) int { return severity(a.Outcome) - severity(b.Outcome) })
	r.result.Differences = all
}

func severity(o Outcome) int { return slices.Index([]Outcome{Wrong, NotProvable, SourceChanged}, o) }

func (r *runner) text(c *fstore.Column, row int, status byte) string {
	text := string(c.AppendJSON(nil, row))
	if status > 0 && int(status) < len(r.o.Statuses) {
		text += " " + r.o.Statuses[status]
	}
	return text
}

// bitsEqual reports whether an element of each column has the same bits: −0 is not 0, and every NaN is itself.
func bitsEqual(a *fstore.Column, i int, b *fstore.Column, j int) bool {
	if a.IsNull(i) || b.IsNull(j) || a.Type != b.Type {
		return a.IsNull(i) && b.IsNull(j)
	}
	n := 1
	if a.Type.IsList() {
		n = int(a.Offsets[i+1] - a.Offsets[i])
		if n != int(b.Offsets[j+1]-b.Offsets[j]) {
			return false
		}
		i, j = int(a.Offsets[i]), int(b.Offsets[j])
	}
	for k := range n {
		same := false
		if t := a.Type.Elem(); t == fstore.Float64 {
			same = math.Float64bits(a.Float64s[i+k]) == math.Float64bits(b.Float64s[j+k])
		} else if t == fstore.Float32 {
			same = math.Float32bits(a.Float32s[i+k]) == math.Float32bits(b.Float32s[j+k])
		} else {
			same = fstore.CompareElements(a, i+k, b, j+k) == 0
		}
		if !same {
			return false
		}
	}
	return true
}
