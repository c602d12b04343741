package offline

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
)

// tens returns a causal view of minutes 0, 10, 20… of an hour, which yields a row five minutes after each of them.
func tens(r *repo) *fstore.ViewVersion {
	r.write("tens.parquet", "SELECT i AS id, TIMESTAMP '2024-01-01' + to_minutes((10 * i)::INT) AS ts, i AS x FROM range(12) t(i)")
	src := fstore.Source{Name: "tens", Path: "tens.parquet", Event: "ts", Available: fstore.Available{Stated: true}}
	v := query("SELECT id, ts + INTERVAL 5 MINUTE AS ts, x FROM tens", []string{"id int64"}, []string{"x int64"}, src)
	v.View.Event = "ts"
	return v
}

func minute(n float64) time.Time {
	return time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(n * float64(time.Minute)))
}

// candidatesOf returns the candidates of a check as minutes, those of output rows and those of input rows.
func candidatesOf(t *testing.T, r *repo, v *fstore.ViewVersion, req CausalityRequest) (output, input []float64) {
	t.Helper()
	c := &causality{v: v, input: v, req: req, out: &CausalityResult{}}
	var err error
	if c.session, err = r.e.sessionFor(t.Context(), v, nil); err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if c.full, err = c.rows(t.Context(), v, cut{known: req.AsOf}); err != nil {
		t.Fatal(err)
	}
	if err := c.exec(t.Context(), "CREATE TEMP TABLE _full AS\n"+c.foundSQL(c.full)); err != nil {
		t.Fatal(err)
	}
	if err := c.findCandidates(t.Context()); err != nil {
		t.Fatal(err)
	}
	of := func(where string) (out []float64) {
		at, err := c.instants(t.Context(), "SELECT p FROM _candidates WHERE "+where+" ORDER BY p")
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range at {
			out = append(out, p.Sub(minute(0)).Minutes())
		}
		return out
	}
	return of("output"), of("input")
}

// The candidates are the instants from which rows of the view or of its sources are visible, up to the last that a label
// sees: a label's instant counts as the candidate before it.
func TestCandidatesEndWithTheLastLabel(t *testing.T) {
	r := newRepo(t, 1)
	v := tens(r)
	at := func(n float64) *time.Time { p := minute(n); return &p }
	every := func(first, step, last float64) (out []float64) {
		for m := first; m <= last; m += step {
			out = append(out, m)
		}
		return out
	}
	schedule := &fstore.Publish{Every: fstore.Duration(30 * time.Minute), Offset: fstore.Duration(2 * time.Minute), Delay: fstore.Duration(7 * time.Minute)}
	for name, c := range map[string]struct {
		publish       *fstore.Publish
		req           CausalityRequest
		output, input []float64
	}{
		"no_label":                        {nil, CausalityRequest{}, every(5, 10, 115), every(0, 10, 110)},
		"a_label_between_candidates":      {nil, CausalityRequest{Until: at(34)}, every(5, 10, 25), every(0, 10, 30)},
		"a_label_at_a_candidate":          {nil, CausalityRequest{Until: at(30)}, every(5, 10, 25), every(0, 10, 30)},
		"a_label_before_all":              {nil, CausalityRequest{Until: at(-1)}, nil, nil},
		"next_publications":               {schedule, CausalityRequest{}, every(32, 30, 122), every(2, 30, 122)},
		"published_by_the_last_label":     {schedule, CausalityRequest{Until: at(69)}, every(32, 30, 62), every(2, 30, 62)},
		"not_servable_for_the_last_label": {schedule, CausalityRequest{Until: at(68.9)}, every(32, 30, 32), every(2, 30, 32)},
		"read_between_publications":       {schedule, CausalityRequest{Read: true, Until: at(34)}, every(5, 10, 25), every(0, 10, 30)},
		"rows_created_later_do_not_exist": {nil, CausalityRequest{AsOf: at(1)}, every(5, 10, 115), every(0, 10, 110)}, // says nothing of rows without a created time
	} {
		v.View.Publish = c.publish
		output, input := candidatesOf(t, r, v, c.req)
		if !slices.Equal(output, c.output) || !slices.Equal(input, c.input) {
			t.Errorf("%s:\n got %v and %v\nwant %v and %v", name, output, input, c.output, c.input)
		}
	}
}

// drawing is a check whose candidates are given, for tests of the draws alone.
func drawing(t testing.TB, r *repo, candidates string) *causality {
	t.Helper()
	c := &causality{v: &fstore.ViewVersion{Ref: fstore.ViewRef{Name: "v"}, Fingerprint: "f"}, out: &CausalityResult{}}
	var err error
	if c.session, err = r.e.session(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	if err := c.exec(t.Context(), "CREATE TEMP TABLE _candidates AS\n"+candidates); err != nil {
		t.Fatal(err)
	}
	if c.out.Candidates, err = c.count(t.Context(), "true"); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *causality) drawn(t testing.TB, instants int, seed uint64) (micros []int64) {
	t.Helper()
	c.req.Instants, c.req.Seed = instants, seed
	at, err := c.draw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range at {
		micros = append(micros, fstore.Micros(p))
	}
	return micros
}

// manyCandidates has 1,000 instants, of which the odd ones are of output rows alone.
const manyCandidates = "SELECT make_timestamp(i) AS p, i % 2 = 1 AS output, i % 2 = 0 AS input FROM range(1000) t(i)"

// Half of the instants are of rows of the view and half of rows of its sources; each half has one in each of as many
// periods. The same seed draws the same ones, another seed others.
func TestDrawsAreStratifiedAndRepeatable(t *testing.T) {
	r := newRepo(t, 1)
	c := drawing(t, r, manyCandidates)
	others := map[string]bool{}
	for seed := range uint64(20) {
		got := c.drawn(t, 8, seed)
		others[fmt.Sprint(got)] = true
		if again := c.drawn(t, 8, seed); !slices.Equal(got, again) {
			t.Fatalf("seed %d: %v, then %v", seed, got, again)
		}
		var periods [2][4]int
		for _, us := range got {
			periods[us%2][us/250]++
		}
		if periods != [2][4]int{{1, 1, 1, 1}, {1, 1, 1, 1}} {
			t.Errorf("seed %d: %v", seed, got)
		}
	}
	if len(others) < 19 {
		t.Errorf("%d different draws of 20 seeds", len(others))
	}
	for n, want := range map[int]int{1: 1, 3: 3, 999: 999, 1000: 1000, 5000: 1000, AllInstants: 1000} {
		got := c.drawn(t, n, 1)
		if len(slices.Compact(got)) != want || !slices.IsSorted(got) {
			t.Errorf("%d instants: %d drawn", n, len(got))
		}
	}
	few := drawing(t, r, "SELECT make_timestamp(i) AS p, i = 7 AS output, i <> 7 AS input FROM range(100) t(i)")
	if got := few.drawn(t, 8, 1); len(got) != 8 || !slices.Contains(got, 7) {
		t.Errorf("where there are few of a kind, others fill up: %v", got)
	}
}

// When files have come, most instants are drawn again, so that what was computed for them still counts.
func TestDrawsStayWhenCandidatesCome(t *testing.T) {
	r := newRepo(t, 1)
	before, after := drawing(t, r, manyCandidates), drawing(t, r, "FROM ("+manyCandidates+") UNION ALL SELECT make_timestamp(i), true, true FROM range(1000, 1010) t(i)")
	kept, all := 0, 0
	for seed := range uint64(50) {
		was := before.drawn(t, 4, seed)
		for _, p := range after.drawn(t, 4, seed) {
			all++
			if slices.Contains(was, p) {
				kept++
			}
		}
	}
	if kept < all*3/4 {
		t.Errorf("%d of %d instants are drawn again", kept, all)
	}
}
