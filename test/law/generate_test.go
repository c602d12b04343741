package law

import (
	"math"

	"pgregory.net/rapid"

	"github.com/fstore-dev/fstore"
)

// Generated cases draw keys, instants and values from tiny domains, so that ties, bounds and gaps are common.

var keyShapes = [][]fstore.Field{
	{},
	{{Name: "k", Type: fstore.Int64}},
	{{Name: "k", Type: fstore.String}},
	{{Name: "a", Type: fstore.Int64}, {Name: "b", Type: fstore.String}},
	{{Name: "a", Type: fstore.Int32}, {Name: "b", Type: fstore.Bool}},
}

var featurePool = []fstore.Field{
	{Name: "x", Type: fstore.Int64},
	{Name: "x_y", Type: fstore.Float64},
	{Name: "y", Type: fstore.String},
	{Name: "b", Type: fstore.Bool},
	{Name: "v", Type: fstore.List(fstore.Float32)},
	{Name: "f", Type: fstore.Float32},
	{Name: "h", Type: fstore.Timestamp},
	{Name: "n", Type: fstore.Int32},
	{Name: "r", Type: fstore.Bytes},
}

// drawValue draws from a few values of a type; null is one of them.
func drawValue(rt *rapid.T, t fstore.Type) any {
	if rapid.IntRange(0, 4).Draw(rt, "null") == 0 {
		return nil
	}
	return drawPresent(rt, t)
}

func drawPresent(rt *rapid.T, t fstore.Type) any {
	switch t {
	case fstore.Bool:
		return rapid.Bool().Draw(rt, "bool")
	case fstore.Int32:
		return rapid.SampledFrom([]int32{0, 1, -1, math.MaxInt32}).Draw(rt, "int32")
	case fstore.Int64:
		return rapid.SampledFrom([]int64{0, 1, -1, 1<<53 + 1, math.MinInt64, math.MaxInt64}).Draw(rt, "int64")
	case fstore.Timestamp:
		return rapid.SampledFrom([]int64{0, 1, -1, 1322870400000001}).Draw(rt, "timestamp")
	case fstore.Float32:
		return rapid.SampledFrom([]float32{0, 1.5, float32(math.NaN()), float32(math.Inf(-1))}).Draw(rt, "float32")
	case fstore.Float64:
		return rapid.SampledFrom([]float64{0, 0.1, math.NaN(), math.Inf(1), -2}).Draw(rt, "float64")
	case fstore.String:
		return rapid.SampledFrom([]string{"", "a", "ab", "é", "}", "a\x00", "\x00"}).Draw(rt, "string")
	case fstore.Bytes:
		return []byte(rapid.SampledFrom([]string{"", "a", "\xff", "\x00\x01"}).Draw(rt, "bytes"))
	}
	return rapid.SliceOfN(rapid.SampledFrom([]float32{0, 1.5, -1}), 0, 2).Draw(rt, "list")
}

func drawKey(rt *rapid.T, keys []fstore.Field) []any {
	var key []any
	for _, k := range keys {
		if rapid.IntRange(0, 9).Draw(rt, "null key") == 0 {
			key = append(key, nil)
			continue
		}
		key = append(key, drawPresent(rt, k.Type))
	}
	return key
}

func drawDuration(rt *rapid.T, name string, least, most int64) fstore.Duration {
	return fstore.Duration(rapid.Int64Range(least, most).Draw(rt, name) * 1000)
}

// drawCase draws a view over a source, its rows and labels.
func drawCase(rt *rapid.T) testCase {
	c := testCase{name: "generated", file: "generated"}
	v := &c.view
	v.Keys = rapid.SampledFrom(keyShapes).Draw(rt, "keys")
	for _, f := range rapid.Permutation(featurePool).Draw(rt, "features")[:rapid.IntRange(1, 4).Draw(rt, "how many")] {
		if keyNamed(v.Keys, f.Name) {
			continue
		}
		feature := fstore.Feature{Name: f.Name, Type: f.Type, Column: f.Name}
		if !f.Type.IsList() && f.Type != fstore.Bytes && rapid.IntRange(0, 3).Draw(rt, "has default") == 0 {
			d := fstore.Value{Column: fstore.NewColumn("", f.Type, 1)}
			value := drawPresent(rt, f.Type)
			if f.Type == fstore.Timestamp {
				value = fstore.FromMicros(value.(int64))
			}
			d.Append(value)
			feature.Default = &d
		}
		v.Features = append(v.Features, feature)
	}
	if len(v.Features) == 0 {
		v.Features = []fstore.Feature{{Name: "x", Type: fstore.Int64, Column: "x"}}
	}
	c.columns = append(c.columns, v.Keys...)
	if kind := rapid.IntRange(0, 9).Draw(rt, "kind"); kind > 0 {
		drawTimes(rt, &c)
	}
	for _, f := range v.Features {
		c.columns = append(c.columns, fstore.Field{Name: f.Column, Type: f.Type})
	}
	drawRows(rt, &c, rapid.IntRange(0, 40).Draw(rt, "rows"))
	drawLabels(rt, &c)
	return c
}

func keyNamed(keys []fstore.Field, name string) bool {
	for _, k := range keys {
		if k.Name == name {
			return true
		}
	}
	return false
}

// drawTimes makes the view one with an event time.
func drawTimes(rt *rapid.T, c *testCase) {
	v := &c.view
	v.Event = "event"
	c.columns = append(c.columns, fstore.Field{Name: "event", Type: fstore.Timestamp})
	if rapid.Bool().Draw(rt, "has created") {
		v.Created = "created"
		c.columns = append(c.columns, fstore.Field{Name: "created", Type: fstore.Timestamp})
		v.Available.Created = rapid.IntRange(0, 3).Draw(rt, "by created") > 0
	}
	if !v.Available.Created && rapid.Bool().Draw(rt, "has lag") {
		v.Available.Lag = drawDuration(rt, "lag", 1, 10)
	}
	if rapid.Bool().Draw(rt, "has ttl") {
		ttl := drawDuration(rt, "ttl", 1, 30)
		v.TTL = &ttl
	}
	if rapid.Bool().Draw(rt, "has schedule") {
		every := rapid.Int64Range(1, 20).Draw(rt, "every")
		v.Publish = &fstore.Publish{
			Every:  fstore.Duration(every * 1000),
			Offset: drawDuration(rt, "offset", 0, every-1),
			Delay:  drawDuration(rt, "delay", 0, 15),
		}
		if v.TTL != nil {
			v.Publish.Delay = min(v.Publish.Delay, *v.TTL) // a longer one is refused
		}
	}
}

// drawRows adds n rows to a case.
func drawRows(rt *rapid.T, c *testCase, n int) {
	for range n {
		var values []any
		key := drawKey(rt, c.view.Keys)
		event := rapid.Int64Range(-30, 30).Draw(rt, "event")
		for i, f := range c.columns {
			switch {
			case i < len(key):
				values = append(values, key[i])
			case f.Name == "event" && rapid.IntRange(0, 19).Draw(rt, "no event") == 0:
				values = append(values, nil)
			case f.Name == "event":
				values = append(values, event)
			case f.Name == "created" && rapid.IntRange(0, 4).Draw(rt, "no created") == 0:
				values = append(values, nil)
			case f.Name == "created":
				values = append(values, event+rapid.Int64Range(-5, 20).Draw(rt, "created"))
			default:
				values = append(values, drawValue(rt, f.Type))
			}
		}
		c.rows = append(c.rows, values)
	}
}

// drawLabels asks at random instants and at those where something changes, one microsecond either side included;
// sometimes for fewer than 64 labels, sometimes for more.
func drawLabels(rt *rapid.T, c *testCase) {
	var instants []int64
	for _, r := range c.history() {
		for _, at := range []*int64{r.event, r.created} {
			if at == nil {
				continue
			}
			instants = append(instants, *at, *at+c.view.Available.Lag.Micros())
			if c.view.TTL != nil {
				instants = append(instants, *at+c.view.TTL.Micros())
			}
		}
	}
	instants = append(instants, 0)
	n := rapid.SampledFrom([]int{1, 5, 20, 63, 64, 65, 150}).Draw(rt, "labels")
	for range n {
		at := rapid.Int64Range(-40, 70).Draw(rt, "at")
		if rapid.Bool().Draw(rt, "at a bound") {
			at = rapid.SampledFrom(instants).Draw(rt, "bound") + rapid.Int64Range(-1, 1).Draw(rt, "beside")
		}
		c.labels = append(c.labels, label{key: drawKey(rt, c.view.Keys), at: at})
	}
	c.expected = c.oracle()
}
