package onlinetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
)

var damageTests = []test{
	{"what_has_no_bytes_is_damaged_and_not_absent", func(t *testing.T, b online.Backend) {
		d := newDamaged(t, b)
		for _, key := range d.keys {
			d.put(key, nil)
			if !d.errs(fmt.Sprintf("%q: empty", key)) && d.read[string(key)] {
				t.Errorf("%q is empty: no error", key)
			}
			d.put(key, d.values[string(key)])
		}
	}},
	{"what_is_damaged_is_an_error_and_never_a_wrong_value", func(t *testing.T, b online.Backend) {
		d := newDamaged(t, b)
		rng := rand.New(rand.NewPCG(1, 2))
		noticed := 0
		for range 400 {
			key := d.keys[rng.IntN(len(d.keys))]
			how, value := d.spoil(rng, key)
			if bytes.Equal(value, d.values[string(key)]) {
				continue
			}
			d.put(key, value)
			if d.errs(fmt.Sprintf("%q: %s: %q", key, how, value)) {
				noticed++
			}
			d.put(key, d.values[string(key)])
		}
		if noticed < 200 {
			t.Errorf("only %d kinds of damage were an error: the others hit what nobody reads", noticed)
		}
		if d.errs("repaired") {
			t.Error("what was repaired is still an error")
		}
	}},
	{"two_records_that_change_places_are_errors", func(t *testing.T, b online.Backend) {
		d := newDamaged(t, b)
		rng := rand.New(rand.NewPCG(3, 4))
		for range 100 {
			i, j := rng.IntN(len(d.keys)), rng.IntN(len(d.keys))
			one, two := d.keys[i], d.keys[j]
			if i == j {
				continue
			}
			d.put(one, d.values[string(two)])
			d.put(two, d.values[string(one)])
			if !d.errs(fmt.Sprintf("%q and %q changed places", one, two)) && d.read[string(one)] {
				t.Errorf("%q and %q changed places: no error", one, two)
			}
			d.put(one, d.values[string(one)])
			d.put(two, d.values[string(two)])
		}
	}},
}

// damaged is a store to damage: two views with the same columns. The first also has an earlier generation, with other
// values under the same keys.
type damaged struct {
	t      *testing.T
	b      online.Backend
	list   *fstore.FeatureList
	req    online.Request
	want   []string
	keys   [][]byte // all keys in the backend, in order
	values map[string][]byte
	read   map[string]bool // the keys that a look-up reads
	header fstore.Header
	warm   *online.Store // has looked up before
}

func newDamaged(t *testing.T, b online.Backend) *damaged {
	t.Helper()
	const keys = 12
	d := &damaged{t: t, b: b, values: map[string][]byte{}, read: map[string]bool{}, warm: newStore(b, "p")}
	v, w := view("v", "id int64", "x int64, f float64, s string, l list<float64>"), view("w", "id int64", "x int64, f float64, s string, l list<float64>")
	rows := func(add int) (out []row) {
		for i := range keys {
			// The features in name order: f, l, s, x.
			out = append(out, row{int64(i), published, float64(i + add), []float64{float64(add)}, fmt.Sprint("text ", i+add), int64(i + add)})
		}
		return out
	}
	load(t, d.warm, v, generation1, published.Add(-time.Hour), rows(100)...)
	d.header = load(t, d.warm, v, generation2, published, rows(200)...)
	load(t, d.warm, w, generation(7), published, rows(300)...)
	d.list = list(use(v), use(w))
	for i, o := range d.list.Outputs {
		switch o := o.(type) {
		case fstore.FeatureOutput:
			o.As += fmt.Sprint(i)
			d.list.Outputs[i] = o
		case fstore.OnDemandOutput: // there is none
		}
	}
	var asked []any
	for i := range keys {
		asked = append(asked, int64(i))
	}
	d.req = online.Request{Keys: []fstore.Column{ids(asked...)}, Now: published, EventTimes: online.WithEventTimes}
	d.want = ask(t, d.warm, d.list, d.req)
	for _, key := range scanned(t, b, "f") {
		d.keys = append(d.keys, []byte(key))
	}
	slices.SortFunc(d.keys, bytes.Compare)
	values, _, err := b.Get(context.Background(), online.Read{Keys: d.keys})
	if err != nil {
		t.Fatal(err)
	}
	for i, key := range d.keys {
		d.values[string(key)] = bytes.Clone(values[i])
	}
	spy := &spying{Backend: b, read: d.read}
	ask(t, online.New(spy, "p"), d.list, d.req)
	return d
}

// spoil returns a damaged form of the value under a key, and what was done to it.
func (d *damaged) spoil(rng *rand.Rand, key []byte) (how string, value []byte) {
	v := bytes.Clone(d.values[string(key)])
	at := rng.IntN(len(v))
	switch rng.IntN(6) {
	case 0:
		for range 1 + rng.IntN(3) {
			v[rng.IntN(len(v))] ^= 1 << rng.IntN(8)
		}
		return "bits flipped", v
	case 1:
		v[at] = byte(rng.IntN(256))
		return "a byte replaced", v
	case 2:
		for i := at; i < len(v) && i < at+8; i++ {
			v[i] = 0
		}
		return "zeros", v
	case 3:
		return "cut", v[:at]
	case 4:
		return "longer", append(v, v[at:]...)
	}
	other := d.keys[rng.IntN(len(d.keys))]
	return fmt.Sprintf("replaced by %q", other), d.values[string(other)]
}

func (d *damaged) put(key, value []byte) {
	d.t.Helper()
	if err := d.b.Commit(context.Background(), online.Commit{Set: []online.KV{{Key: key, Value: value}}}); err != nil {
		d.t.Fatal(err)
	}
}

// errs looks everything up, with a store that has seen the pointers before and with one that has not. It reports
// whether that is an error. An answer without an error must be right.
func (d *damaged) errs(what string) bool {
	d.t.Helper()
	failed := false
	for name, s := range map[string]*online.Store{"warm": d.warm, "new": online.New(d.b, "p")} {
		a, err := s.Lookup(context.Background(), d.list, d.req)
		switch {
		case err == nil && !slices.Equal(show(a), d.want):
			d.t.Errorf("%s, %s store: wrong values: %.300q", what, name, show(a))
		case errors.Is(err, fstore.ErrUnavailable) && strings.Contains(err.Error(), "the fence does not fit the pointer"):
		case err != nil && !errors.Is(err, fstore.ErrCorrupt):
			d.t.Errorf("%s, %s store: got %v, want ErrCorrupt", what, name, err)
		}
		failed = failed || err != nil
	}
	if h, ok, err := d.warm.Header(context.Background(), d.header.View, d.header.Generation); err == nil {
		if !ok {
			d.t.Errorf("%s: there is no header", what)
		}
		same(d.t, h, d.header)
	} else if !errors.Is(err, fstore.ErrCorrupt) {
		d.t.Errorf("%s: header: got %v, want ErrCorrupt", what, err)
	} else {
		failed = true
	}
	return failed
}

// spying records the keys that are requested.
type spying struct {
	online.Backend
	read map[string]bool
}

func (s *spying) Get(ctx context.Context, r online.Read) ([][]byte, [][]byte, error) {
	for _, k := range slices.Concat(r.Keys, r.Pointers) {
		s.read[string(k)] = true
	}
	return s.Backend.Get(ctx, r)
}
