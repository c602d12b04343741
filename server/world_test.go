package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/memory"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// book is a catalog that a test writes. Its lists are those of one revision; set makes the next.
type book struct {
	mu       sync.Mutex // guards all
	revision Revision
	err      error // what Revision returns
	asked    int   // calls of Revision
	loads    int   // calls of Load
	page     page
}

// page is a revision of a book.
type page struct {
	services map[string]*fstore.FeatureList
	models   map[fstore.ModelRef]*fstore.FeatureList
	views    map[string]*fstore.ViewVersion
	resolved func(refs []string) // called by Features, if set
	also     map[string]bool     // key columns beside those of the views
}

func (b *book) set(p page) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.page = p
	b.revision.Number++
}

func (b *book) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
}

func (b *book) Revision(context.Context) (Revision, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked++
	if b.revision.Number == 0 && b.err == nil {
		return Revision{}, errors.New("nothing was applied yet")
	}
	return b.revision, b.err
}

func (b *book) Load(context.Context) (Names, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.loads++
	return b.page, nil
}

func (p page) Service(name string) (*fstore.FeatureList, error) {
	if name == "panics" {
		panic("secret of the inside")
	}
	l := p.services[name]
	if l == nil {
		return nil, fstore.Errorf(fstore.ErrNotFound, "there is no service %q", name).WithHint("run: fstore list")
	}
	return l, nil
}

func (p page) Model(ref fstore.ModelRef) (*fstore.FeatureList, error) {
	l := p.models[ref]
	if l == nil {
		return nil, fstore.Errorf(fstore.ErrNotFound, "there is no model %s", ref).WithHint("run: fstore model list")
	}
	return l, nil
}

func (p page) Features(refs []string) (*fstore.FeatureList, error) {
	if p.resolved != nil {
		p.resolved(refs)
	}
	l := &fstore.FeatureList{}
	for _, ref := range refs {
		view, feature, _ := strings.Cut(ref, ".")
		feature, name, _ := strings.Cut(feature, "=")
		v := p.views[view]
		if v == nil || v.View.Feature(feature) == nil {
			return nil, fstore.Errorf(fstore.ErrNotFound, "there is no feature %q", ref)
		}
		add(l, v, or(name, feature), feature)
	}
	return l, nil
}

func (p page) KeyColumns() map[string]bool {
	out := map[string]bool{}
	for _, v := range p.views {
		for _, k := range v.View.Keys {
			out[k.Name] = true
		}
	}
	maps.Copy(out, p.also)
	return out
}

func (p page) Live() (out []*fstore.ViewVersion) {
	for _, v := range p.views {
		out = append(out, v)
	}
	return out
}

// add puts a feature of a view at the end of a list.
func add(l *fstore.FeatureList, v *fstore.ViewVersion, name, feature string) {
	at := slices.IndexFunc(l.Uses, func(u fstore.ViewUse) bool { return u.Version == v })
	if at < 0 {
		use := fstore.ViewUse{Version: v}
		for _, k := range v.View.Keys {
			use.Keys = append(use.Keys, fstore.KeyBinding{Key: k, Column: k.Name})
		}
		at, l.Uses = len(l.Uses), append(l.Uses, use)
	}
	l.Outputs = append(l.Outputs, fstore.FeatureOutput{Name: name, Use: at, Feature: feature})
}

// service returns the list of all features of views, as a service.
func serviceOf(name string, version int, views ...*fstore.ViewVersion) *fstore.FeatureList {
	l := &fstore.FeatureList{Service: fstore.ViewRef{Name: name, Version: version}}
	for _, v := range views {
		for _, f := range v.View.Features {
			add(l, v, f.Name, f.Name)
		}
	}
	return l
}

// view returns a view version with an event time.
func view(name string, version int, keys []fstore.Field, features ...fstore.Feature) *fstore.ViewVersion {
	fstore.SortFields(keys)
	return &fstore.ViewVersion{
		Ref: fstore.ViewRef{Name: name, Version: version}, Fingerprint: fmt.Sprint(name, version),
		View: fstore.View{Name: name, Keys: keys, Event: "event", Features: features},
	}
}

// row is the values of one key: join keys in name order, event time, features in name order.
type row []any

// publish makes rows the data of a view version in a new generation, published at an instant.
func publish(t testing.TB, s *online.Store, v *fstore.ViewVersion, at time.Time, rows ...row) fstore.Generation {
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
	h := fstore.Header{View: v.Ref, Generation: g, Fingerprint: v.Fingerprint, Layout: fstore.RecordLayout, Run: "run", RunAt: at, Token: "token"}
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
		s.WriteBatch(ctx, h, h, keys, records, nil),
		s.Publish(ctx, h, is, was, fstore.Pointer{Generation: g, Published: at, Fingerprint: v.Fingerprint, Layout: fstore.RecordLayout}),
	); err != nil {
		t.Fatal(err)
	}
	return g
}

// world is a server over a store in memory, reached in-process.
type world struct {
	pipe *bufconn.Listener // gRPC's
	*Server
	store   *online.Store
	backend *backend
	book    *book
	log     *syncBuffer
	conn    *grpc.ClientConn
	client  fstorev1.FeatureStoreClient
	web     string // http://host:port
	stop    func() error
	ticks   chan time.Time
}

// refresh has the server look at its catalog: it returns when a look that began after the call is over.
func (w *world) refresh() {
	w.ticks <- now // taken once the look under way is over
	w.ticks <- now // taken once the one that the first began is over
}

// backend is a backend in memory whose reads a test may hold up or break.
type backend struct {
	*memory.Backend
	check  func(context.Context) error // what Check returns, if set
	mu     sync.Mutex                  // guards before
	before func(context.Context) error
}

func (b *backend) Check(ctx context.Context) (warning string, err error) {
	if b.check != nil {
		return "", b.check(ctx)
	}
	return b.Backend.Check(ctx)
}

func (b *backend) hook(f func(context.Context) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.before = f
}

func (b *backend) Get(ctx context.Context, keys, pointers [][]byte) (records, ptrs [][]byte, err error) {
	b.mu.Lock()
	before := b.before
	b.mu.Unlock()
	if before != nil {
		if err := before(ctx); err != nil {
			return nil, nil, err
		}
	}
	return b.Backend.Get(ctx, keys, pointers)
}

type syncBuffer struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// newWorld returns a world whose server has not begun.
func newWorld(t testing.TB, change func(*Options)) *world {
	t.Helper()
	w := &world{book: &book{}, log: &syncBuffer{}, backend: &backend{Backend: memory.New()}}
	w.store = online.New(w.backend, "test")
	o := Options{
		Catalog: w.book, Store: w.store, Clock: func() time.Time { return now }, Version: "v1.2.3",
		Logger: slog.New(slog.NewTextHandler(w.log, nil)), Poll: time.Hour, Linger: time.Millisecond,
	}
	if change != nil {
		change(&o)
	}
	w.Server = New(o)
	w.ticks = make(chan time.Time)
	w.tick = w.ticks
	return w
}

// start begins the server, with what its catalog has now, and ends it with the test.
func (w *world) start(t testing.TB) *world {
	t.Helper()
	w.begin(t)
	w.refresh()
	<-w.usable
	return w
}

// begin is start of a server that may have to wait for its catalog or its store.
func (w *world) begin(t testing.TB) {
	t.Helper()
	pipe := bufconn.Listen(1 << 20)
	w.pipe = pipe
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.web = "http://" + web.Addr().String()
	w.conn, err = grpc.NewClient("passthrough:///bufconn",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return pipe.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20), grpc.MaxCallSendMsgSize(64<<20)))
	if err != nil {
		t.Fatal(err)
	}
	w.client = fstorev1.NewFeatureStoreClient(w.conn)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Serve(ctx, pipe, web) }()
	w.stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() {
		_ = w.stop()
		w.conn.Close()
	})
}

var customerKey = []fstore.Field{{Name: "customer_id", Type: fstore.Int64}}

// shop returns a started world of a shop: customers with orders (ttl 30 days), and one global record.
func shop(t testing.TB, change func(*Options)) *world {
	t.Helper()
	w := newWorld(t, change)
	orders, today := orders(1), today()
	w.book.set(page{
		services: map[string]*fstore.FeatureList{
			"churn":  serviceOf("churn", 2, orders),
			"both":   serviceOf("both", 1, orders, today),
			"global": serviceOf("global", 1, today),
			"early":  serviceOf("early", 1, view("early", 1, customerKey, fstore.Feature{Name: "x", Type: fstore.Int64})),
		},
		views: map[string]*fstore.ViewVersion{"orders": orders, "today": today},
	})
	fresh, old := now.Add(-time.Hour), now.AddDate(0, 0, -31)
	publish(t, w.store, orders, now.Add(-10*time.Minute),
		row{int64(1), fresh, int64(3), 10.5}, row{int64(2), fresh, nil, nil}, row{int64(3), old, int64(9), 1.0})
	publish(t, w.store, today, now.Add(-time.Minute), row{fresh, true})
	return w.start(t)
}

func orders(version int) *fstore.ViewVersion {
	ttl := fstore.Duration(30 * 24 * time.Hour)
	zero := fstore.Value{Column: fstore.NewColumn("", fstore.Int64, 1)}
	zero.Append(int64(0))
	v := view("orders", version, customerKey,
		fstore.Feature{Name: "value", Type: fstore.Float64}, fstore.Feature{Name: "lines", Type: fstore.Int64, Default: &zero})
	v.View.TTL = &ttl
	return v
}

func today() *fstore.ViewVersion {
	return view("today", 1, nil, fstore.Feature{Name: "holiday", Type: fstore.Bool})
}

func int64s(name string, values ...int64) *fstorev1.Column {
	c := &fstorev1.Column{Name: name, Int64Values: values}
	if len(values) == 0 {
		c.Type = "int64"
	}
	return c
}

func byService(name string, entities ...*fstorev1.Column) *fstorev1.GetOnlineFeaturesRequest {
	return &fstorev1.GetOnlineFeaturesRequest{
		Selection: &fstorev1.GetOnlineFeaturesRequest_Service{Service: name}, Entities: entities,
	}
}

func byRefs(refs []string, entities ...*fstorev1.Column) *fstorev1.GetOnlineFeaturesRequest {
	return &fstorev1.GetOnlineFeaturesRequest{
		Selection: &fstorev1.GetOnlineFeaturesRequest_Features{Features: &fstorev1.FeatureRefs{Refs: refs}}, Entities: entities,
	}
}
