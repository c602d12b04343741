package sqlite_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/registry/record"
	"github.com/fstore-dev/fstore/registry/registrytest"
	"github.com/fstore-dev/fstore/registry/sqlite"
)

func TestConformance(t *testing.T) {
	registrytest.Run(t, func(t testing.TB) *registrytest.Storage {
		url := "sqlite://" + filepath.Join(t.TempDir(), "registry.db")
		b := open(t, url)
		self, err := b.Self()
		if err != nil {
			t.Fatal(err)
		}
		var dead sqlite.Holder
		if err := json.Unmarshal([]byte(self), &dead); err != nil {
			t.Fatal(err)
		}
		dead.Started = "another life" // the process id was given to another process
		return &registrytest.Storage{
			Open: func(t testing.TB) registry.Backend { return open(t, url) },
			Watch: func(t testing.TB, project string) registry.Watcher {
				w, err := sqlite.Watch(url, project)
				if err != nil {
					t.Fatal(err)
				}
				return w
			},
			Far:  holder(t, sqlite.Holder{Host: "elsewhere", PID: 1, Started: "x"}),
			Dead: holder(t, dead), Nonsense: "not JSON",
		}
	})
}

var (
	epoch    = registrytest.Epoch
	shop     = registrytest.Shop
	plan     = registrytest.Plan
	apply    = registrytest.Apply
	revision = registrytest.Revision
	summary  = registrytest.Summary
)

// openURL opens a registry.
func openURL(ctx context.Context, url string) (*registry.Store, error) {
	b, err := sqlite.Open(ctx, url)
	if err != nil {
		return nil, err
	}
	return registry.New(b), nil
}

// openReadOnly opens a registry for reading.
func openReadOnly(ctx context.Context, url string) (*registry.Store, error) {
	b, err := sqlite.OpenReadOnly(ctx, url)
	if err != nil {
		return nil, err
	}
	return registry.New(b), nil
}

func open(t testing.TB, url string) *sqlite.Backend {
	t.Helper()
	b, err := sqlite.Open(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func holder(t testing.TB, h sqlite.Holder) record.Holder {
	t.Helper()
	r, err := h.Record()
	if err != nil {
		t.Fatal(err)
	}
	return r
}
