package sqlite_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/registry/record"
	"github.com/fstore-dev/fstore/registry/sqlite"
)

// followed is a registry at a path, and what follows it.
type followed struct {
	*registry.Follower
	t    *testing.T
	path string
}

func follow(t *testing.T) *followed {
	path := filepath.Join(t.TempDir(), "registry.db")
	w, err := sqlite.Watch("sqlite://"+path, "shop")
	if err != nil {
		t.Fatal(err)
	}
	return &followed{registry.Follow(w, "shop"), t, path}
}

// apply applies the shop to the registry at a path.
func (f *followed) apply(path string, edits ...string) {
	f.t.Helper()
	db, err := openURL(context.Background(), "sqlite://"+path)
	if err != nil {
		f.t.Fatal(err)
	}
	defer db.Close()
	apply(f.t, db, shop(f.t, edits...))
}

func (f *followed) sees(want record.Seen) {
	f.t.Helper()
	for range 4 { // the file is opened at the first looks, and not at the later ones
		if got, err := f.Look(context.Background()); err != nil || got != want {
			f.t.Fatalf("got %+v, %v, want %+v", got, err, want)
		}
	}
	if left, err := filepath.Glob(f.path + "-*"); err != nil || len(left) > 0 {
		f.t.Errorf("a look has left %v, %v", left, err)
	}
}

func (f *followed) failsWith(kind error, says string) {
	f.t.Helper()
	for range 3 {
		if got, err := f.Look(context.Background()); !errors.Is(err, kind) || !strings.Contains(err.Error(), says) {
			f.t.Fatalf("got %+v, %v, want %v: %s", got, err, kind, says)
		}
	}
}

func TestAFollowerSeesEachApply(t *testing.T) {
	f := follow(t)
	f.failsWith(fstore.ErrUnavailable, "the file is gone")
	f.apply(f.path)
	f.sees(record.Seen{Storage: 1, Revision: 1})
	edits := []string{"ttl: 90d", "ttl: 30d"}
	for revision := int64(2); revision < 10; revision++ {
		f.apply(f.path, edits[:2*((revision+1)%2)]...)
		if revision%3 == 0 { // looks may come at any time
			continue
		}
		f.sees(record.Seen{Storage: 1, Revision: revision})
		rev, err := f.Revision(context.Background())
		if err != nil || rev.Number != revision {
			t.Fatalf("got %v, %v", rev, err)
		}
	}
}

// A commit whose process still has the file open lies in the log alone.
func TestAFollowerSeesWhatLiesInTheLogAlone(t *testing.T) {
	f := follow(t)
	db, err := openURL(context.Background(), "sqlite://"+f.path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for revision, edits := range [][]string{nil, {"ttl: 90d", "ttl: 30d"}, nil, {"ttl: 90d", "ttl: 30d"}} {
		apply(t, db, shop(t, edits...))
		for range 3 {
			if got, err := f.Look(context.Background()); err != nil || got.Revision != int64(revision+1) {
				t.Fatalf("got %+v, %v, want revision %d", got, err, revision+1)
			}
		}
	}
}

func TestAFollowerSeesThatTheRegistryWasReplaced(t *testing.T) {
	f := follow(t)
	f.apply(f.path)
	f.sees(record.Seen{Storage: 1, Revision: 1})

	f.move(f.path, f.path+".away")
	f.failsWith(fstore.ErrUnavailable, "the file is gone")
	f.move(f.path+".away", f.path)
	f.sees(record.Seen{Storage: 1, Revision: 1})

	other := f.path + ".other"
	f.apply(other, "ttl: 90d", "ttl: 30d")
	f.move(other, f.path)
	f.sees(record.Seen{Storage: 2, Revision: 1})
	rev, err := f.Revision(context.Background())
	if err != nil || rev.View(fstore.ViewRef{Name: "customer_orders"}).View.TTL.String() != "30d" {
		t.Errorf("got %v, %v: not the other registry's", rev, err)
	}

	db, err := openURL(context.Background(), "sqlite://"+other) // nothing was applied to it yet
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	good := f.path + ".good"
	f.move(f.path, good)
	f.move(other, f.path)
	f.failsWith(fstore.ErrNotReady, "nothing has been applied to project shop")

	for name, text := range map[string]string{"not a database": strings.Repeat("text ", 1000), "": ""} {
		f.write(other, text)
		f.move(other, f.path)
		if text == "" {
			f.failsWith(fstore.ErrNotReady, "nothing has been applied")
		} else {
			f.failsWith(fstore.ErrInvalid, name)
		}
	}
	f.move(good, f.path)
	f.sees(record.Seen{Storage: 2, Revision: 1})
}

// What is damaged in place, and mended in place, is the same file.
func TestAFollowerSeesThatTheRegistryWasMendedInPlace(t *testing.T) {
	f := follow(t)
	f.apply(f.path)
	f.sees(record.Seen{Storage: 1, Revision: 1})
	good, err := os.ReadFile(f.path)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"garbage": strings.Repeat("garbage ", len(good)/8), "half": string(good[:len(good)/2])} {
		f.write(f.path, text)
		if _, err := f.Look(context.Background()); name == "garbage" && err == nil {
			t.Errorf("%s: no error", name)
		}
		f.write(f.path, string(good))
		f.sees(record.Seen{Storage: 1, Revision: 1})
	}
}

func (f *followed) move(from, to string) {
	f.t.Helper()
	if err := os.Rename(from, to); err != nil {
		f.t.Fatal(err)
	}
}

func (f *followed) write(path, text string) {
	f.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		f.t.Fatal(err)
	}
}
