package skew

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
)

var (
	a = fstore.ViewRef{Name: "a", Version: 1}
	b = fstore.ViewRef{Name: "b", Version: 1}
)

// world is a log of one piece, and what replays it: a feature is the sum of what it reads, a view the seconds of its instant, and b
// ten times as much.
type world struct {
	rows      Rows
	standings map[string]Standing // by run
	failed    map[int]error
	replays   int
	removed   int // rows at the end that are gone when the log is read again
	more      []*Rows
	sent      []string // names of request columns, by replay
}

func (w *world) Instants(_ context.Context, do func([]int64) error) error { return do(w.rows.At) }

func (w *world) Each(_ context.Context, do func(*Rows) error, _ func(string, error)) error {
	w.rows.Len -= w.removed
	for _, rows := range append([]*Rows{&w.rows}, w.more...) {
		if err := do(rows); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) Standing(_ context.Context, view fstore.ViewRef, run string) (Standing, []string) {
	if w.standings[run] == ChangedInputs {
		return ChangedInputs, []string{"source of " + view.Name}
	}
	return w.standings[run], nil
}

func (w *world) Replay(_ context.Context, r *Rows, at []time.Time) (*Replayed, error) {
	w.replays++
	names := ""
	for i := range r.Sent {
		names += r.Sent[i].Name + string(r.Sent[i].AppendJSON([]byte("="), 0)) + " "
	}
	w.sent = append(w.sent, names)
	out := &Replayed{Failed: w.failed}
	for _, f := range r.Features {
		c := fstore.NewColumn(f.Name, fstore.Int64, r.Len)
		for range r.Len {
			sum := int64(0)
			for _, view := range f.Reads {
				scale := int64(1)
				if view == b {
					scale = 10
				}
				sum += scale * at[slices.Index(r.Views, view)].Unix()
			}
			c.AppendInt64(sum)
		}
		out.Values = append(out.Values, c)
	}
	for range r.Len {
		out.Statuses = append(out.Statuses, make([]byte, len(r.Features)))
	}
	return out, nil
}

// served returns a world in which a and b are published as of second 1, and a feature that reads views was served with values.
// run is the second of the run in flight of both; 0: there is none.
func served(run int64, reads []fstore.ViewRef, values ...int64) *world {
	n := len(values)
	w := &world{standings: map[string]Standing{"feed": SameInputs, "f00d": Unknown}, rows: Rows{
		List: "s", Len: n, At: make([]int64, n), Request: make([]string, n), Row: make([]int64, n), Views: []fstore.ViewRef{a, b},
		Features: []Feature{{Name: "f", View: a, Reads: reads}}, Values: []fstore.Column{fstore.NewColumn("f", fstore.Int64, n)},
	}}
	r := &w.rows
	for range r.Views {
		published, ran := fstore.NewColumn("", fstore.Timestamp, n), fstore.NewColumn("", fstore.String, n)
		at, inFlight := fstore.NewColumn("", fstore.Timestamp, n), fstore.NewColumn("", fstore.String, n)
		for range n {
			published.Append(time.Unix(1, 0))
			ran.Append("feed")
			if run == 0 {
				at.AppendNull()
				inFlight.AppendNull()
			} else {
				at.Append(time.Unix(run, 0))
				inFlight.Append("f00d")
			}
		}
		r.Published, r.Run, r.RunAt = append(r.Published, published), append(r.Run, ran), append(r.RunAt, at)
		r.InFlight = append(r.InFlight, inFlight)
	}
	for i, v := range values {
		r.Row[i] = int64(i)
		r.Values[0].AppendInt64(v)
		r.Statuses = append(r.Statuses, []byte{0})
	}
	return w
}

func (w *world) run(t *testing.T) *Result {
	t.Helper()
	r, err := Run(t.Context(), Options{Log: w, Replayer: w, NotFound: 2, Expired: 3})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		run   int64
		reads []fstore.ViewRef
		value int64
		want  Counts
		ok    bool
	}{
		{"as_published", 0, []fstore.ViewRef{a, b}, 11, Counts{Equal: 1}, true},
		{"another_value", 0, []fstore.ViewRef{a, b}, 12, Counts{Wrong: 1}, false},
		{"before_the_run", 2, []fstore.ViewRef{a, b}, 11, Counts{Equal: 1}, true},
		{"one_view_of_the_run", 2, []fstore.ViewRef{a, b}, 12, Counts{Equal: 1}, true},
		{"the_other_view_of_the_run", 2, []fstore.ViewRef{a, b}, 21, Counts{Equal: 1}, true},
		{"both_of_the_run", 2, []fstore.ViewRef{a, b}, 22, Counts{Equal: 1}, true},
		{"neither", 2, []fstore.ViewRef{a, b}, 33, Counts{NotProvable: 1, Unexplained: 1}, false},
		{"two_keys_of_a_view_in_flight", 2, []fstore.ViewRef{a, a}, 3, Counts{NotProvable: 1}, false},
		{"two_keys_of_a_view", 0, []fstore.ViewRef{a, a}, 3, Counts{Wrong: 1}, false},
		{"a_run_as_of_the_same_instant", 1, []fstore.ViewRef{a}, 3, Counts{NotProvable: 1, Unexplained: 1}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if r := served(c.run, c.reads, c.value).run(t); r.Counts != c.want || r.OK != c.ok || r.Compared != 1 {
				t.Errorf("%+v", r)
			}
		})
	}
}

// A value of neither run is wrong only if the inputs of both are known to be the same.
func TestTheInputsOfARunInFlight(t *testing.T) {
	t.Parallel()
	for standing, want := range map[Standing]Counts{
		SameInputs: {Wrong: 1}, ChangedInputs: {SourceChanged: 1}, OtherBuild: {NotProvable: 1, Unexplained: 1}, Unknown: {NotProvable: 1, Unexplained: 1},
	} {
		w := served(2, []fstore.ViewRef{a, b}, 33)
		w.standings["f00d"] = standing
		r := w.run(t)
		if r.Counts != want {
			t.Errorf("%s: %+v", standing, r.Counts)
		}
		var changed []string
		if standing == ChangedInputs {
			changed = []string{"source of a", "source of b"}
		}
		if got := r.Differences[0].Changed; !slices.Equal(got, changed) {
			t.Errorf("%s: changed %q", standing, got)
		}
	}
}

// Many views in flight cost two replays, and a feature that reads one of them is still judged.
func TestReplaysAreBounded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		reads []fstore.ViewRef
		want  Counts
	}{
		{[]fstore.ViewRef{a}, Counts{NotProvable: 1, Unexplained: 1}},
		{[]fstore.ViewRef{a, b}, Counts{NotProvable: 1}},
	} {
		w := served(2, c.reads, 99)
		r := &w.rows
		for _, name := range []string{"c", "d"} {
			r.Views = append(r.Views, fstore.ViewRef{Name: name, Version: 1})
			r.Published, r.Run, r.RunAt = append(r.Published, r.Published[0]), append(r.Run, r.Run[0]), append(r.RunAt, r.RunAt[0])
			r.InFlight = append(r.InFlight, r.InFlight[0])
		}
		if got := w.run(t); got.Counts != c.want || w.replays != 2 {
			t.Errorf("%v: %+v after %d replays", c.reads, got, w.replays)
		}
	}
}

// A row that cannot be replayed is counted apart, and the others are compared.
func TestARowThatCannotBeReplayed(t *testing.T) {
	t.Parallel()
	w := served(0, []fstore.ViewRef{a}, 1, 1, 1)
	w.failed = map[int]error{1: errors.New("too large")}
	r := w.run(t)
	if !r.OK || r.Compared != 2 || r.NotCompared != 1 || r.Counts != (Counts{Equal: 2, NotProvable: 1}) || len(r.Reasons) != 1 || r.Reasons[0].Rows != 1 {
		t.Errorf("%+v", r)
	}
}

// A result in which nothing was compared is not OK.
func TestNothingProved(t *testing.T) {
	t.Parallel()
	if r := served(0, []fstore.ViewRef{a}).run(t); r.OK {
		t.Errorf("%+v", r)
	}
	w := served(0, []fstore.ViewRef{a}, 1, 1)
	w.rows.Problem = "no keys"
	if r := w.run(t); r.OK || r.Compared != 0 || r.NotCompared != 2 {
		t.Errorf("%+v", r)
	}
}

// Rows that are removed while the log is read are named. The others are compared.
func TestRowsThatAreRemovedMeanwhile(t *testing.T) {
	t.Parallel()
	w := served(0, []fstore.ViewRef{a}, 1, 1, 1)
	w.removed = 2
	r := w.run(t)
	want := []Reason{{"they could not be read again: their files were removed meanwhile, or are damaged", 2}}
	if !r.OK || r.Logged != 3 || r.Compared != 1 || !slices.Equal(r.Reasons, want) {
		t.Errorf("%+v", r)
	}
}

// Files of one list have different request columns, as settings have changed between them. Their rows are replayed apart, each with
// its own columns, whichever comes first.
func TestFilesWithOtherRequestColumns(t *testing.T) {
	t.Parallel()
	piece := func(problem string, sent ...string) *Rows {
		r := &served(0, []fstore.ViewRef{a}, 1).rows
		r.Features[0].Problem = problem
		for i, name := range sent {
			r.Sent = append(r.Sent, fstore.NewColumn(name, fstore.Int64, 1))
			r.Sent[i].AppendInt64(int64(len(name)))
		}
		return r
	}
	for _, pieces := range [][]*Rows{
		{piece("", "id", "bbb"), piece("", "id", "aaaa", "bbb"), piece("b is not logged", "id")},
		{piece("b is not logged", "id"), piece("", "id", "aaaa", "bbb"), piece("", "id", "bbb")},
	} {
		w := served(0, nil)
		w.rows, w.more = *pieces[0], pieces[1:]
		r := w.run(t)
		slices.Sort(w.sent)
		if want := []string{"id=2 aaaa=4 bbb=3 ", "id=2 bbb=3 "}; !slices.Equal(w.sent, want) || r.Counts != (Counts{Equal: 2, NotProvable: 1}) {
			t.Errorf("replayed with %q: %+v", w.sent, r)
		}
	}
}
