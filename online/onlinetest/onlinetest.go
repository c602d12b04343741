// Package onlinetest is the conformance suite of online.Backend. Every promise of online.Backend and online.Store is
// a subtest, and every backend passes all of them. The suite tests through online.Store where it can, because that is
// how a backend is used.
package onlinetest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
)

// Open returns an empty backend for a subtest, which closes it.
type Open func(t testing.TB) online.Backend

// Run tests a backend with the suite.
func Run(t *testing.T, open Open) {
	for _, group := range []struct {
		name  string
		tests []test
	}{
		{"backend", backendTests},
		{"write", writeTests},
		{"lookup", lookupTests},
		{"request", requestTests},
		{"on_demand", onDemandTests},
		{"generation", generationTests},
		{"fence", fenceTests},
		{"damage", damageTests},
		{"tiles", tileTests},
		{"collect", collectTests},
		{"concurrent", concurrentTests},
		{"cache", cacheTests},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, test := range group.tests {
				t.Run(test.name, func(t *testing.T) {
					b := open(t)
					t.Cleanup(func() {
						if err := b.Close(); err != nil {
							t.Errorf("close: %v", err)
						}
					})
					test.run(t, b)
				})
			}
		})
	}
}

// test answers one question, which its name states.
type test struct {
	name string
	run  func(t *testing.T, b online.Backend)
}

// published is the instant at which the tests' views are published, and the now of their requests.
var published = time.Date(2011, 12, 9, 12, 50, 0, 0, time.UTC)

const (
	generation1 fstore.Generation = "0102030405060708"
	generation2 fstore.Generation = "7d7b2a000a0dffff" // }{* NUL LF CR: bytes that could break a protocol or a pattern
)

// view returns version 1 of a view. Its keys and features are text: "name type, name type=default".
func view(name, keys, features string) *fstore.ViewVersion {
	v := &fstore.ViewVersion{Ref: fstore.ViewRef{Name: name, Version: 1}, Fingerprint: fingerprint}
	v.View = fstore.View{Name: name, Source: "source", Event: "event"}
	for _, f := range fields(keys) {
		v.View.Keys = append(v.View.Keys, f.Field)
	}
	fstore.SortFields(v.View.Keys)
	for _, f := range fields(features) {
		v.View.Features = append(v.View.Features, fstore.Feature{Name: f.Name, Type: f.Type, Column: f.Name, Default: f.value()})
	}
	return v
}

type field struct {
	fstore.Field
	def string
}

// value returns the default, or nil.
func (f *field) value() *fstore.Value {
	if f.def == "" {
		return nil
	}
	c := fstore.NewColumn("", f.Type, 1)
	must(c.AppendParsed([]byte(f.def)))
	return &fstore.Value{Column: c}
}

func fields(s string) (out []field) {
	for _, part := range strings.Split(s, ", ") {
		if part == "" {
			continue
		}
		name, rest, _ := strings.Cut(part, " ")
		typ, def, _ := strings.Cut(rest, "=")
		t, err := fstore.ParseType(typ)
		must(err)
		out = append(out, field{fstore.Field{Name: name, Type: t}, def})
	}
	return out
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// static makes a view static.
func static(v *fstore.ViewVersion) *fstore.ViewVersion {
	v.View.Event = ""
	return v
}

// ttl sets a view's ttl.
func ttl(v *fstore.ViewVersion, d time.Duration) *fstore.ViewVersion {
	v.View.TTL = (*fstore.Duration)(&d)
	return v
}

// row holds the values of a row of an as-of batch: keys in name order, event, features in name order.
type row []any

// batch returns an as-of batch of a view.
func batch(v *fstore.ViewVersion, rows ...row) *fstore.Batch {
	b := &fstore.Batch{Len: len(rows)}
	for _, k := range v.View.Keys {
		b.Columns = append(b.Columns, fstore.NewColumn(k.Name, k.Type, len(rows)))
	}
	b.Columns = append(b.Columns, fstore.NewColumn("event", fstore.Timestamp, len(rows)))
	for _, f := range v.View.Record() {
		b.Columns = append(b.Columns, fstore.NewColumn(f.Name, f.Type, len(rows)))
	}
	for _, r := range rows {
		for i := range b.Columns {
			b.Columns[i].Append(r[i])
		}
	}
	return b
}

// encode returns the keys and records of rows in a generation.
func encode(t testing.TB, s *online.Store, v *fstore.ViewVersion, g fstore.Generation, rows ...row) (keys, records [][]byte) {
	t.Helper()
	b := batch(v, rows...)
	e, err := s.Encoder(v, g)
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		key, record, err := e.Encode(b, i, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		keys, records = append(keys, key), append(records, record)
	}
	return keys, records
}

// fingerprint is that of every view in the suite.
const fingerprint = "test"

// pointerTo returns a pointer to a generation of any view in the suite.
func pointerTo(g fstore.Generation, at time.Time) *fstore.Pointer {
	return &fstore.Pointer{
		Generation: g, Published: at, Fingerprint: fingerprint, Layout: fstore.RecordLayout, Run: runOf(g, at), Partitions: fstore.Partitions,
	}
}

// runOf returns the id of the run that publishes a generation at an instant.
func runOf(g fstore.Generation, at time.Time) string {
	return fmt.Sprintf("%016x", fstore.FenceToken(string(g)+at.String()))
}

// load writes rows as a generation of a view and publishes it.
func load(t testing.TB, s *online.Store, v *fstore.ViewVersion, g fstore.Generation, at time.Time, rows ...row) fstore.Header {
	t.Helper()
	return publish(t, s, begin(t, s, v, nil, g, at), write(t, s, v, nil, g, at, rows...), at)
}

// begin makes the run of a generation and an instant that of the header was. A nil was means that there is none.
func begin(t testing.TB, s *online.Store, v *fstore.ViewVersion, was *fstore.Header, g fstore.Generation, at time.Time) fstore.Header {
	t.Helper()
	h := fstore.Header{
		View: v.Ref, Generation: g, Fingerprint: v.Fingerprint, Layout: fstore.RecordLayout, Partitions: fstore.Partitions,
		Run: runOf(g, at), RunAt: at, Token: "token",
	}
	if was != nil {
		h.Published = was.Published
	}
	check(t, s.SetHeader(context.Background(), was, h))
	return h
}

// write writes rows, as the run that the header names does, and completes the fence. A nil was means that there is none.
func write(t testing.TB, s *online.Store, v *fstore.ViewVersion, was *fstore.Fence, g fstore.Generation, at time.Time, rows ...row) fstore.Fence {
	t.Helper()
	keys, records := encode(t, s, v, g, rows...)
	f := fstore.Fence{View: v.Ref, Generation: g, Run: runOf(g, at), At: at}
	if was != nil {
		f.Base, f.BaseAt = was.Run, was.At
	}
	check(t, s.SetFence(context.Background(), was, f))
	done := f
	done.Watermark, done.Complete = int64(len(rows)), true
	check(t, s.WriteBatch(context.Background(), f, done, keys, records, nil))
	return done
}

// publish publishes what a run has written.
func publish(t testing.TB, s *online.Store, was fstore.Header, f fstore.Fence, at time.Time) fstore.Header {
	t.Helper()
	ctx := context.Background()
	from, found, err := s.Pointer(ctx, was.View)
	check(t, err)
	is, fromOrNil := was, &from
	if is.Published, is.Complete = at, true; !found {
		fromOrNil = nil
	}
	p := *pointerTo(was.Generation, at)
	p.Fingerprint = was.Fingerprint
	check(t, s.Publish(ctx, was, is, f, fromOrNil, p))
	return is
}

// fenceOf returns the fence of a header's generation.
func fenceOf(t testing.TB, s *online.Store, h fstore.Header) fstore.Fence {
	t.Helper()
	f, ok, err := s.Fence(context.Background(), h.View, h.Generation)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	return f
}

// list returns a feature list of all features of the uses. Every key is bound to the column of its name.
func list(uses ...fstore.ViewUse) *fstore.FeatureList {
	l := &fstore.FeatureList{Uses: uses}
	for i, u := range uses {
		for _, f := range u.Version.View.Features {
			l.Outputs = append(l.Outputs, fstore.FeatureOutput{As: f.Name, Use: i, Feature: f.Name})
		}
	}
	return l
}

// use binds the keys of a view to columns, in the order of View.Keys. By default the columns have the names of the
// keys.
func use(v *fstore.ViewVersion, columns ...string) fstore.ViewUse {
	u := fstore.ViewUse{Version: v}
	for i, k := range v.View.Keys {
		b := fstore.KeyBinding{Key: k, Column: k.Name}
		if len(columns) > 0 {
			b.Column = columns[i]
		}
		u.Keys = append(u.Keys, b)
	}
	return u
}

// column returns a key column.
func column[T any](name string, t fstore.Type, values ...T) fstore.Column {
	c := fstore.NewColumn(name, t, len(values))
	for _, v := range values {
		c.Append(v)
	}
	return c
}

func ids(values ...any) fstore.Column { return column("id", fstore.Int64, values...) }

// ask looks up and formats the answer, one line per feature: "name: value STATUS | value STATUS".
func ask(t testing.TB, s *online.Store, l *fstore.FeatureList, req online.Request) []string {
	t.Helper()
	if req.Now.IsZero() {
		req.Now = published
	}
	a, err := s.Lookup(context.Background(), l, req)
	if err != nil {
		t.Fatal(err)
	}
	return show(a)
}

func show(a *online.Answer) (lines []string) {
	for i := range a.Features {
		f := &a.Features[i]
		var cells []string
		for r := range a.Rows {
			cell := string(f.Column.AppendJSON(nil, r))
			if st := f.Status(r); st != online.Present {
				cell += " " + st.String()
			}
			if f.Events != nil {
				if at, ok := f.Event(r); ok {
					cell += " at " + fstore.FormatTime(at)
				} else {
					cell += " at no time"
				}
			}
			cells = append(cells, cell)
		}
		lines = append(lines, f.Column.Name+": "+strings.Join(cells, " | "))
	}
	return lines
}
