package project

import (
	"fmt"
	"testing"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/server/servedlog"
)

// A view that the reference looks up by two keys is never compared with the values of the other key.
func TestServedColumnsAreThoseOfTheSameKeys(t *testing.T) {
	view := fstore.ViewRef{Name: "weather", Version: 1}
	lockOf := func(keys ...string) *lock.Lock {
		l := &lock.Lock{}
		for i, key := range keys {
			l.Uses = append(l.Uses, lock.Use{View: view, Keys: []fstore.KeyBinding{{Column: key}}})
			l.Features = append(l.Features, lock.Feature{Name: key + "_temp", View: view, Feature: "temp", Type: fstore.Float64, Use: &i})
		}
		return l
	}
	served := func(key string, names ...string) *servedlog.Info {
		i := &servedlog.Info{Columns: []fstore.Field{{Name: key}}}
		for _, name := range names {
			i.Features = append(i.Features, fstore.FeatureDescription{Name: name, View: view, Feature: "temp", Type: fstore.Float64})
		}
		return i
	}
	for _, c := range []struct {
		lock *lock.Lock
		info *servedlog.Info
		want string
	}{
		{lockOf("origin", "destination"), served("origin", "origin_temp"), "[{origin_temp 0}]"},
		{lockOf("origin", "destination"), served("origin", "destination_temp", "origin_temp"), "[{origin_temp 1} {destination_temp 0}]"},
		{lockOf("origin", "destination"), served("origin", "t"), "[]"},
		{lockOf("origin"), served("origin", "t"), "[{origin_temp 0}]"},
		{lockOf("origin"), served("destination", "t"), "[]"},
		{lockOf("origin"), served("origin", "t", "u"), "[]"},
	} {
		s := &servedValues{lock: c.lock}
		if got := fmt.Sprint(s.columnsOf(c.info)); got != c.want {
			t.Errorf("%s, not %s", got, c.want)
		}
	}
}
