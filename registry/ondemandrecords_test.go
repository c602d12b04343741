package registry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/registry/memory"
	"github.com/fstore-dev/fstore/registry/record"
)

var update = flag.Bool("update", false, "write the golden files")

// The JSON in which a registry keeps on-demand views, and services and pins of them. Every later build must read it.
func TestRecordsOfOnDemandViews(t *testing.T) {
	backend, ctx := memory.New().Open("test"), context.Background()
	db := registry.New(backend)
	defer db.Close()
	apply(t, db, trips(t))
	list, err := revision(t, db).HeadService("ride")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := db.PinModel(ctx, "shop", registry.Pin{Model: model("1"), List: list, Now: epoch}); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	show := func(kind registry.Kind, name, text string) {
		got.WriteString("-- " + string(kind) + " " + name + " --\n")
		if err := json.Indent(&got, []byte(text), "", "  "); err != nil {
			t.Error(err)
		}
		got.WriteString("\n")
	}
	err = backend.Read(ctx, "shop", func(tx record.Tx) error {
		for _, v := range []*record.Version{{Kind: "on_demand_view", Name: "fare", Version: 1}, {Kind: "on_demand_view", Name: "trip", Version: 1}, {Kind: "feature_service", Name: "ride", Version: 1}} {
			if _, err := tx.Get(ctx, v); err != nil {
				return err
			}
			show(registry.Kind(v.Kind), v.Name, v.Definition)
		}
		m := &record.Model{Name: "fraud", Version: "1"}
		if _, err := tx.Get(ctx, m); err != nil {
			return err
		}
		show("model", "fraud", m.Features)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	const file = "testdata/on_demand_records.txt"
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Error(diff)
	}
}
