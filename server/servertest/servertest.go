// Package servertest has what tests of a server and of its protocols share: a catalog that a test writes, a store in
// memory that a test may hold up or break, and a small shop in them.
package servertest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/memory"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
	"github.com/fstore-dev/fstore/server"
)

var Now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// Book is a catalog that a test writes. Its lists are those of one revision; set makes the next.
type Book struct {
	mu       sync.Mutex // guards all
	revision server.Revision
	err      error // what Revision returns
	asked    int   // calls of Revision
	loads    int   // calls of Load
	Page     Page
}

// Page is a revision of a Book.
type Page struct {
	Services map[string]*fstore.FeatureList
	Models   map[fstore.ModelRef]*fstore.FeatureList
	Views    map[string]*fstore.ViewVersion
	Resolved func(refs []string) // called by Features, if set
	Also     map[string]bool     // key columns beside those of the views
}

// Set makes the next revision.
func (b *Book) Set(p Page) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.Page = p
	b.revision.Number++
}

// Replace makes the catalog another registry's, at the same revision.
func (b *Book) Replace(p Page) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.revision.Registry++
	b.Page = p
}

// Fail has Revision return an error; nil ends that.
func (b *Book) Fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
}

func (b *Book) Revision(context.Context) (server.Revision, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked++
	if b.revision.Number == 0 && b.err == nil {
		return server.Revision{}, errors.New("nothing was applied yet")
	}
	return b.revision, b.err
}

func (b *Book) Load(context.Context) (server.Names, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.loads++
	return b.Page, nil
}

func (p Page) Service(name string) (*fstore.FeatureList, error) {
	if name == "panics" {
		panic("secret of the inside")
	}
	l := p.Services[name]
	if l == nil {
		return nil, fstore.Errorf(fstore.ErrNotFound, "there is no service %q", name).WithHint("run: fstore list")
	}
	return l, nil
}

func (p Page) Model(ref fstore.ModelRef) (*fstore.FeatureList, error) {
	l := p.Models[ref]
	if l == nil {
		return nil, fstore.Errorf(fstore.ErrNotFound, "there is no model %s", ref).WithHint("run: fstore model list")
	}
	return l, nil
}

func (p Page) Features(refs []string) (*fstore.FeatureList, error) {
	if p.Resolved != nil {
		p.Resolved(refs)
	}
	l := &fstore.FeatureList{}
	for _, ref := range refs {
		view, feature, _ := strings.Cut(ref, ".")
		feature, name, _ := strings.Cut(feature, "=")
		v := p.Views[view]
		if v == nil || v.View.Feature(feature) == nil {
			return nil, fstore.Errorf(fstore.ErrNotFound, "there is no feature %q", ref)
		}
		Add(l, v, cmp.Or(name, feature), feature)
	}
	return l, nil
}

func (p Page) SentColumns() map[string]bool {
	out := map[string]bool{}
	for _, v := range p.Views {
		for _, k := range v.View.Keys {
			out[k.Name] = true
		}
	}
	maps.Copy(out, p.Also)
	return out
}

func (p Page) Live() (out []*fstore.ViewVersion) {
	for _, v := range p.Views {
		out = append(out, v)
	}
	return out
}

// Add puts a feature of a view at the end of a list.
func Add(l *fstore.FeatureList, v *fstore.ViewVersion, name, feature string) {
	at := slices.IndexFunc(l.Uses, func(u fstore.ViewUse) bool { return u.Version == v })
	if at < 0 {
		use := fstore.ViewUse{Version: v}
		for _, k := range v.View.Keys {
			use.Keys = append(use.Keys, fstore.KeyBinding{Key: k, Column: k.Name})
		}
		at, l.Uses = len(l.Uses), append(l.Uses, use)
	}
	l.Outputs = append(l.Outputs, fstore.FeatureOutput{As: name, Use: at, Feature: feature})
}

// ServiceOf returns the list of all features of views, as a service.
func ServiceOf(name string, version int, views ...*fstore.ViewVersion) *fstore.FeatureList {
	l := &fstore.FeatureList{Service: fstore.ViewRef{Name: name, Version: version}}
	for _, v := range views {
		for _, f := range v.View.Features {
			Add(l, v, f.Name, f.Name)
		}
	}
	return l
}

// View returns a view version with an event time.
func View(name string, version int, keys []fstore.Field, features ...fstore.Feature) *fstore.ViewVersion {
	fstore.SortFields(keys)
	return &fstore.ViewVersion{
		Ref: fstore.ViewRef{Name: name, Version: version}, Fingerprint: fmt.Sprint(name, version),
		View: fstore.View{Name: name, Keys: keys, Event: "event", Features: features},
	}
}

// Row is the values of one key: join keys in name order, event time, features in name order.
type Row []any

// Publish makes rows the data of a view version in a new generation, published at an instant.
func Publish(t testing.TB, s *online.Store, v *fstore.ViewVersion, at time.Time, rows ...Row) fstore.Generation {
	t.Helper()
	ctx := context.Background()
	var b fstore.Batch
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
		b.Len++
	}
	from, found, err := s.Pointer(ctx, v.Ref)
	if err != nil {
		t.Fatal(err)
	}
	was, n := (*fstore.Pointer)(nil), uint64(1)
	if found {
		was = &from
		if _, err := fmt.Sscanf(string(from.Generation), "%x", &n); err != nil {
			t.Fatal(err)
		}
		n++
	}
	g := fstore.Generation(fmt.Sprintf("%016x", n))
	if !found {
		g = fstore.Generation(fmt.Sprintf("%08x%08x", len(v.Ref.Name)*256+v.Ref.Version, 0))
	}
	h := fstore.Header{View: v.Ref, Generation: g, Fingerprint: v.Fingerprint, Layout: fstore.RecordLayout, Partitions: fstore.Partitions, Run: string(g), RunAt: at, Token: "token"}
	f := fstore.Fence{View: v.Ref, Generation: g, Run: h.Run, At: at, Complete: true}
	var keys, records [][]byte
	enc, err := s.Encoder(v, g)
	if err != nil {
		t.Fatal(err)
	}
	for i := range b.Len {
		k, r, err := enc.Encode(&b, i, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		keys, records = append(keys, k), append(records, r)
	}
	is := h
	is.Published, is.Complete = at, true
	if err := errors.Join(
		s.SetHeader(ctx, nil, h),
		s.SetFence(ctx, nil, f),
		s.WriteBatch(ctx, f, f, keys, records, nil),
		s.Publish(ctx, h, is, f, was, fstore.Pointer{
			Generation: g, Published: at, Fingerprint: v.Fingerprint, Layout: fstore.RecordLayout, Run: h.Run, Partitions: fstore.Partitions,
		}),
	); err != nil {
		t.Fatal(err)
	}
	return g
}

// Backend is a backend in memory whose reads a test may hold up or break.
type Backend struct {
	*memory.Backend
	Checks func(context.Context) error // what Check returns, if set
	mu     sync.Mutex                  // guards before
	before func(context.Context) error
}

func (b *Backend) Check(ctx context.Context) (warnings []error, err error) {
	if b.Checks != nil {
		return nil, b.Checks(ctx)
	}
	return b.Backend.Check(ctx)
}

func (b *Backend) Hook(f func(context.Context) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.before = f
}

func (b *Backend) Get(ctx context.Context, r online.Read) (records, ptrs [][]byte, err error) {
	b.mu.Lock()
	before := b.before
	b.mu.Unlock()
	if before != nil {
		if err := before(ctx); err != nil {
			return nil, nil, err
		}
	}
	return b.Backend.Get(ctx, r)
}

type Log struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (b *Log) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *Log) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

var CustomerKey = []fstore.Field{{Name: "customer_id", Type: fstore.Int64}}

func Orders(version int) *fstore.ViewVersion {
	ttl := fstore.Duration(30 * 24 * time.Hour)
	zero := fstore.Value{Column: fstore.NewColumn("", fstore.Int64, 1)}
	zero.Append(int64(0))
	v := View("orders", version, CustomerKey,
		fstore.Feature{Name: "value", Type: fstore.Float64}, fstore.Feature{Name: "lines", Type: fstore.Int64, Default: &zero})
	v.View.TTL = &ttl
	return v
}

func Today() *fstore.ViewVersion {
	return View("today", 1, nil, fstore.Feature{Name: "holiday", Type: fstore.Bool})
}

func Int64s(name string, values ...int64) *fstorev1.Column {
	c := &fstorev1.Column{Name: name, Int64Values: values}
	if len(values) == 0 {
		c.Type = "int64"
	}
	return c
}

func ByService(name string, entities ...*fstorev1.Column) *fstorev1.GetOnlineFeaturesRequest {
	return &fstorev1.GetOnlineFeaturesRequest{
		Selection: &fstorev1.GetOnlineFeaturesRequest_Service{Service: name}, Entities: entities,
	}
}

func ByRefs(refs []string, entities ...*fstorev1.Column) *fstorev1.GetOnlineFeaturesRequest {
	return &fstorev1.GetOnlineFeaturesRequest{
		Selection: &fstorev1.GetOnlineFeaturesRequest_Features{Features: &fstorev1.FeatureRefs{Refs: refs}}, Entities: entities,
	}
}

// Core is a server over a store in memory that no protocol was given to.
type Core struct {
	*server.Server
	Store   *online.Store
	Backend *Backend
	Book    *Book
	Log     *Log
}

// New returns a server that has not begun.
func New(t testing.TB, change func(*server.Options)) *Core {
	t.Helper()
	c := &Core{Book: &Book{}, Log: &Log{}, Backend: &Backend{Backend: memory.New()}}
	c.Store = online.New(c.Backend, "test")
	o := server.Options{
		Catalog: c.Book, Store: c.Store, Clock: func() time.Time { return Now }, Version: "v1.2.3",
		Logger: slog.New(slog.NewTextHandler(c.Log, nil)), Poll: time.Hour, Linger: time.Millisecond,
	}
	if change != nil {
		change(&o)
	}
	c.Server = server.New(o)
	return c
}

// Shop makes it the server of a shop: customers with orders (ttl 30 days), and one global record.
func (c *Core) Shop(t testing.TB) {
	orders, today := Orders(1), Today()
	c.Book.Set(Page{
		Services: map[string]*fstore.FeatureList{
			"churn":  ServiceOf("churn", 2, orders),
			"both":   ServiceOf("both", 1, orders, today),
			"global": ServiceOf("global", 1, today),
			"early":  ServiceOf("early", 1, View("early", 1, CustomerKey, fstore.Feature{Name: "x", Type: fstore.Int64})),
		},
		Views: map[string]*fstore.ViewVersion{"orders": orders, "today": today},
	})
	fresh, old := Now.Add(-time.Hour), Now.AddDate(0, 0, -31)
	Publish(t, c.Store, orders, Now.Add(-10*time.Minute),
		Row{int64(1), fresh, int64(3), 10.5}, Row{int64(2), fresh, nil, nil}, Row{int64(3), old, int64(9), 1.0})
	Publish(t, c.Store, today, Now.Add(-time.Minute), Row{fresh, true})
}

// WideView returns a view of that many float64 features, whose names no other number's view has.
func WideView(number, features int) *fstore.ViewVersion {
	var fs []fstore.Feature
	for i := range features {
		fs = append(fs, fstore.Feature{Name: fmt.Sprintf("v%d_f%03d", number, i), Type: fstore.Float64})
	}
	return View(fmt.Sprint("wide", strings.Repeat("_", number)), 1, CustomerKey, fs...)
}

// WideRows returns a row of WideView for each of the customers 0, 1, …
func WideRows(customers, features int) (rows []Row) {
	for i := range customers {
		r := Row{int64(i), Now}
		for f := range features {
			r = append(r, float64(i*f)/7)
		}
		rows = append(rows, r)
	}
	return rows
}

// Strings returns a key column.
func Strings(name string, values ...string) *fstorev1.Column {
	return &fstorev1.Column{Name: name, StringValues: values}
}

// Times returns a key column.
func Times(name string, values ...int64) *fstorev1.Column {
	return &fstorev1.Column{Name: name, TimestampValues: values}
}
