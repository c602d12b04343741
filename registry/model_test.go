package registry_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/registry/definition"
)

func model(version string) fstore.ModelRef { return fstore.ModelRef{Name: "fraud", Version: version} }

// pin pins what head's churn is.
func pin(t *testing.T, db *registry.Store, version string, now time.Time) (registry.Pinned, error) {
	t.Helper()
	list, err := revision(t, db).HeadService("churn")
	if err != nil {
		t.Fatal(err)
	}
	_, pinned, err := db.PinModel(context.Background(), "shop", registry.Pin{Model: model(version), List: list, Author: "ann", Now: now})
	return pinned, err
}

func liveRefs(s *registry.Revision) string {
	var out []string
	for _, v := range s.Live() {
		out = append(out, v.Ref.String())
	}
	return strings.Join(out, " ")
}

func TestAModelIsAnsweredFromWhatWasPinned(t *testing.T) {
	db, ctx := open(t), context.Background()
	apply(t, db, shop(t))
	before := revision(t, db)
	want, err := before.HeadService("churn")
	if err != nil {
		t.Fatal(err)
	}
	if is, err := pin(t, db, "1", epoch); is != registry.NewPin || err != nil {
		t.Fatal(is, err)
	}
	if s := revision(t, db); s.Number != before.Number+1 {
		t.Error("a pin does not raise the revision, so servers miss it")
	}
	apply(t, db, shop(t, "ttl: 90d", "ttl: 30d"))
	got, err := revision(t, db).ModelFeatures(model("1"))
	if err != nil {
		t.Fatal(err)
	}
	if got.Model != model("1") || got.Service.Name != "" {
		t.Error(got.Model, got.Service)
	}
	got.Model, got.Service = want.Model, want.Service
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("head has moved on, and the model with it:\n%s", d)
	}
	if live := liveRefs(revision(t, db)); !strings.Contains(live, "customer_orders@1 customer_orders@2") {
		t.Error("live:", live)
	}

	// Views that leave head altogether stay the model's.
	apply(t, db, shop(t, "ttl: 90d", "ttl: 30d", "kind: feature_service\nname: churn", "kind: feature_service\nname: another"))
	if _, err := revision(t, db).ModelFeatures(model("1")); err != nil {
		t.Error(err)
	}
	if _, err := db.UnpinModel(ctx, "shop", model("1"), epoch); err != nil {
		t.Fatal(err)
	}
	if live := liveRefs(revision(t, db)); strings.Contains(live, "customer_orders@1") {
		t.Error("unpinned, yet live:", live)
	}
}

func TestPinningAgain(t *testing.T) {
	db := open(t)
	apply(t, db, shop(t))
	if _, err := pin(t, db, "1", epoch); err != nil {
		t.Fatal(err)
	}
	number := revision(t, db).Number
	if is, err := pin(t, db, "1", epoch.Add(time.Hour)); is != registry.SamePin || err != nil || revision(t, db).Number != number {
		t.Error("the same again is not nothing:", is, err)
	}
	apply(t, db, shop(t, "ttl: 90d", "ttl: 30d"))
	_, err := pin(t, db, "1", epoch)
	isConflict(t, err, "pinned to other features")
	if m, err := revision(t, db).Model(model("1")); err != nil || m.Uses[0].View.Version != 1 || !m.Pinned.Equal(epoch) {
		t.Error("the refused pin changed something:", m, err)
	}
	if _, err := pin(t, db, "2", epoch); err != nil {
		t.Error("another version:", err)
	}
}

func isConflict(t *testing.T, err error, part string) {
	t.Helper()
	var e *fstore.Error
	if !errors.Is(err, fstore.ErrConflict) || !strings.Contains(err.Error(), part) || !errors.As(err, &e) || e.Hint == "" {
		t.Errorf("got %v, want a conflict: …%s…, and what to do", err, part)
	}
}

// A training set is part of what a version is pinned to, by itself and not by its name.
func TestPinningATrainingSet(t *testing.T) {
	db, ctx := open(t), context.Background()
	apply(t, db, shop(t))
	list, err := revision(t, db).HeadFeatures([]string{"customer_orders.*"})
	if err != nil {
		t.Fatal(err)
	}
	p := registry.Pin{Model: model("7"), List: list, TrainingSet: "q4", Now: epoch}
	if _, _, err := db.PinModel(ctx, "shop", p); !errors.Is(err, fstore.ErrNotFound) {
		t.Error("an unknown training set:", err)
	}
	rec := registry.TrainingSetRecord{Name: "q4", Created: epoch, Lock: []byte("{}")}
	if err := db.AddTrainingSet(ctx, "shop", rec, registry.RefuseName); err != nil {
		t.Fatal(err)
	}
	if _, _, err := db.PinModel(ctx, "shop", p); err != nil {
		t.Fatal(err)
	}
	p.TrainingSet = ""
	_, _, err = db.PinModel(ctx, "shop", p)
	isConflict(t, err, "from elsewhere: from training set q4")
	p.TrainingSet, rec.Created = "q4", epoch.Add(time.Hour)
	if err := db.AddTrainingSet(ctx, "shop", rec, registry.ReplaceName); err != nil {
		t.Fatal(err)
	}
	_, _, err = db.PinModel(ctx, "shop", p)
	isConflict(t, err, "training set q4 (retired)")

	foreign := *list
	other := *list.Uses[0].Version
	other.Fingerprint = "another"
	foreign.Uses = []fstore.ViewUse{{Version: &other, Keys: list.Uses[0].Keys}}
	_, _, err = db.PinModel(ctx, "shop", registry.Pin{Model: model("8"), List: &foreign, Now: epoch})
	isConflict(t, err, "another definition")
	other.Ref.Version = 99
	if _, _, err = db.PinModel(ctx, "shop", registry.Pin{Model: model("8"), List: &foreign, Now: epoch}); !errors.Is(err, fstore.ErrNotFound) {
		t.Error(err)
	}
	for _, bad := range []fstore.ModelRef{{Name: "fr aud", Version: "1"}, {Name: "-fraud", Version: "1"}, {Name: "fraud", Version: ""}, {Name: "fraud", Version: "a b"}, {Name: "fraud", Version: strings.Repeat("9", 101)}} {
		if _, _, err := db.PinModel(ctx, "shop", registry.Pin{Model: bad, List: list, Now: epoch}); !errors.Is(err, fstore.ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestAliases(t *testing.T) {
	db, ctx := open(t), context.Background()
	apply(t, db, shop(t))
	for _, v := range []string{"9", "10"} {
		if _, err := pin(t, db, v, epoch); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.AliasModel(ctx, "shop", "fraud", "champion", "11", epoch); !errors.Is(err, fstore.ErrNotFound) {
		t.Error(err)
	}
	if was, err := db.AliasModel(ctx, "shop", "fraud", "champion", "9", epoch); was != "" || err != nil {
		t.Error(was, err)
	}
	_, err := db.UnpinModel(ctx, "shop", model("9"), epoch)
	isConflict(t, err, "alias champion names it")
	if _, err := db.UnpinModel(ctx, "shop", model("champion"), epoch); !errors.Is(err, fstore.ErrNotFound) {
		t.Error("an alias is no version:", err)
	}
	_, err = pin(t, db, "champion", epoch)
	isConflict(t, err, "champion is an alias, of version 9")
	if was, err := db.AliasModel(ctx, "shop", "fraud", "champion", "10", epoch); was != "9" || err != nil {
		t.Error(was, err)
	}
	if _, err := pin(t, db, "challenger", epoch); err != nil {
		t.Fatal(err)
	}
	_, err = db.AliasModel(ctx, "shop", "fraud", "challenger", "10", epoch)
	isConflict(t, err, "fraud has a version challenger")
	s := revision(t, db)
	if list, err := s.ModelFeatures(model("champion")); err != nil || list.Model != model("10") {
		t.Error("the answer names the version:", list, err)
	}
	var order []string
	for _, m := range s.Models() {
		order = append(order, fmt.Sprint(m.Ref, m.Aliases))
	}
	if got := strings.Join(order, " "); got != "fraud@9 [] fraud@10 [champion] fraud@challenger []" {
		t.Error(got)
	}
	if was, err := db.DropAlias(ctx, "shop", "fraud", "champion", epoch); was != "10" || err != nil {
		t.Error(was, err)
	}
	if _, err := db.DropAlias(ctx, "shop", "fraud", "champion", epoch); !errors.Is(err, fstore.ErrNotFound) {
		t.Error(err)
	}
	for name, ref := range map[string]fstore.ModelRef{`did you mean "fraud"`: {Name: "froud", Version: "9"}, "no version \"99\"": model("99")} {
		if _, err := revision(t, db).ModelFeatures(ref); !errors.Is(err, fstore.ErrNotFound) || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(name)) {
			t.Errorf("%v, want %s", err, name)
		}
	}
}

// A plan says of every pinned model that it is not affected, and what it keeps.
func TestThePlanTellsOfModels(t *testing.T) {
	db := open(t)
	apply(t, db, shop(t))
	if _, err := pin(t, db, "1", epoch); err != nil {
		t.Fatal(err)
	}
	changed := shop(t, "ttl: 90d", "ttl: 30d")
	got := plan(t, db, changed).Models
	want := []registry.ModelImpact{{Model: model("1"), Keeps: []fstore.ViewRef{ref("customer_orders", 1)}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if kept := plan(t, db, changed).Retained; !slices.ContainsFunc(kept, func(k registry.RetainedVersion) bool {
		return k.Ref == ref("customer_orders", 1) && slices.Contains(k.Why, "model fraud@1")
	}) {
		t.Error(kept)
	}
}

// A version that stops being live is idle from that instant, whatever ended it, until it is live again.
func TestIdleSince(t *testing.T) {
	db, ctx := open(t), context.Background()
	at := func(name string, version int) (bool, time.Time) {
		t.Helper()
		lives, err := db.Lives(ctx, "shop")
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lives {
			if l.Ref == ref(name, version) {
				return l.Live, l.Idle
			}
		}
		t.Fatalf("no %s@%d", name, version)
		return false, time.Time{}
	}
	expect := func(what string, version int, live bool, since time.Time) {
		t.Helper()
		if l, s := at("customer_orders", version); l != live || !s.Equal(since) {
			t.Errorf("%s: customer_orders@%d live %v, idle since %v; want %v, %v", what, version, l, s, live, since)
		}
	}
	hour := func(n int) time.Time { return epoch.Add(time.Duration(n) * time.Hour) }
	applyAt := func(n int, d *definition.Definitions) {
		t.Helper()
		if _, err := db.Apply(ctx, plan(t, db, d), registry.CommitInfo{Now: hour(n)}); err != nil {
			t.Fatal(err)
		}
	}
	applyAt(0, shop(t))
	applyAt(1, shop(t, "ttl: 90d", "ttl: 30d"))
	expect("head moved before anything served", 1, false, hour(1))
	applyAt(2, shop(t))
	expect("head moved back", 1, true, time.Time{})
	expect("and left", 2, false, hour(2))
	if _, err := pin(t, db, "1", hour(3)); err != nil {
		t.Fatal(err)
	}
	applyAt(4, shop(t, "ttl: 90d", "ttl: 30d"))
	expect("a pin holds it", 1, true, time.Time{})
	if _, err := db.UnpinModel(ctx, "shop", model("1"), hour(5)); err != nil {
		t.Fatal(err)
	}
	expect("unpinned", 1, false, hour(5))
	if err := db.NoteIdle(ctx, "shop", hour(9)); err != nil {
		t.Fatal(err)
	}
	expect("what is known is not noted anew", 1, false, hour(5))
}

// online: false has no say in what a version is, so a view that is online now can be, whatever it was at first.
func TestAViewThatComesOnlineIsLive(t *testing.T) {
	db := open(t)
	apply(t, db, shop(t, "online: true", "online: false", "  - world.population\n", ""))
	apply(t, db, shop(t, "  - world.population\n", ""))
	for _, v := range revision(t, db).Live() {
		if v.Ref.Name == "world" {
			if v.View.Offline {
				t.Error("materialize would refuse it")
			}
			return
		}
	}
	t.Error("world is not live")
}
