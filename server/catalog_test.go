package server_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/fstore-dev/fstore"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/servertest"
)

func TestNamesAreResolvedOncePerRevision(t *testing.T) {
	w := shop(t, nil)
	var resolved atomic.Int32
	p := w.book.Page
	p.Resolved = func([]string) { resolved.Add(1) }
	w.book.Set(p)
	w.refresh()
	ask := func(refs ...string) {
		t.Helper()
		if _, err := w.client.GetOnlineFeatures(context.Background(), byRefs(refs, int64s("customer_id", 1))); err != nil {
			t.Fatal(err)
		}
	}
	for range 10 {
		ask("orders.value", "orders.lines")
		ask("orders.lines", "orders.value")
	}
	if got := resolved.Load(); got != 2 {
		t.Errorf("two lists were resolved %d times", got)
	}
	w.refresh()
	ask("orders.value", "orders.lines")
	if got := resolved.Load(); got != 2 {
		t.Errorf("a look at an unchanged registry made a list be resolved again: %d times", got)
	}
	w.book.Set(p)
	w.refresh()
	ask("orders.value", "orders.lines")
	if got := resolved.Load(); got != 3 {
		t.Errorf("a new revision: resolved %d times in all, want 3", got)
	}
}

func TestRegistryThatIsAwayLeavesTheLastRevisionServing(t *testing.T) {
	w := shop(t, nil)
	ask := func() {
		t.Helper()
		if _, err := w.client.GetOnlineFeatures(context.Background(), byService("churn", int64s("customer_id", 1))); err != nil {
			t.Error(err)
		}
	}
	w.book.Fail(errors.New("registry.db: no such file"))
	for range 5 {
		w.refresh()
	}
	ask()
	if got := strings.Count(w.log.String(), "no such file"); got != 1 {
		t.Errorf("logged %d times, want once:\n%s", got, w.log)
	}
	w.book.Fail(errors.New("registry.db: locked"))
	w.refresh()
	w.book.Fail(nil)
	w.refresh()
	w.refresh()
	ask()
	for _, text := range []string{"locked", "can be read again"} {
		if got := strings.Count(w.log.String(), text); got != 1 {
			t.Errorf("%q logged %d times, want once:\n%s", text, got, w.log)
		}
	}
}

// Another registry may have the same revision and other definitions.
func TestARegistryThatWasReplacedIsReadAnew(t *testing.T) {
	w := shop(t, nil)
	v := orders(1)
	w.book.Replace(page{Services: map[string]*fstore.FeatureList{"other": serviceOf("other", 1, v)}})
	w.refresh()
	if _, err := w.client.GetOnlineFeatures(context.Background(), byService("other", int64s("customer_id", 1))); err != nil {
		t.Error(err)
	}
	_, err := w.client.GetOnlineFeatures(context.Background(), byService("churn", int64s("customer_id", 1)))
	servertest.WantStatus(t, err, codes.NotFound, "churn")
	if !strings.Contains(w.log.String(), "the registry was replaced by another one") {
		t.Errorf("the log does not say so:\n%s", w.log)
	}
}

// panickyCatalog panics until told otherwise.
type panickyCatalog struct {
	server.Catalog
	calm atomic.Bool
}

func (p *panickyCatalog) Revision(ctx context.Context) (server.Revision, error) {
	if !p.calm.Load() {
		panic("in the registry")
	}
	return p.Catalog.Revision(ctx)
}

func TestPanicOfTheCatalogEndsOnlyItsPoll(t *testing.T) {
	catalog := &panickyCatalog{}
	w := newWorld(t, func(o *server.Options) {
		catalog.Catalog = o.Catalog
		o.Catalog = catalog
	})
	w.book.Set(page{})
	w.start(t)
	if log := w.log.String(); !strings.Contains(log, "in the registry") {
		t.Errorf("the panic is not in the log: %s", log)
	}
	catalog.calm.Store(true)
	w.refresh()
	if !w.Loaded() {
		t.Error("no catalog was loaded behind the panic")
	}
}

func TestTheServerPollsByItself(t *testing.T) {
	w := newWorld(t, func(o *server.Options) { o.Poll = time.Millisecond })
	w.SetTick(nil)
	loaded := make(chan struct{}, 1)
	w.OnLoad(func() { loaded <- struct{}{} })
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- w.Serve(ctx) }()
	for range 3 {
		w.book.Set(page{})
		<-loaded
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestCatalogAndPublicationsUnderLoad asks without pause while versions are applied and generations published, and
// wants no error, and every answer whole: each value is that of the version and generation that the answer names.
func TestCatalogAndPublicationsUnderLoad(t *testing.T) {
	w := newWorld(t, nil)
	feature := fstore.Feature{Name: "x", Type: fstore.Int64}
	other := fstore.Feature{Name: "y", Type: fstore.Int64}
	view := func(version int) *fstore.ViewVersion { return view("v", version, customerKey, feature, other) }
	expect := func(version int, g fstore.Generation) int64 {
		var n int64
		_, _ = fmt.Sscanf(string(g), "%x", &n)
		return int64(version)<<40 + n&(1<<40-1)
	}
	// A generation's number is known only when it is published, so its values are made from the count.
	put := func(version, count int) {
		v := view(version)
		first := int64(1*256+version) << 32
		n := int64(version)<<40 + (first+int64(count))&(1<<40-1)
		publish(t, w.store, v, now, row{int64(1), now, n, n}, row{int64(2), now, n, n})
	}
	set := func(version int) {
		l := serviceOf("s", version, view(version))
		w.book.Set(page{Services: map[string]*fstore.FeatureList{"s": l}, Views: map[string]*fstore.ViewVersion{"v": view(version)}})
	}
	put(1, 0)
	set(1)
	w.start(t)

	var group sync.WaitGroup
	var answers atomic.Int64
	stop := make(chan struct{})
	for i := range 4 {
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				req := byService("s", int64s("customer_id", 1, 2))
				if i%2 == 1 {
					req = byRefs([]string{"v.x", "v.y"}, int64s("customer_id", 1, 2))
				}
				got, err := w.client.GetOnlineFeatures(context.Background(), req)
				if err != nil {
					t.Errorf("under load: %v", err)
					return
				}
				answers.Add(1)
				checkWhole(t, got, expect)
			}
		})
	}
	for version := 1; version <= 5; version++ {
		if version > 1 {
			put(version, 0)
		}
		set(version)
		w.refresh()
		for count := 1; count <= 20; count++ {
			put(version, count)
			for before := answers.Load(); answers.Load() < before+3 && !t.Failed(); {
				time.Sleep(50 * time.Microsecond)
			}
		}
	}
	close(stop)
	group.Wait()
	got, err := w.client.GetOnlineFeatures(context.Background(), byService("s", int64s("customer_id", 1)))
	if err != nil || got.Service.Version != 5 || got.Views[0].Version != 5 {
		t.Errorf("at the end: got %v, %v, want version 5", got, err)
	}
}

func checkWhole(t *testing.T, got *fstorev1.GetOnlineFeaturesResponse, expect func(int, fstore.Generation) int64) {
	want := expect(int(got.Views[0].Version), fstore.Generation(got.Views[0].Generation))
	for _, f := range got.Features {
		for _, v := range f.Int64Values {
			if v != want {
				t.Errorf("%s of %v: got %d, want %d", f.Name, got.Views[0], v, want)
			}
		}
	}
}

func TestRemovedNameIsNotFoundAtOnce(t *testing.T) {
	w := shop(t, nil)
	w.book.Set(page{})
	w.refresh()
	_, err := w.client.GetOnlineFeatures(context.Background(), byService("churn", int64s("customer_id", 1)))
	servertest.WantStatus(t, err, codes.NotFound, "churn")
}
