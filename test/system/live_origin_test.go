package system

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
)

// The repo of the live tests. Every value of it tells where it comes from: the version of the view that computed it,
// the epoch of the data it was computed from, and the key. So each answer can be checked completely.
//
// An epoch is one state of the source files. Version v of a view is the definition that has the number v in its SQL;
// the features, and the type of one of them, follow from v too, so that neighbouring versions differ in shape.

// origin is what the definitions say: the versions of the views in head, and the services.
type origin struct {
	views    map[string]int // a view that is not there is removed
	services map[string][]originUse
	note     string // a description: changes no value
}

// originUse is one line of a service: all of a view, by a key column, under a prefix.
type originUse struct{ view, column, prefix string }

// The views. Of whole every record changes at every epoch; of third a third does, and some keys come and go; beacon
// has no key; flicker is whole under a name that comes and goes.
const (
	whole   = "whole"
	third   = "third"
	beacon  = "beacon"
	flicker = "flicker"
)

// originBase is the event time of epoch 0. All publications are after it by a day and more.
var originBase = time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)

// clone returns a copy that may be changed.
func (o origin) clone() origin {
	c := origin{views: map[string]int{}, services: map[string][]originUse{}, note: o.note}
	for k, v := range o.views {
		c.views[k] = v
	}
	for k, v := range o.services {
		c.services[k] = slices.Clone(v)
	}
	return c
}

// originFeatures returns the features of a version in declared order, with their types.
func originFeatures(version int) [][2]string {
	shape := "int64"
	if version%3 == 0 {
		shape = "string"
	}
	f := [][2]string{{"stamp", "int64"}, {"word", "string"}, {"shape", shape}}
	if version%2 == 0 {
		f = append(f, [2]string{"extra", "int64"})
	}
	return f
}

// changed returns the epoch at which a key's record last changed.
func changed(view string, epoch int, key int64) int {
	if view == third {
		return epoch - (epoch+int(key))%3
	}
	return epoch
}

// originHas reports whether a view has a record of a key at an epoch.
func originHas(view string, epoch int, key int64, keys int) bool {
	switch {
	case view == beacon:
		return true
	case key < 0 || key >= int64(keys):
		return false
	case view == third:
		return key%10 != 7 || (int(key/10)+epoch)%4 != 0
	}
	return true
}

func originEvent(view string, epoch int, key int64) time.Time {
	return originBase.Add(time.Duration(changed(view, epoch, key)) * time.Second)
}

const (
	stampVersion = 1_000_000_000_000
	stampEpoch   = 10_000_000
)

// originInt and originText are the values of a version's features, by the type of the feature.
func originInt(view string, version int, feature string, epoch int, key int64) int64 {
	c := int64(changed(view, epoch, key))
	switch feature {
	case "stamp":
		return int64(version)*stampVersion + c*stampEpoch + key
	case "shape":
		return c*1000 + int64(version)
	}
	return key*7 + int64(version) // extra
}

var padding = strings.Repeat("x", 90)

func originText(view string, version int, feature string, epoch int, key int64) string {
	c := changed(view, epoch, key)
	if feature == "shape" {
		return fmt.Sprintf("s%d.%d", c, version)
	}
	return fmt.Sprintf("%s@%d/%d/%d/%s", view, version, c, key, padding[:key%90])
}

// originSQL computes the same from the source.
func originSQL(view string, version int) string {
	from, key, epoch := "items", "id", "epoch"
	switch view {
	case third:
		epoch = "third"
	case beacon:
		from, key = "world", "0"
	}
	shape := fmt.Sprintf("%s * 1000 + %d", epoch, version)
	if version%3 == 0 {
		shape = fmt.Sprintf("'s' || %s || '.%d'", epoch, version)
	}
	columns := []string{
		fmt.Sprintf("%d * %d + %s * %d + %s as stamp", version, stampVersion, epoch, stampEpoch, key),
		fmt.Sprintf("'%s@%d/' || %s || '/' || %s || '/' || repeat('x', %s %% 90) as word", view, version, epoch, key, key),
		shape + " as shape",
	}
	if version%2 == 0 {
		columns = append(columns, fmt.Sprintf("%s * 7 + %d as extra", key, version))
	}
	where := ""
	if view == third {
		where = "\nwhere alive"
	}
	first := "id, "
	if view == beacon {
		first = ""
	}
	return fmt.Sprintf("select\n  %sto_moment + %s * interval 1 second as moment,\n  %s\nfrom %s%s\n", first, epoch, strings.Join(columns, ",\n  "), from, where)
}

const originSettings = `project: live
registry: sqlite://.fstore/registry.db
online: sqlite://.fstore/online.db
state: .fstore/state
`

const originSources = `kind: entity
name: item
join_keys: [{name: id, type: int64}]
---
kind: source
name: items
path: data/items.parquet
event_timestamp: moment
---
kind: source
name: world
path: data/world.parquet
event_timestamp: moment
`

// write makes the definitions of a repo say what o says.
func (o origin) write(r *repo) {
	var text strings.Builder
	for _, view := range sortedNames(o.views) {
		version := o.views[view]
		entities := "[item]"
		if view == beacon {
			entities = "[]"
		}
		fmt.Fprintf(&text, "---\nkind: feature_view\nname: %s\ndescription: origin %s\nentities: %s\nsql: %s.sql\nevent_timestamp: moment\nfeatures:\n", view, o.note, entities, view)
		for _, f := range originFeatures(version) {
			fmt.Fprintf(&text, "  - {name: %s, type: %s}\n", f[0], f[1])
		}
		r.write(view+".sql", originSQL(view, version))
	}
	for _, service := range sortedNames(o.services) {
		fmt.Fprintf(&text, "---\nkind: feature_service\nname: %s\nfeatures:\n", service)
		for _, u := range o.services[service] {
			keys := ""
			if u.column != "" && u.column != "id" {
				keys = fmt.Sprintf(", keys: {id: %s}", u.column)
			}
			fmt.Fprintf(&text, "  - {ref: %s.*%s, prefix: %s}\n", u.view, keys, u.prefix)
		}
	}
	r.write("fstore.yaml", originSettings)
	r.write("sources.yaml", originSources)
	r.write("definitions.yaml", text.String())
}

func sortedNames[V any](m map[string]V) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// originRow is a row of items.parquet; world.parquet has its first three columns.
type originRow struct {
	Moment   time.Time `parquet:"moment,timestamp(microsecond)"`
	ToMoment time.Time `parquet:"to_moment,timestamp(microsecond)"` // what event times count from
	Epoch    int64     `parquet:"epoch"`
	ID       int64     `parquet:"id"`
	Third    int64     `parquet:"third"`
	Alive    bool      `parquet:"alive"`
}

// writeEpoch makes the source files those of an epoch, each replaced whole.
func writeEpoch(t testing.TB, r *repo, epoch, keys int) {
	t.Helper()
	rows := make([]originRow, keys)
	for i := range rows {
		key := int64(i)
		rows[i] = originRow{
			Moment: originEvent(third, epoch, key), ToMoment: originBase, Epoch: int64(epoch), ID: key, // no view's event is before it
			Third: int64(changed(third, epoch, key)), Alive: originHas(third, epoch, key, keys),
		}
	}
	for name, rows := range map[string][]originRow{"items": rows, "world": rows[:1]} {
		var text strings.Builder
		if err := parquet.Write(&text, rows); err != nil {
			t.Fatal(err)
		}
		r.write(filepath.Join("data", name+".parquet"), text.String())
	}
}
