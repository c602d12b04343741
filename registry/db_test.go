package registry_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry"
)

const shopFile = "testdata/check/shop.txtar"

var epoch = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// shop checks the shop repo after replacing texts in its files: old, new, old, new …
func shop(t testing.TB, edits ...string) *registry.Definitions {
	t.Helper()
	d, err := check(t, shopArchive(t, edits...))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func shopArchive(t testing.TB, edits ...string) *txtar.Archive {
	t.Helper()
	archive, err := txtar.ParseFile(shopFile)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(edits); i += 2 {
		found := false
		for j := range archive.Files {
			f := &archive.Files[j]
			if f.Name != "want" && strings.Contains(string(f.Data), edits[i]) {
				f.Data = []byte(strings.ReplaceAll(string(f.Data), edits[i], edits[i+1]))
				found = true
			}
		}
		if !found {
			t.Fatalf("the repo has no %q", edits[i])
		}
	}
	return archive
}

func open(t testing.TB) *registry.DB {
	t.Helper()
	db, err := registry.Open(context.Background(), "sqlite://"+filepath.Join(t.TempDir(), "reg", "registry.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func plan(t testing.TB, db *registry.DB, d *registry.Definitions) *registry.Plan {
	t.Helper()
	p, err := db.Plan(context.Background(), "shop", d)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func apply(t testing.TB, db *registry.DB, d *registry.Definitions) *registry.Commit {
	t.Helper()
	c, err := db.Apply(context.Background(), plan(t, db, d), registry.CommitInfo{Now: epoch, Author: "ann", Message: "m", GitRevision: "abc", Dirty: true})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func snapshot(t testing.TB, db *registry.DB) *registry.Snapshot {
	t.Helper()
	s, err := db.Snapshot(context.Background(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func promote(t testing.TB, db *registry.DB, published map[fstore.ViewRef]time.Time) string {
	t.Helper()
	ps, err := db.Promote(context.Background(), "shop", published, epoch)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, p := range ps {
		out = append(out, fmt.Sprintf("%s %d→%d", p.Name, p.From, p.To))
	}
	return strings.Join(out, ", ")
}

func ref(name string, version int) fstore.ViewRef {
	return fstore.ViewRef{Name: name, Version: version}
}

// summary is a plan in short: what each change does.
func summary(p *registry.Plan) string {
	var b strings.Builder
	for _, c := range p.Changes {
		fmt.Fprintf(&b, "%s %s", c.Action, c.Name)
		if c.Version != "" {
			fmt.Fprintf(&b, " %d→%d %s", c.From, c.To, c.Version)
		}
		for _, f := range c.Fields {
			mark := "-"
			if f.Counts {
				mark = "+"
			}
			fmt.Fprintf(&b, " %s%s", mark, f.Field)
		}
		b.WriteString("\n")
	}
	if len(p.Materialize) > 0 {
		fmt.Fprintln(&b, "materialize", p.Materialize)
	}
	for _, k := range p.Kept {
		fmt.Fprintln(&b, "kept", k.Ref, k.Why)
	}
	return b.String()
}

func TestPlanApplyUndo(t *testing.T) {
	db := open(t)
	first := plan(t, db, shop(t))
	want := `add airport
add customer
add countries
add lines
add weather
add airport_weather 0→1 new
add customer_orders 0→1 new
add order_trend 0→1 new
add world 0→1 new
add churn 0→1 new
materialize [airport_weather@1 customer_orders@1 order_trend@1 world@1]
`
	if diff := cmp.Diff(want, summary(first)); diff != "" {
		t.Error(diff)
	}
	if c := apply(t, db, shop(t)); c.ID != 1 || c.Revision != 1 || len(c.Objects) != 10 {
		t.Errorf("commit %+v", c)
	}
	if p := plan(t, db, shop(t)); !p.Empty() || p.Revision != 1 {
		t.Errorf("a second plan has %s", summary(p))
	}
	all := map[fstore.ViewRef]time.Time{ref("airport_weather", 1): epoch, ref("customer_orders", 1): epoch, ref("order_trend", 1): epoch, ref("world", 1): epoch}
	if got := promote(t, db, all); got != "airport_weather 0→1, customer_orders 0→1, order_trend 0→1, world 0→1, churn 0→1" {
		t.Error(got)
	}

	changed := shop(t, "ttl: 90d", "ttl: 30d")
	want = `change customer_orders 1→2 new +ttl
change churn 1→2 new +uses.customer_orders
materialize [customer_orders@2]
kept customer_orders@1 [feature_service churn@1 serving]
`
	if diff := cmp.Diff(want, summary(plan(t, db, changed))); diff != "" {
		t.Error(diff)
	}
	apply(t, db, changed)

	want = `change customer_orders 2→1 earlier +ttl
change churn 2→1 earlier +uses.customer_orders
`
	if diff := cmp.Diff(want, summary(plan(t, db, shop(t)))); diff != "" {
		t.Error(diff)
	}
	apply(t, db, shop(t))

	// A number that was used is not used again.
	apply(t, db, shop(t, "ttl: 90d", "ttl: 31d"))
	if v := snapshot(t, db).View(ref("customer_orders", 0)); v.Ref.Version != 3 || v.View.TTL.String() != "31d" {
		t.Errorf("head is %s with ttl %s", v.Ref, v.View.TTL)
	}
	commits, err := db.Commits(context.Background(), "shop")
	if err != nil || len(commits) != 4 || commits[0].ID != 4 || commits[0].Author != "ann" || !commits[0].Dirty || !commits[0].Time.Equal(epoch) {
		t.Errorf("commits %+v, %v", commits, err)
	}
}

// Which edits make a new version of customer_orders, and of order_trend, which reads it.
func TestEdits(t *testing.T) {
	for _, c := range []struct {
		name         string
		edits        []string
		orders, next int
		changes      string
	}{
		{"description", []string{"Value of the latest order, in pounds", "Pounds"}, 1, 1, "-features.order_value.description"},
		{"owner", []string{"growth@", "team@"}, 1, 1, "-owner"},
		{"tags", []string{"tier: gold", "tier: silver"}, 1, 1, "-tags.tier"},
		{"comment in SQL", []string{"-- one row per invoice", "-- a row for each invoice"}, 1, 1, "-sql"},
		{"case and layout of SQL", []string{"select customer_id, invoice_no, invoice_date", "SELECT Customer_ID,\n invoice_NO, Invoice_Date", "orders as o", "Orders AS O"}, 1, 1, "-sql"},
		{"constant in SQL", []string{"customer_id is not null", "customer_id <> 12"}, 2, 2, "+sql"},
		{"ttl", []string{"ttl: 90d", "ttl: 91d"}, 2, 1, "+ttl"},
		{"ttl written another way", []string{"ttl: 90d", "ttl: 2160h"}, 1, 1, ""},
		{"publish", []string{"delay: 1h", "delay: 2h"}, 2, 1, "+publish.delay"},
		{"default", []string{"default: 0", "default: 1"}, 2, 1, "+features.order_lines.default"},
		{"type", []string{"name: order_lines, type: int64", "name: order_lines, type: int32"}, 2, 2, "+features.order_lines.type"},
		{"order of features", []string{"  - {name: order_lines, type: int64, default: 0, column: n}\nowner", "owner",
			"ttl: 90d\npublish: {every: 1d, offset: 2h, delay: 1h}\nfeatures:", "ttl: 90d\npublish: {every: 1d, offset: 2h, delay: 1h}\nfeatures:\n  - {name: order_lines, type: int64, default: 0, column: n}"}, 1, 1, "-features order"},
		{"path", []string{"${DATA:-data}/lines", "${DATA:-other}/lines"}, 2, 2, "+lines.path"},
		{"rename of SQL's source", []string{"{CustomerID: customer_id}", "{CustomerID: customer_id, invoice_no: invoice_no}"}, 2, 2, "+lines.rename.invoice_no"},
		{"availability of the source", []string{"created_timestamp: loaded_at", "created_timestamp: loaded_at\navailability: event + 1h"}, 2, 2, "+lines.availability"},
		{"availability of the view", []string{"created_timestamp: known\nttl", "created_timestamp: known\navailability: event + 3d\nttl"}, 2, 1, "+availability"},
		{"a feature more", []string{"column: n}\nowner", "column: n}\n  - {name: lines2, type: int64, column: n}\nowner"}, 2, 2, "+features.lines2.type +features.lines2.column"},
		{"type of the key", []string{"name: customer_id, type: int64", "name: customer_id, type: int32"}, 2, 2, "+keys"},
		{"online", []string{"owner: growth", "online: true\nowner: growth"}, 1, 1, ""},
		{"file of the SQL", []string{"sql: trend.sql", "sql: ./trend.sql"}, 1, 1, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := open(t)
			apply(t, db, shop(t))
			d := shop(t, c.edits...)
			p := plan(t, db, d)
			got := map[string]int{"customer_orders": 1, "order_trend": 1}
			changes := ""
			for _, change := range p.Changes {
				if _, ok := got[change.Name]; ok {
					got[change.Name] = change.To
				}
				if change.Name == "customer_orders" {
					changes, _, _ = strings.Cut(summary(&registry.Plan{Changes: []registry.Change{{Fields: change.Fields}}}), "\n")
				}
			}
			if got["customer_orders"] != c.orders || got["order_trend"] != c.next {
				t.Errorf("got versions %v, want customer_orders@%d and order_trend@%d\n%s", got, c.orders, c.next, summary(p))
			}
			if strings.TrimSpace(changes) != c.changes {
				t.Errorf("changed fields %q, want %q", strings.TrimSpace(changes), c.changes)
			}
		})
	}
}

// For a view that takes columns as they are, only the renames it uses count, and no names of things around it.
func TestSourceViewEdits(t *testing.T) {
	for _, c := range []struct {
		name  string
		edits []string
		want  int
	}{
		{"source by another name", []string{"name: weather\n", "name: sky\n", "source: weather", "source: sky"}, 1},
		{"rename that is not used", []string{"path: weather.parquet", "path: weather.parquet\nrename: {unused: other}", "codes INTEGER[]", "codes INTEGER[]; unused BIGINT"}, 1},
		{"rename instead of column", []string{"path: weather.parquet", "path: weather.parquet\nrename: {temperature: temp}", "{name: temperature, type: float32}", "{name: temperature, type: float32, column: temp}"}, 1},
		{"another column", []string{"{name: temperature, type: float32}", "{name: temperature, type: float32, column: t2}", "codes INTEGER[]", "codes INTEGER[]; t2 FLOAT"}, 2},
		{"default of a list", []string{"default: [1, 2]", "default: [2, 1]"}, 2},
		{"lag", []string{"event + 1d", "event + 2d"}, 2},
		{"entity by another name", []string{"kind: entity\nname: airport", "kind: entity\nname: port", "entities: [airport]", "entities: [port]"}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := open(t)
			apply(t, db, shop(t))
			apply(t, db, shop(t, c.edits...))
			if got := snapshot(t, db).View(ref("airport_weather", 0)).Ref.Version; got != c.want {
				t.Errorf("airport_weather@%d, want %d", got, c.want)
			}
		})
	}
}

func TestPromotion(t *testing.T) {
	db := open(t)
	apply(t, db, shop(t))
	late, later := epoch.Add(time.Hour), epoch.Add(2*time.Hour)
	published := map[fstore.ViewRef]time.Time{ref("customer_orders", 1): late, ref("airport_weather", 1): late, ref("world", 1): late}
	s := snapshot(t, db)
	if _, err := s.ServingService("churn"); !errors.Is(err, fstore.ErrNotReady) {
		t.Error("a service without data:", err)
	}
	if _, err := s.ServingFeatures([]string{"customer_orders.*"}); !errors.Is(err, fstore.ErrNotReady) {
		t.Error("a view without data:", err)
	}
	if got := promote(t, db, published); got != "airport_weather 0→1, customer_orders 0→1, world 0→1" {
		t.Error("a service waits for all its views:", got)
	}
	published[ref("order_trend", 1)] = late
	if got := promote(t, db, published); got != "order_trend 0→1, churn 0→1" {
		t.Error(got)
	}
	revision := snapshot(t, db).Revision
	if got := promote(t, db, published); got != "" || snapshot(t, db).Revision != revision {
		t.Error("nothing moves twice:", got)
	}

	apply(t, db, shop(t, "ttl: 90d", "ttl: 30d", "column: n}\nowner", "column: n}\n  - {name: lines2, type: int64, column: n}\nowner"))
	published[ref("customer_orders", 2)], published[ref("order_trend", 2)] = epoch, late
	if got := promote(t, db, published); got != "order_trend 1→2" {
		t.Error("a version published earlier than the one it replaces waits:", got)
	}
	s = snapshot(t, db)
	if list, err := s.ServingService("churn"); err != nil || list.Service.Version != 1 {
		t.Errorf("meanwhile the old version serves: %v, %v", list, err)
	}
	if list, err := s.HeadService("churn"); err != nil || list.Service.Version != 2 || len(list.Outputs) != 9 {
		t.Errorf("head: %v, %v", list, err)
	}
	if _, err := s.ServingFeatures([]string{"customer_orders.lines2"}); !errors.Is(err, fstore.ErrNotReady) {
		t.Error("a feature that only head has:", err)
	}
	var live []string
	for _, v := range s.Live() {
		live = append(live, v.Ref.String())
	}
	if got := strings.Join(live, " "); got != "airport_weather@1 customer_orders@1 customer_orders@2 order_trend@1 order_trend@2 world@1" {
		t.Error("live:", got)
	}
	published[ref("customer_orders", 2)] = later
	if got := promote(t, db, published); got != "customer_orders 1→2, churn 1→2" {
		t.Error(got)
	}

	// Undone, the old version serves again once it has caught up.
	apply(t, db, shop(t))
	if got := promote(t, db, published); got != "order_trend 2→1" {
		t.Error("behind:", got)
	}
	published[ref("customer_orders", 1)] = later
	if got := promote(t, db, published); got != "customer_orders 2→1, churn 2→1" {
		t.Error("caught up:", got)
	}

	// A name that leaves head is gone at once; what still serves stays live.
	apply(t, db, shop(t, "kind: feature_service\nname: churn", "kind: feature_service\nname: leaving"))
	if _, err := snapshot(t, db).ServingService("churn"); !errors.Is(err, fstore.ErrNotFound) {
		t.Error("a removed name:", err)
	}
}

func TestFeatureReferences(t *testing.T) {
	db := open(t)
	apply(t, db, shop(t))
	apply(t, db, shop(t, "ttl: 90d", "ttl: 30d"))
	s := snapshot(t, db)
	list, err := s.HeadFeatures([]string{"customer_orders.order_lines=n", "airport_weather.*", "customer_orders@1.order_value", "customer_orders.order_value=newer"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range list.Outputs {
		got = append(got, fmt.Sprintf("%s=%s.%s", o.Name, list.Uses[o.Use].Version.Ref, o.Feature))
	}
	want := []string{"n=customer_orders@2.order_lines", "temperature=airport_weather@1.temperature", "codes=airport_weather@1.codes",
		"order_value=customer_orders@1.order_value", "newer=customer_orders@2.order_value"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for in, want := range map[string]string{
		"customer_orders":                "is not a reference",
		"customer_order.x":               `did you mean "customer_orders"?`,
		"customer_orders.order_valu":     `did you mean "order_value"?`,
		"customer_orders@9.x":            "there is no feature_view customer_orders@9",
		"customer_orders.*=x":            "is not a reference",
		"customer_orders@0.x":            "is not a reference",
		"customer_orders.order_value=A-": "is not a reference",
	} {
		if _, err := s.HeadFeatures([]string{in}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", in, err, want)
		}
	}
	if _, err := s.HeadFeatures([]string{"customer_orders.order_value", "customer_orders@1.order_value"}); err == nil || !strings.Contains(err.Error(), "two features are named") {
		t.Error(err)
	}
}

func TestTwoAppliesOfOnePlan(t *testing.T) {
	db := open(t)
	plans := []*registry.Plan{plan(t, db, shop(t)), plan(t, db, shop(t, "ttl: 90d", "ttl: 30d")), plan(t, db, shop(t, "ttl: 90d", "ttl: 31d"))}
	errs := make([]error, len(plans))
	var wg sync.WaitGroup
	for i, p := range plans {
		wg.Go(func() {
			_, errs[i] = db.Apply(context.Background(), p, registry.CommitInfo{Now: epoch})
		})
	}
	wg.Wait()
	done := 0
	for _, err := range errs {
		switch {
		case err == nil:
			done++
		case !errors.Is(err, fstore.ErrConflict):
			t.Error(err)
		}
	}
	if done != 1 || snapshot(t, db).Revision != 1 {
		t.Errorf("%d applies, revision %d; want one", done, snapshot(t, db).Revision)
	}
}

func TestProjectsAreApart(t *testing.T) {
	db := open(t)
	apply(t, db, shop(t))
	other, err := db.Snapshot(context.Background(), "other")
	if err != nil || other.Revision != 0 || len(other.Views()) != 0 || len(other.Live()) != 0 {
		t.Errorf("%+v, %v", other, err)
	}
}

func TestLeases(t *testing.T) {
	db, ctx := open(t), context.Background()
	me, err := registry.Self()
	if err != nil {
		t.Fatal(err)
	}
	far := registry.Holder{Host: "elsewhere", PID: 1, Started: "x"}
	acquire := func(project string, h registry.Holder, now time.Time) (string, error) {
		return db.AcquireLease(ctx, project, "v@1", h, time.Minute, now)
	}
	first, err := acquire("shop", far, epoch)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := acquire("shop", me, epoch.Add(59*time.Second)); !errors.Is(err, fstore.ErrConflict) || !strings.Contains(err.Error(), "process 1 on elsewhere") {
		t.Error("a holder elsewhere keeps it until it expires:", err)
	}
	if _, err := acquire("other", me, epoch); err != nil {
		t.Error("projects are apart:", err)
	}
	if err := db.RenewLease(ctx, "shop", "v@1", first, time.Minute, epoch.Add(59*time.Second)); err != nil {
		t.Error(err)
	}
	second, err := acquire("shop", me, epoch.Add(2*time.Minute))
	if err != nil {
		t.Fatal("it expires:", err)
	}
	if err := db.RenewLease(ctx, "shop", "v@1", first, time.Minute, epoch); !errors.Is(err, fstore.ErrConflict) {
		t.Error("a lost lease is not renewed:", err)
	}
	if err := db.ReleaseLease(ctx, "shop", "v@1", first); err != nil {
		t.Error(err)
	}
	if _, err := acquire("shop", me, epoch.Add(2*time.Minute)); !errors.Is(err, fstore.ErrConflict) {
		t.Error("a living process on this host keeps it:", err)
	}
	if err := db.ReleaseLease(ctx, "shop", "v@1", second); err != nil {
		t.Error(err)
	}
	dead := me
	dead.Started = "another life"
	if _, err := acquire("shop", dead, epoch); err != nil {
		t.Fatal("released:", err)
	}
	if _, err := acquire("shop", me, epoch); err != nil {
		t.Error("a process that is gone loses it at once:", err)
	}
}

func TestTrainingSets(t *testing.T) {
	db, ctx := open(t), context.Background()
	rec := registry.TrainingSetRecord{Name: "churn_q4", Created: epoch, Service: "churn@1", Rows: 7, Out: "data/churn.parquet", Lock: []byte(`{"a":1}`)}
	if err := db.AddTrainingSet(ctx, "shop", rec, registry.RefuseName); err != nil {
		t.Fatal(err)
	}
	if err := db.AddTrainingSet(ctx, "shop", rec, registry.RefuseName); !errors.Is(err, fstore.ErrConflict) {
		t.Error(err)
	}
	if err := db.AddTrainingSet(ctx, "other", rec, registry.RefuseName); err != nil {
		t.Error(err)
	}
	newer := rec
	newer.Created, newer.Rows = epoch.Add(time.Hour), 8
	if err := db.AddTrainingSet(ctx, "shop", newer, registry.ReplaceName); err != nil {
		t.Fatal(err)
	}
	got, err := db.TrainingSet(ctx, "shop", "churn_q4")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&newer, got); diff != "" {
		t.Error(diff)
	}
	rec.Retired = newer.Created
	all, err := db.TrainingSets(ctx, "shop")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]registry.TrainingSetRecord{newer, rec}, all); diff != "" {
		t.Error(diff)
	}
	if _, err := db.TrainingSet(ctx, "shop", "none"); !errors.Is(err, fstore.ErrNotFound) {
		t.Error(err)
	}
}

func TestOpening(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	path := filepath.Join(dir, "deep", "a b?#%.db")
	db, err := registry.OpenReadOnly(ctx, "sqlite://"+path)
	if err != nil {
		t.Fatal(err)
	}
	if p := plan(t, db, shop(t)); p.Empty() {
		t.Error("the plan for a registry that does not exist is empty")
	}
	db.Close()
	if _, err := os.Stat(filepath.Dir(path)); !os.IsNotExist(err) {
		t.Error("a plan created the registry")
	}

	if db, err = registry.Open(ctx, "sqlite://"+path); err != nil {
		t.Fatal(err)
	}
	apply(t, db, shop(t))
	db.Close()
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	if db, err = registry.OpenReadOnly(ctx, "sqlite://"+path); err != nil {
		t.Fatal(err)
	}
	if p := plan(t, db, shop(t)); !p.Empty() {
		t.Error(summary(p))
	}
	if _, err := db.Apply(ctx, plan(t, db, shop(t, "ttl: 90d", "ttl: 30d")), registry.CommitInfo{Now: epoch}); err == nil {
		t.Error("a registry opened for reading was written")
	}
	db.Close()

	foreign := filepath.Join(dir, "foreign.db")
	raw, err := sql.Open("sqlite", foreign)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := raw.Exec("create table t (a); pragma user_version = 0"); err != nil {
		t.Fatal(err)
	}
	if _, err := registry.Open(ctx, "sqlite://"+foreign); !errors.Is(err, fstore.ErrInvalid) || !strings.Contains(err.Error(), "something else") {
		t.Error(err)
	}
	if _, err := raw.Exec("pragma user_version = 2"); err != nil {
		t.Fatal(err)
	}
	raw.Close()
	for _, f := range []func(context.Context, string) (*registry.DB, error){registry.Open, registry.OpenReadOnly} {
		if _, err := f(ctx, "sqlite://"+foreign); !errors.Is(err, fstore.ErrInvalid) || !strings.Contains(err.Error(), "newer fstore") {
			t.Error(err)
		}
	}
	text := filepath.Join(dir, "text.db")
	if err := os.WriteFile(text, []byte(strings.Repeat("not a database ", 100)), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := registry.Open(ctx, "sqlite://"+text); !errors.Is(err, fstore.ErrInvalid) {
		t.Error(err)
	}
	if _, err := registry.Open(ctx, "postgres://x"); !errors.Is(err, fstore.ErrInvalid) {
		t.Error(err)
	}
}
