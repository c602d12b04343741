package server

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
)

func TestAListsNamesAreNotMixedUp(t *testing.T) {
	r := &resolved{lists: map[string]*Target{}}
	a, b := &Target{}, &Target{}
	r.remember("ab\x00c\x00", a)
	r.remember("a\x00bc\x00", b)
	for i, refs := range [][]string{{"ab", "c"}, {"a", "bc"}} {
		if got, err := r.features(refs); err != nil || got != []*Target{a, b}[i] {
			t.Errorf("%q: got another list's look-up (%v)", refs, err)
		}
	}
}

func TestCacheOfListsIsBounded(t *testing.T) {
	r := &resolved{lists: map[string]*Target{}}
	check := func() {
		t.Helper()
		bytes := 0
		for key := range r.lists {
			bytes += len(key)
		}
		if len(r.lists) > maxLists || bytes > maxListBytes || bytes != r.listBytes {
			t.Fatalf("%d lists, %d bytes, counted %d", len(r.lists), bytes, r.listBytes)
		}
	}
	for i := range 3 * maxLists {
		r.remember(fmt.Sprint(i), &Target{})
	}
	check()
	for i := range 100 {
		r.remember(fmt.Sprint(i)+strings.Repeat("x", maxListBytes/16-10), &Target{})
		r.remember(strings.Repeat("y", maxListBytes), &Target{})
	}
	check()
	if len(r.lists) == 0 {
		t.Error("nothing is remembered")
	}
}

// One large record among small ones does not make a later batch look large, and a batch tells soon what rows cost.
func TestCostsAreLearnedFromManyRows(t *testing.T) {
	v := fstore.View{Name: "texts", Features: []fstore.Feature{{Name: "text", Type: fstore.String}}}
	c := newCost(&fstore.FeatureList{
		Uses: []fstore.ViewUse{{Version: &fstore.ViewVersion{View: v}}}, Outputs: fstore.Outputs{fstore.FeatureOutput{As: "text", Feature: "text"}},
	})
	c.learn(1000, 1000*100)
	c.learn(1, 10_000)
	if got := c.of(1000); got > 3*1000*400 {
		t.Errorf("after one large record a thousand rows cost %d bytes", got)
	}
	c.learn(1000, 1000*10_000)
	if got, least := c.of(1000), int64(3*1000*8000); got < least {
		t.Errorf("after large records a thousand rows cost %d bytes, want %d at least", got, least)
	}
	c.learn(0, 0)
	if got := c.of(0); got != 0 {
		t.Errorf("no rows cost %d bytes", got)
	}
}

// Before any look-up, records of tiles count as large as they may be, and only the texts that are asked for count as copied.
func TestCostsOfTilesBeforeALookUp(t *testing.T) {
	window := func(name string, typ fstore.Type, f fstore.Function) fstore.Feature {
		return fstore.Feature{Name: name, Type: typ, Window: &fstore.Window{Function: f, Length: 4096e9, Hop: 1e9}}
	}
	numbers := &fstore.ViewVersion{View: fstore.View{Name: "numbers", Features: []fstore.Feature{window("n", fstore.Int64, fstore.Sum)}}}
	texts := &fstore.ViewVersion{View: fstore.View{Name: "texts", Features: []fstore.Feature{
		window("n", fstore.Int64, fstore.Sum), window("a", fstore.String, fstore.Last), window("b", fstore.String, fstore.First),
	}}}
	list := func(v *fstore.ViewVersion, features ...string) int64 {
		l := &fstore.FeatureList{Uses: []fstore.ViewUse{{Version: v}}}
		for _, f := range features {
			l.Outputs = append(l.Outputs, fstore.FeatureOutput{As: f, Feature: f})
		}
		return newCost(l).of(1000)
	}
	most := 1000 * *online.MostBytes(numbers)
	if got := list(numbers, "n"); got < most || got > most+1000*100 {
		t.Errorf("numbers cost %d bytes, and their records have up to %d", got, most)
	}
	record := 1000 * online.TilesBytes(texts, guessedBytes)
	for want, features := range map[int64][]string{record: {"n"}, 2 * record: {"n", "a"}, 3 * record: {"n", "a", "b"}} {
		if got := list(texts, features...); got < want || got > want+1000*200 {
			t.Errorf("%v cost %d bytes, want %d", features, got, want)
		}
	}
}
