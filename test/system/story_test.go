package system

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fstore-dev/fstore/online/redis/redistest"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// TestTwoModelsAreServedWhatTheyWereTrainedOn plays the story of two models on Redis while clients ask a server all the
// time, for the models and for the service: none gets an error, and none an answer of another version than it
// asked for. An answer is right if it names the model and the view versions pinned to it and has, key for key, the values
// of the training set.
func TestTwoModelsAreServedWhatTheyWereTrainedOn(t *testing.T) {
	r := newRepo(t, redistest.New(t).URL)
	r.must("init", ".")
	definitions, err := os.ReadFile(filepath.Join(r.dir, "customer.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	r.write("customer.yaml", strings.Replace(string(definitions), "ttl: 180d\n", "", 1)) // a server judges age by its own clock
	r.must("apply", "--yes")
	r.must("training-set", "create", "one", "--service", "churn", "--out", "one.parquet", "--timestamp", "at", "--labels-sql", everybody)
	r.must("model", "pin", "fraud", "1", "--training-set", "one")
	r.must("materialize", "--to", "2025-12-01")
	s := r.serve()
	x := &clients{t: t, s: s, churn: map[uint32]*trained{1: readTrained(t, r, "one", 1)}}
	x.models = map[string]*trained{"1": x.churn[1]}
	x.start(4)
	x.more(*readsFlag / 6)

	// The definition changes, and a second model is trained and pinned.
	r.write("customer_large_orders.sql", "select customer_id, invoice_date, loaded_at, order_value as large_order_value\nfrom customer_orders\nwhere order_value >= 300\n")
	if plan := r.must("plan"); !strings.Contains(plan, "fraud@1 not affected, keeps customer_large_orders@1") {
		t.Errorf("the plan:\n%s", plan)
	}
	r.must("training-set", "create", "two", "--service", "churn", "--out", "before.parquet", "--timestamp", "at", "--labels-sql", everybody)
	r.must("apply", "--yes")
	r.must("training-set", "create", "two", "--replace", "--service", "churn", "--out", "two.parquet", "--timestamp", "at", "--labels-sql", everybody)
	r.must("model", "pin", "fraud", "2", "--training-set", "two")
	two := readTrained(t, r, "two", 2)
	x.set(func() { x.churn[2] = two }) // it may serve at any moment from here on
	r.must("materialize", "--to", "2025-12-01")
	x.await("2", codes.OK)
	x.set(func() { x.models["2"] = two })
	x.more(*readsFlag / 6)
	if x.differ(x.models["1"], two) == 0 {
		t.Fatal("the two models have the same values: the test proves nothing")
	}

	// Everything is written anew beside what is read, then collected.
	r.must("materialize", "--full", "--to", "2025-12-01")
	r.must("gc", "--grace", "0s")
	x.more(*readsFlag / 6)

	// Both training sets are made again to the same bytes, although head knows only version 2.
	for _, set := range []string{"one", "two"} {
		r.must("training-set", "rebuild", set, "--out", set+"_again.parquet")
		if r.read(set+"_again.parquet") != r.read(set+".parquet") {
			t.Errorf("training set %s is not made again to the byte", set)
		}
	}

	// Model 1 goes while model 2 and the service are asked.
	x.set(func() { delete(x.models, "1"); delete(x.churn, 1) })
	r.must("model", "unpin", "fraud", "1")
	x.await("1", codes.NotFound) // so the server knows what serves
	r.must("gc", "--grace", "0s")
	if left := r.must("gc", "--grace", "0s", "--output", "json"); !strings.Contains(left, `"items": []`) {
		t.Errorf("left after gc: %s", left)
	}
	r.must("verify")
	x.more(max(*readsFlag/6, *readsFlag-int(x.count.Load())))
	x.stop()
	t.Logf("%d answers of models, %d of the service", x.ofModels.Load(), x.ofService.Load())
	if n := x.count.Load(); n < int64(*readsFlag) {
		t.Errorf("%d answers were checked, of %d", n, *readsFlag)
	}
}

const everybody = "select distinct customer_id, timestamp '2025-12-01' as at from customers order by all"

// trained is what a training set has: by customer, by feature.
type trained struct {
	version uint32 // of customer_large_orders
	keys    []int64
	rows    map[int64]map[string]any
}

func readTrained(t *testing.T, r *repo, set string, version uint32) *trained {
	t.Helper()
	rows, err := parquet.ReadFile[any](filepath.Join(r.dir, set+".parquet"))
	if err != nil {
		t.Fatal(err)
	}
	out := &trained{version: version, rows: map[int64]map[string]any{}}
	for _, row := range rows {
		m := row.(map[string]any)
		id := m["customer_id"].(int64)
		delete(m, "customer_id")
		delete(m, "at")
		out.keys, out.rows[id] = append(out.keys, id), m
	}
	if len(out.keys) < 100 {
		t.Fatalf("training set %s has %d rows", set, len(out.keys))
	}
	return out
}

// clients ask all the time.
type clients struct {
	t *testing.T
	s *served

	mu     sync.RWMutex        // held for reading while a request is under way; guards what follows
	models map[string]*trained // those that may be asked for
	churn  map[uint32]*trained // the versions of the service that may answer
	done   bool

	wg                         sync.WaitGroup
	count, ofModels, ofService atomic.Int64
	failed                     atomic.Bool
}

func (x *clients) start(n int) {
	for range n {
		x.wg.Go(func() {
			for x.one() {
			}
		})
	}
	x.t.Cleanup(x.stop)
}

func (x *clients) stop() {
	x.set(func() { x.done = true })
	x.wg.Wait()
}

// set changes what may be asked for, between requests.
func (x *clients) set(change func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	change()
}

// more waits for n more answers.
func (x *clients) more(n int) {
	x.t.Helper()
	until := x.count.Load() + int64(n)
	if x.t.Failed() || x.failed.Load() {
		x.t.FailNow()
	}
	for deadline := time.Now().Add(20 * time.Minute); x.count.Load() < until; time.Sleep(5 * time.Millisecond) {
		if x.failed.Load() || time.Now().After(deadline) {
			x.t.FailNow()
		}
	}
}

// one asks for some customers, of a model or of the service, and checks the answer.
func (x *clients) one() bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if x.done || x.failed.Load() {
		return false
	}
	names := []string{""}
	for v := range x.models {
		names = append(names, v)
	}
	model := names[rand.IntN(len(names))]
	req := &fstorev1.GetOnlineFeaturesRequest{Selection: &fstorev1.GetOnlineFeaturesRequest_Service{Service: "churn"}}
	var any *trained
	for _, any = range x.churn {
		break
	}
	if model != "" {
		any = x.models[model]
		req.Selection = &fstorev1.GetOnlineFeaturesRequest_Model{Model: &fstorev1.ModelRef{Name: "fraud", Version: model}}
	}
	ids := make([]int64, 1+rand.IntN(8))
	for i := range ids {
		ids[i] = any.keys[rand.IntN(len(any.keys))]
	}
	req.Entities = []*fstorev1.Column{{Name: "customer_id", Int64Values: ids}}
	got, err := x.s.client.GetOnlineFeatures(context.Background(), req)
	if err != nil {
		x.fail("model %q: %v", model, err)
		return false
	}
	want := x.models[model]
	if model == "" {
		want = x.churn[got.GetService().GetVersion()]
		x.ofService.Add(1)
	} else {
		if got.GetModel().GetVersion() != model {
			x.fail("asked for model %s, answered %v", model, got.GetModel())
		}
		x.ofModels.Add(1)
	}
	if want == nil {
		x.fail("the service answers from version %d", got.GetService().GetVersion())
		return false
	}
	x.check(got, ids, want)
	x.count.Add(1)
	return true
}

// check compares an answer with a training set.
func (x *clients) check(got *fstorev1.GetOnlineFeaturesResponse, ids []int64, want *trained) {
	for _, v := range got.GetViews() {
		if v.Name == "customer_large_orders" && v.Version != want.version {
			x.fail("answered from %s@%d, pinned is @%d", v.Name, v.Version, want.version)
		}
	}
	if len(got.Features) != 9 {
		x.fail("%d features", len(got.Features))
	}
	for _, f := range got.Features {
		for i, id := range ids {
			if trained, served := want.rows[id][f.Name], valueOf(f, i); trained != served {
				x.fail("%s of %d: trained on %v, served %v", f.Name, id, trained, served)
			}
		}
	}
}

// valueOf returns a value as parquet-go gives those of a training set.
func valueOf(f *fstorev1.Feature, i int) any {
	if len(f.Validity) > 0 && f.Validity[i/8]&(1<<(i%8)) == 0 {
		return nil
	}
	c, err := fstorev1.ColumnOf(f)
	if err != nil {
		return err
	}
	return c.Value(i)
}

func (x *clients) fail(format string, args ...any) {
	if !x.failed.Swap(true) {
		x.t.Errorf(format, args...)
	}
}

// differ counts the values in which two training sets differ.
func (x *clients) differ(a, b *trained) (n int) {
	for id, row := range a.rows {
		for name, v := range row {
			if b.rows[id][name] != v {
				n++
			}
		}
	}
	return n
}

// await waits until the server answers a model with a code.
func (x *clients) await(model string, code codes.Code) {
	x.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		_, err := x.s.client.GetOnlineFeatures(context.Background(), &fstorev1.GetOnlineFeaturesRequest{
			Selection: &fstorev1.GetOnlineFeaturesRequest_Model{Model: &fstorev1.ModelRef{Name: "fraud", Version: model}},
			Entities:  []*fstorev1.Column{{Name: "customer_id", Int64Values: []int64{1}}},
		})
		if status.Code(err) == code {
			return
		}
		if time.Now().After(deadline) {
			x.t.Fatalf("model %s never answered %s: %v", model, code, err)
		}
	}
}
