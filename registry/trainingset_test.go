package registry_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry"
)

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

// The locks that hold what is kept: of every project, but not of retired training sets.
func TestLocksOfAllProjects(t *testing.T) {
	db, ctx := open(t), context.Background()
	add := func(project, name, lock string, use registry.NameUse) {
		t.Helper()
		rec := registry.TrainingSetRecord{Name: name, Created: epoch, Lock: []byte(lock)}
		if err := db.AddTrainingSet(ctx, project, rec, use); err != nil {
			t.Fatal(err)
		}
	}
	add("shop", "a", "1", registry.RefuseName)
	add("other", "a", "2", registry.RefuseName)
	add("shop", "b", "3", registry.RefuseName)
	add("shop", "a", "4", registry.ReplaceName)
	locks, err := db.Locks(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range locks {
		got = append(got, string(l))
	}
	if diff := cmp.Diff([]string{"2", "3", "4"}, got); diff != "" {
		t.Error(diff)
	}
}
