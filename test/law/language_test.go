package law

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore"
)

// The corpus under testdata is written in a small language, so that a case fits on one screen and every engine
// runs the same ones:
//
//	case NAME                              the question it settles
//	keys k:int64 …                         "keys" alone: an entity-less view
//	features x:int64 y:float64=0 …         a value behind = is the default
//	ttl 10us | availability event + 5us | publish 1h [offset [delay]] | static | sql SELECT … FROM src
//	rows k event created x y               the columns, then a line a row; "created" may be left out
//	1 100 - 5 NaN
//	labels k at => x y                     key columns and T, then what is expected
//	1 110 => 5 NaN
//
// Times are microseconds since the epoch. "-" is null, or no value. Text is quoted where it has spaces.
type testCase struct {
	name     string
	file     string
	line     int
	view     fstore.View // keys, features, event, created, ttl, publish, availability
	columns  []fstore.Field
	rows     [][]any // by columns; times are int64 or nil
	sql      string
	labels   []label
	expected [][]any // a row a label, features as declared; nil: no expectation for generated cases
}

type label struct {
	key []any // in the order of view.Keys
	at  int64
}

func readCases(t *testing.T, glob string) []testCase {
	t.Helper()
	files, err := filepath.Glob(glob)
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases at %s: %v", glob, err)
	}
	var cases []testCase
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		cases = append(cases, parseCases(t, f, string(text))...)
	}
	return cases
}

func parseCases(t *testing.T, file, text string) []testCase {
	t.Helper()
	var cases []testCase
	var section string
	var labelKeys []int // position of each of view.Keys among the label columns
	var at int
	for n, line := range strings.Split(text, "\n") {
		fail := func(format string, args ...any) {
			t.Helper()
			t.Fatalf("%s:%d: %s", file, n+1, fmt.Sprintf(format, args...))
		}
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		words := split(line)
		if words[0] == "case" {
			cases = append(cases, testCase{name: words[1], file: file, line: n + 1})
			section = ""
			c := &cases[len(cases)-1]
			c.view.Event = "event"
			continue
		}
		if len(cases) == 0 {
			fail("no case yet")
		}
		c := &cases[len(cases)-1]
		switch words[0] {
		case "keys":
			for _, w := range words[1:] {
				c.view.Keys = append(c.view.Keys, field(t, w))
			}
			fstore.SortFields(c.view.Keys)
			continue
		case "features":
			for _, w := range words[1:] {
				w, def, hasDefault := strings.Cut(w, "=")
				f := field(t, w)
				feature := fstore.Feature{Name: f.Name, Type: f.Type, Column: f.Name}
				if hasDefault {
					v := fstore.Value{Column: fstore.NewColumn("", f.Type, 1)}
					v.Append(parseValue(t, f.Type, def))
					feature.Default = &v
				}
				c.view.Features = append(c.view.Features, feature)
			}
			continue
		case "ttl":
			d := duration(t, words[1])
			c.view.TTL = &d
			continue
		case "publish":
			c.view.Publish = &fstore.Publish{Every: duration(t, words[1])}
			if len(words) > 2 {
				c.view.Publish.Offset = duration(t, words[2])
			}
			if len(words) > 3 {
				c.view.Publish.Delay = duration(t, words[3])
			}
			continue
		case "availability":
			if words[1] == "event" {
				c.view.Available = fstore.Available{}
				if len(words) > 2 {
					c.view.Available.Lag = duration(t, words[3])
				}
			}
			continue
		case "static":
			c.view.Event = ""
			continue
		case "sql":
			c.sql = strings.TrimPrefix(line, "sql ")
			continue
		case "rows":
			section = "rows"
			for _, w := range words[1:] {
				c.columns = append(c.columns, c.columnField(t, w))
				if w == "created" {
					c.view.Created = "created"
					c.view.Available.Created = true
				}
			}
			continue
		case "labels":
			section = "labels"
			labelKeys = make([]int, len(c.view.Keys))
			for i, w := range words[1:] {
				if w == "=>" {
					break
				}
				if w == "at" {
					at = i
				}
				for k, key := range c.view.Keys {
					if key.Name == w {
						labelKeys[k] = i
					}
				}
			}
			continue
		}
		switch section {
		case "rows":
			if len(words) != len(c.columns) {
				fail("%d values for %d columns", len(words), len(c.columns))
			}
			values := make([]any, len(words))
			for i, w := range words {
				values[i] = parseValue(t, c.columns[i].Type, w)
			}
			c.rows = append(c.rows, values)
		case "labels":
			l := label{at: parseValue(t, fstore.Int64, words[at]).(int64)}
			for k, i := range labelKeys {
				l.key = append(l.key, parseValue(t, c.view.Keys[k].Type, words[i]))
			}
			var want []any
			for i, w := range words[indexOf(words, "=>")+1:] {
				f := c.view.Features[i]
				v := parseValue(t, f.Type, w)
				want = append(want, v)
			}
			if len(want) != len(c.view.Features) {
				fail("%d values expected for %d features", len(want), len(c.view.Features))
			}
			c.labels, c.expected = append(c.labels, l), append(c.expected, want)
		default:
			fail("a line outside rows and labels: %s", line)
		}
	}
	return cases
}

func (c *testCase) columnField(t *testing.T, name string) fstore.Field {
	t.Helper()
	if base, typ, ok := strings.Cut(name, ":"); ok {
		return field(t, base+":"+typ)
	}
	for _, k := range c.view.Keys {
		if k.Name == name {
			return k
		}
	}
	if f := c.view.Feature(name); f != nil {
		return fstore.Field{Name: name, Type: f.Type}
	}
	if name == "event" || name == "created" {
		return fstore.Field{Name: name, Type: fstore.Timestamp}
	}
	t.Fatalf("%s:%d: column %s has no type", c.file, c.line, name)
	return fstore.Field{}
}

// history returns the rows as the oracle reads them. It is for cases without sql.
func (c *testCase) history() []row {
	var out []row
	record := c.view.Record()
	for _, values := range c.rows {
		r := row{key: make([]any, len(c.view.Keys)), values: make([]any, len(record))}
		for i, f := range c.columns {
			switch f.Name {
			case "event":
				r.event = instant(values[i])
			case "created":
				r.created = instant(values[i])
			}
			for k := range c.view.Keys {
				if c.view.Keys[k].Name == f.Name {
					r.key[k] = values[i]
				}
			}
			for k := range record {
				if record[k].Name == f.Name {
					r.values[k] = values[i]
				}
			}
		}
		out = append(out, r)
	}
	return out
}

// oracle returns what every label gets, features as declared, defaults filled in.
func (c *testCase) oracle() [][]any {
	history, record := c.history(), c.view.Record()
	var out [][]any
	for _, l := range c.labels {
		r, _ := lookup(&c.view, history, l.key, l.at)
		values := make([]any, len(c.view.Features))
		for i, f := range c.view.Features {
			if r != nil {
				for k := range record {
					if record[k].Name == f.Name {
						values[i] = r.values[k]
					}
				}
			}
			if values[i] == nil && f.Default != nil {
				values[i] = plain(f.Default.Value(0))
			}
		}
		out = append(out, values)
	}
	return out
}

func instant(v any) *int64 {
	if us, ok := v.(int64); ok {
		return &us
	}
	return nil
}

func field(t *testing.T, s string) fstore.Field {
	t.Helper()
	name, typ, _ := strings.Cut(s, ":")
	parsed, err := fstore.ParseType(typ)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return fstore.Field{Name: name, Type: parsed}
}

func duration(t *testing.T, s string) fstore.Duration {
	t.Helper()
	d, err := fstore.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// parseValue reads a value; instants, of columns of times too, are int64 microseconds.
func parseValue(t *testing.T, typ fstore.Type, s string) any {
	t.Helper()
	if s == "-" {
		return nil
	}
	quoted := func() string {
		if strings.HasPrefix(s, `"`) {
			out, err := strconv.Unquote(s)
			if err != nil {
				t.Fatalf("%s: %v", s, err)
			}
			return out
		}
		return s
	}
	var err error
	var out any
	switch typ {
	case fstore.Bool:
		out, err = strconv.ParseBool(s)
	case fstore.Int32:
		var n int64
		n, err = strconv.ParseInt(s, 10, 32)
		out = int32(n)
	case fstore.Int64, fstore.Timestamp:
		out, err = strconv.ParseInt(s, 10, 64)
	case fstore.Float32:
		var f float64
		f, err = strconv.ParseFloat(s, 32)
		out = float32(f)
	case fstore.Float64:
		out, err = strconv.ParseFloat(s, 64)
	case fstore.String:
		out = quoted()
	case fstore.Bytes:
		out = []byte(quoted())
	case fstore.List(fstore.Float32):
		list := []float32{}
		for _, e := range strings.FieldsFunc(strings.Trim(s, "[]"), func(r rune) bool { return r == ',' }) {
			f, err := strconv.ParseFloat(e, 32)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, float32(f))
		}
		out = list
	default:
		t.Fatalf("no literals of type %s", typ)
	}
	if err != nil {
		t.Fatalf("%s is not a %s: %v", s, typ, err)
	}
	return out
}

// split cuts a line at spaces outside quotes.
func split(line string) []string {
	var words []string
	var word strings.Builder
	inQuotes, escaped := false, false
	for _, r := range line {
		switch {
		case escaped:
			escaped = false
		case r == '\\' && inQuotes:
			escaped = true
		case r == '"':
			inQuotes = !inQuotes
		case (r == ' ' || r == '\t') && !inQuotes:
			if word.Len() > 0 {
				words = append(words, word.String())
				word.Reset()
			}
			continue
		}
		word.WriteRune(r)
	}
	if word.Len() > 0 {
		words = append(words, word.String())
	}
	return words
}

func indexOf(words []string, w string) int {
	for i := range words {
		if words[i] == w {
			return i
		}
	}
	return -1
}

// same reports whether two values are the same to the user: NaN is NaN, 0 and -0 are both 0.
func same(a, b any) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	if f, ok := a.(float64); ok && math.IsNaN(f) {
		g, ok := b.(float64)
		return ok && math.IsNaN(g)
	}
	return fmt.Sprintf("%T", a) == fmt.Sprintf("%T", b) && order(a, b) == 0
}
