package sqlite_test

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/registry/record"
	"github.com/fstore-dev/fstore/registry/sqlite"
)

// process is a backend as another process would open it.
type process struct {
	registry.Backend
	holder sqlite.Holder
}

func (p process) Self() (record.Holder, error) { return p.holder.Record() }

func TestLeases(t *testing.T) {
	ctx := context.Background()
	b := open(t, "sqlite://"+filepath.Join(t.TempDir(), "registry.db"))
	db := registry.New(b)
	self, err := b.Self()
	if err != nil {
		t.Fatal(err)
	}
	var me sqlite.Holder
	if err := json.Unmarshal([]byte(self), &me); err != nil {
		t.Fatal(err)
	}
	far := sqlite.Holder{Host: "elsewhere", PID: 1, Started: "x"}
	acquire := func(project string, h sqlite.Holder, now time.Time) (string, error) {
		return registry.New(process{b, h}).AcquireLease(ctx, project, "v@1", time.Minute, now)
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
