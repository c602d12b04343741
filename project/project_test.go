package project

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
)

// What contradicts itself is refused before anything is read.
func TestRequestsThatContradictThemselves(t *testing.T) {
	p, err := Open(t.Context(), write(t, "project: shop\n"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	good := TrainingSetRequest{Name: "t", Selection: Selection{Service: "churn"}, Labels: "l.parquet", Out: "t.parquet"}
	with := func(change func(*TrainingSetRequest)) func() error {
		r := good
		change(&r)
		return func() error { _, err := p.CreateTrainingSet(t.Context(), r); return err }
	}
	for name, do := range map[string]func() error{
		"two_labels":        with(func(r *TrainingSetRequest) { r.LabelsSQL = "select 1" }),
		"no_labels":         with(func(r *TrainingSetRequest) { r.Labels = "" }),
		"two_selections":    with(func(r *TrainingSetRequest) { r.Selection.Features = []string{"v.f"} }),
		"no_selection":      with(func(r *TrainingSetRequest) { r.Selection = Selection{} }),
		"an_empty_sample":   with(func(r *TrainingSetRequest) { r.Sample = &lock.Sample{} }),
		"out_is_no_parquet": with(func(r *TrainingSetRequest) { r.Out = "t.csv" }),
		"out_is_a_folder":   with(func(r *TrainingSetRequest) { r.Out = "t.parquet/" }),
		"rebuild_to_folder": func() error {
			_, err := p.RebuildTrainingSet(t.Context(), "t", RebuildOptions{Out: "t.parquet/"})
			return err
		},
		"two_origins_of_a_pin": func() error { _, err := p.Pin(t.Context(), PinRequest{TrainingSet: "a", Service: "b"}); return err },
		"a_negative_limit":     func() error { _, err := p.Query(t.Context(), QueryRequest{Name: "v", Limit: -1}); return err },
		"nothing_to_query":     func() error { _, err := p.Query(t.Context(), QueryRequest{}); return err },
		"service_and_model": func() error {
			_, err := p.Verify(t.Context(), VerifyRequest{Service: "a", Model: fstore.ModelRef{Name: "m", Version: "1"}})
			return err
		},
		"no_plan": func() error { _, err := p.Apply(t.Context(), nil, ApplyOptions{}); return err },
	} {
		if err := do(); !errors.Is(err, fstore.ErrUsage) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A slash after the name of a file is not a way around the lock beside it.
func TestOutIsAFileWhoseLockIsLookedAt(t *testing.T) {
	dir := t.TempDir()
	foreign := filepath.Join(dir, "x"+lock.Suffix)
	if err := os.WriteFile(foreign, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := checkOut(filepath.Join(dir, "x.parquet") + "/"); !errors.Is(err, fstore.ErrUsage) {
		t.Errorf("a slash at the end: %v", err)
	}
	if _, err := lockBeside(filepath.Join(dir, "x.parquet")); !errors.Is(err, fstore.ErrConflict) {
		t.Errorf("a lock that is not one: %v", err)
	}
}

// A row that is refused leaves nothing behind, or the next rows would pair keys of different rows.
func TestARowThatIsRefusedLeavesNothing(t *testing.T) {
	k := NewKeyRows(keyedBy(fstore.Field{Name: "a", Type: fstore.Int64}, fstore.Field{Name: "b", Type: fstore.Int64}), nil)
	for _, row := range []string{"a=1,b=x", "a=1", "a=2,b=2"} {
		err := k.AddText(row)
		if row == "a=2,b=2" && err != nil || row != "a=2,b=2" && err == nil {
			t.Errorf("%s: %v", row, err)
		}
	}
	if k.Columns[0].Len != 1 || k.Columns[1].Len != 1 || k.Columns[0].Int64s[0] != 2 {
		t.Errorf("got %+v", k.Columns)
	}
}

func TestAClosedProjectIsRefused(t *testing.T) {
	p, err := Open(t.Context(), write(t, "project: shop\n"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Validate(t.Context()); !errors.Is(err, fstore.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

// keyedBy returns a list of features with these keys.
func keyedBy(keys ...fstore.Field) *fstore.FeatureList {
	u := fstore.ViewUse{Version: &fstore.ViewVersion{View: fstore.View{Keys: keys}}}
	for _, k := range keys {
		u.Keys = append(u.Keys, fstore.KeyBinding{Key: k, Column: k.Name})
	}
	return &fstore.FeatureList{Uses: []fstore.ViewUse{u}}
}
