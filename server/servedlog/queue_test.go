package servedlog

import (
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/columntest"
	"github.com/fstore-dev/fstore/online/answers"
)

// What waits is bounded by the bytes of its texts, however many answers are added at a time.
func TestTheQueueIsBoundedByBytes(t *testing.T) {
	w := newWorld(t, nil)
	plan := w.Plan(listOf("texts", fstore.Feature{Name: "text", Type: fstore.String}), nil, answers.Builds{})
	long := fstore.NewColumn("text", fstore.String, 1)
	long.Strings = append(long.Strings, strings.Repeat("x", queueBytes/8))
	long.EndRow()
	var adding sync.WaitGroup
	for range 20 {
		adding.Go(func() {
			s := served(1)
			s.Answer.Features[0].Column = long
			w.Add(plan, s)
		})
	}
	adding.Wait()
	if n, bytes := len(w.queue), w.queued.Load(); n != 7 || bytes > queueBytes || w.Dropped() != 13 {
		t.Errorf("%d answers of %d bytes wait, %d rows are dropped", n, bytes, w.Dropped())
	}
	w.drain()
	if w.queued.Load() != 0 || w.Rows() != 7 {
		t.Errorf("%d bytes wait, %d rows are written", w.queued.Load(), w.Rows())
	}
}

// Rows that are picked take what they would take alone.
func TestTheSizeOfPickedRows(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		all := columntest.Draw(r, rapid.SampledFrom(columntest.Types()).Draw(r, "type"), rapid.IntRange(1, 6).Draw(r, "rows"))
		picked := []int32{}
		alone := fstore.NewColumn(all.Name, all.Type, 0)
		for row := range all.Len {
			if rapid.Bool().Draw(r, "picked") {
				picked = append(picked, int32(row))
				alone.AppendFrom(&all, row)
			}
		}
		want := sizeOf(&alone)
		if all.Type.IsList() {
			want -= 4 // its first offset
		}
		if got := sizeOfRows(&all, picked); got != want {
			r.Errorf("rows %v of %s take %d bytes, not %d", picked, all.Type, got, want)
		}
	})
}

// A list without a name has one folder, whichever server logs it, and its own if its columns differ.
func TestAListHasOneFolder(t *testing.T) {
	folder := func(build string, inputs Inputs, description string, features ...fstore.Feature) string {
		w := newWorld(t, func(o *Options) { o.Build, o.Inputs = build, inputs })
		features[0].Description = description
		list := listOf("", features...)
		list.Service = fstore.ViewRef{}
		return w.Plan(list, []fstore.Field{{Name: "amount", Type: fstore.Float64}}, answers.Builds{}).folder
	}
	two := fstore.Feature{Name: "other", Type: fstore.Float64}
	first := folder("v1", WithInputs, "", one)
	if again := folder("v2", WithInputs, "What it is worth.", one); again != first {
		t.Errorf("another server has %s, not %s", again, first)
	}
	for _, other := range []string{folder("v1", WithoutInputs, "", one), folder("v1", WithInputs, "", one, two), folder("v1", WithInputs, "", two)} {
		if other == first {
			t.Errorf("another list has the same folder %s", first)
		}
	}
}

// Small answers share an entry until the writer has it or it is full, and each row is logged as it would be alone.
func TestSmallAnswersShareAnEntry(t *testing.T) {
	w := newWorld(t, nil)
	plan := w.Plan(listOf("churn", one), nil, answers.Builds{})
	for id := range int64(maxJoined) {
		s := served(id)
		if id%3 == 0 { // the first is a null, others follow
			s.Answer.Features[0].Column = fstore.NewColumn("value", fstore.Float64, 1)
			s.Answer.Features[0].Column.AppendNull()
		}
		w.Add(plan, s)
	}
	if len(w.queue) != 1 {
		t.Fatalf("%d entries", len(w.queue))
	}
	w.Add(plan, served(1000))
	if len(w.queue) != 2 {
		t.Fatalf("%d entries: a full one was joined", len(w.queue))
	}
	w.drain()
	w.Add(plan, served(1001)) // the open entry is the writer's by now
	w.end()
	if w.Rows() != maxJoined+2 || w.Dropped() != 0 || w.queued.Load() != 0 {
		t.Errorf("%d rows, %d dropped, %d bytes are still queued", w.Rows(), w.Dropped(), w.queued.Load())
	}
	got := w.query(t, `select count(*), count(distinct _request_id), count(value), count(*) filter (value = customer_id / 2), min(_row), max(_row) from FILES`)
	if want := "66 66 44 44 0 0"; got[0] != want {
		t.Errorf("%s, not %s", got[0], want)
	}
}

// Only small entries wait for others, and never so many that they fill the queue.
func TestWhatWaitsDoesNotFillTheQueue(t *testing.T) {
	w := newWorld(t, nil)
	plan := w.Plan(listOf("churn", one), nil, answers.Builds{})
	w.Add(plan, served(make([]int64, maxJoined)...))
	w.writer.take(<-w.queue)
	if n := w.queued.Load(); n != 0 || len(w.writer.waiting) != 0 {
		t.Errorf("a large entry waits: %d bytes are still queued", n)
	}
	texts := w.Plan(listOf("texts", fstore.Feature{Name: "text", Type: fstore.String}), nil, answers.Builds{})
	s := served(1)
	s.Answer.Features[0].Column = fstore.NewColumn("text", fstore.String, 1)
	s.Answer.Features[0].Column.Append(strings.Repeat("x", maxReused/3))
	for range 200 {
		w.Add(texts, s)
		for len(w.queue) > 0 {
			w.writer.take(<-w.queue)
		}
	}
	if n := w.queued.Load(); n > queueBytes/2 || w.Dropped() != 0 {
		t.Errorf("%d bytes are queued, %d rows dropped", n, w.Dropped())
	}
	w.writer.flush(w.now)
	if w.Rows() != maxJoined+200 || w.queued.Load() != 0 {
		t.Errorf("%d rows are written, %d bytes are still queued", w.Rows(), w.queued.Load())
	}
}
