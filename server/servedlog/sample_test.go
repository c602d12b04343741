package servedlog

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online/answers"
)

// A queue that is full drops what comes, and counts its rows. Nobody waits.
func TestAFullQueueDropsAndCounts(t *testing.T) {
	w := newWorld(t, nil)
	plan := w.Plan(listOf("churn", one), nil, answers.Builds{})
	const rows = maxJoined/2 + 1 // so that no answer joins another
	for range queueLength + 10 {
		w.Add(plan, served(make([]int64, rows)...))
	}
	if w.Dropped() != 10*rows {
		t.Errorf("%d rows dropped", w.Dropped())
	}
	w.drain()
	if w.Rows() != rows*queueLength || w.queued.Load() != 0 {
		t.Errorf("%d rows, %d bytes are still queued", w.Rows(), w.queued.Load())
	}
	large := served(make([]int64, 1<<16)...)
	for range 6 { // 7 MB or more each
		w.Add(plan, large)
	}
	if w.Dropped() != 10*rows+2*(1<<16) || len(w.queue) != 4 {
		t.Errorf("%d rows dropped, %d answers queued with %d bytes", w.Dropped(), len(w.queue), w.queued.Load())
	}
}

// A key is always in the sample or always out: on every server, with whichever others, as an int32 or an int64.
func TestAKeyIsAlwaysInOrOut(t *testing.T) {
	const keys = 20_000
	seen := func(change func(*Served)) (out []int64) {
		w := newWorld(t, func(o *Options) { o.Sample, o.By = 0.05, ByKey })
		plan := w.Plan(listOf("churn", one), nil, answers.Builds{})
		for first := int64(0); first < keys; first += 100 {
			var batch []int64
			for id := range int64(100) {
				batch = append(batch, first+id)
			}
			s := served(batch...)
			change(s)
			w.Add(plan, s)
		}
		for len(w.queue) > 0 {
			e := <-w.queue
			out = append(out, e.batch.Column("customer_id").Int64s...)
		}
		return out
	}
	first := seen(func(*Served) {})
	if share := float64(len(first)) / keys; math.Abs(share-0.05) > 0.01 {
		t.Errorf("%.3f of the keys are in the sample", share)
	}
	narrow := func(s *Served) {
		c := fstore.NewColumn("customer_id", fstore.Int32, 0)
		for _, id := range s.Columns[0].Int64s {
			c.Append(int32(id))
		}
		other := fstore.NewColumn("other", fstore.String, 0)
		for range c.Len {
			other.AppendNull()
		}
		s.Columns = []fstore.Column{other, c}
	}
	if second := seen(narrow); !slices.Equal(first, second) {
		t.Errorf("%d keys are in one sample, %d in the other", len(first), len(second))
	}
}

func TestASampleOfRequestsIsOfWholeOnes(t *testing.T) {
	const requests = 20_000
	for _, by := range []By{ByRequest, ByKey} {
		w := newWorld(t, func(o *Options) { o.Sample, o.By = 0.1, by })
		list := listOf("churn", one)
		if by == ByKey { // without keys, there is nothing to sample but requests
			list.Uses[0].Keys = nil
		}
		plan := w.Plan(list, nil, answers.Builds{})
		taken := 0
		for range requests {
			w.Add(plan, served(1, 2, 3))
			for len(w.queue) > 0 {
				e := <-w.queue
				e.close()
				if taken++; e.batch.Len != 3 {
					t.Fatalf("%d rows of 3", e.batch.Len)
				}
				w.forget(e)
			}
		}
		if share := float64(taken) / requests; math.Abs(share-0.1) > 0.02 {
			t.Errorf("by %s: %.3f of the requests", by, share)
		}
	}
}

func TestWhatIsKeptOfKeysAndInputs(t *testing.T) {
	secret := []byte("0123456789abcdef")
	request := []fstore.Field{{Name: "cart", Type: fstore.Float64}, {Name: "note", Type: fstore.String}}
	h := hmac.New(sha256.New, secret)
	key := ids(-7)
	h.Write(fstore.AppendKey(nil, []*fstore.Column{&key}, 0))
	hash := hex.EncodeToString(h.Sum(nil)[:16])
	for _, c := range []struct {
		keys     Keys
		inputs   Inputs
		unlogged bool // the note
		want     string
		secret   []string // what no file may have
	}{
		{PlainKeys, WithInputs, false, `{"customer_id":-7,"cart":1.5,"note":"secret of the note","value":-3.5}`, nil},
		{HashedKeys, WithoutInputs, false, fmt.Sprintf(`{"customer_id":%q,"value":-3.5}`, hash), []string{"secret of the note", "0123456789abcdef"}},
		{NoKeys, WithInputs, false, `{"cart":1.5,"note":"secret of the note","value":-3.5}`, []string{`"customer_id":-7`}},
		{PlainKeys, WithInputs, true, `{"customer_id":-7,"cart":1.5,"value":-3.5}`, []string{"secret of the note"}},
	} {
		w := newWorld(t, func(o *Options) { o.Keys, o.Inputs, o.Secret = c.keys, c.inputs, secret })
		s := served(-7)
		cart, note := fstore.NewColumn("cart", fstore.Float64, 1), fstore.NewColumn("note", fstore.String, 1)
		cart.AppendFloat64(1.5)
		note.Append("secret of the note")
		s.Columns = append([]fstore.Column{note}, append(s.Columns, cart)...)
		list := listOf("churn", one)
		if c.unlogged {
			list.OnDemand = []*fstore.OnDemandVersion{{View: fstore.OnDemandView{Request: []fstore.RequestColumn{
				{Name: "cart", Type: fstore.Float64}, {Name: "note", Type: fstore.String, Unlogged: true},
			}}}}
		}
		w.Add(w.Plan(list, request, answers.Builds{}), s)
		w.drain()
		text := ""
		for range 2 {
			for _, name := range w.names(t) {
				b, err := os.ReadFile(filepath.Join(w.options.Path, name))
				if err != nil {
					t.Fatal(err)
				}
				text += string(b)
			}
			w.end()
		}
		for _, secret := range c.secret {
			if strings.Contains(text, secret) {
				t.Errorf("%s: a file has %q", c.keys, secret)
			}
		}
		got := w.batches(t, `select columns(c -> c not like '\_%' escape '\') from FILES`)
		if row := string(got[0].AppendRowJSON(nil, 0)); row != c.want {
			t.Errorf("%s: %s, not %s", c.keys, row, c.want)
		}
	}
}

// Callers add while the log runs, and it ends with all that it took.
func TestCallersAddWhileTheLogRuns(t *testing.T) {
	w := newWorld(t, nil)
	ctx, end := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		w.Run(ctx)
		close(done)
	}()
	var callers sync.WaitGroup
	for c := range int64(4) {
		callers.Go(func() {
			plan := w.Plan(listOf(fmt.Sprint("s", c%2), one), nil, answers.Builds{})
			for i := range int64(500) {
				s := served(1000*c+i, 1000*c+i)
				w.Add(plan, s)
				clear(s.Columns[0].Int64s) // the caller uses its memory again
				clear(s.Answer.Features[0].Column.Float64s)
			}
		})
	}
	callers.Wait()
	end()
	<-done
	if w.Rows()+w.Dropped() != 4000 || w.Rows() == 0 || w.has(t, ".arrows") != 0 {
		t.Errorf("%d written, %d dropped, %v", w.Rows(), w.Dropped(), w.names(t))
	}
	got := w.query(t, "select count(*), count(*) filter (value = customer_id / 2) from FILES")
	if want := fmt.Sprint(w.Rows(), " ", w.Rows()); got[0] != want {
		t.Errorf("rows, and whole rows: %s, not %s", got[0], want)
	}
}
