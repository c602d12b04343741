package materialize_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	. "github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/memory"
	"pgregory.net/rapid"
)

// TestAnyHistory is the whole protocol under whatever happens: after every run that succeeds, the store is what a
// first run into an empty store would have made it.
func TestAnyHistory(t *testing.T) {
	root := stateDir(t)
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(root, "")
		if err != nil {
			rt.Fatal(err)
		}
		w := &world{table: newTable(), leases: newLeases(), counts: newPublications(), clock: &clock{now: day(0)}, now: day(100), state: filepath.Join(dir, "state")}
		w.replace(memory.New())
		h := &history{world: w, x: newWitness(rt, w), dir: dir, p: day(2), lost: map[fstore.Generation]bool{}}
		rt.Repeat(map[string]func(*rapid.T){
			"change":        h.change,
			"run":           h.run,
			"run again":     h.run,
			"lose state":    h.loseState,
			"damage state":  h.damageState,
			"save":          h.save,
			"restore store": h.restoreStore,
			"restore state": h.restoreState,
			"empty store":   h.emptyStore,
			"redefine":      h.redefine,
		})
	})
}

type history struct {
	*world
	x     *witness
	dir   string
	count int // names folders
	p     time.Time
	lost  map[fstore.Generation]bool // generations whose lists may be lost

	saved struct {
		mem      *memory.Backend
		complete map[fstore.Generation]map[string]string
		state    string
	}
}

func (h *history) path() string {
	h.count++
	return filepath.Join(h.dir, fmt.Sprint(h.count))
}

func (h *history) change(t *rapid.T) {
	for range rapid.IntRange(1, 12).Draw(t, "changes") {
		key := rapid.SampledFrom([]string{"", "a", "aa", "ab", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m"}).Draw(t, "key")
		if rapid.IntRange(0, 3).Draw(t, "kind") == 0 {
			h.table.remove(key)
		} else {
			h.table.put(key, day(rapid.IntRange(0, 30).Draw(t, "event")), rapid.Int64Range(0, 3).Draw(t, "value"))
		}
	}
}

// run materializes, forward or back, and may be stopped at any step or operation.
func (h *history) run(t *rapid.T) {
	h.x.t = t
	mode := Mode(0)
	if rapid.IntRange(0, 4).Draw(t, "full") == 0 {
		mode |= Full
	}
	p := h.p.AddDate(0, 0, rapid.IntRange(0, 2).Draw(t, "days"))
	if rapid.IntRange(0, 4).Draw(t, "rewind") == 0 {
		mode |= Rewind
		p = day(rapid.IntRange(0, 30).Draw(t, "p"))
	}
	step := 0
	switch rapid.IntRange(0, 3).Draw(t, "crash") {
	case 0:
		step = rapid.IntRange(1, 25).Draw(t, "step")
	case 1:
		h.shaky.count, h.shaky.at = 0, rapid.IntRange(1, 30).Draw(t, "operation")
		after, first := rapid.Bool().Draw(t, "after"), true
		h.shaky.how = func(_ context.Context, apply func() error) error {
			if after && first {
				_ = apply()
			}
			first = false
			return errCrash
		}
	}
	_, err := h.x.run(p, mode, step)
	h.shaky.at = 0
	if errors.Is(err, errCrash) {
		h.seen(t)
		return
	}
	if errors.Is(err, fstore.ErrInvalid) && mode&Rewind == 0 {
		h.seen(t) // a crashed rewind or a restored store: the published instant is another than thought
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	h.p = p
	h.check(t, p)
	pointer, _ := h.live(t)
	for g := range dump(t, h.mem) {
		if g != pointer.Generation && !h.lost[g] {
			t.Errorf("generation %s is left over", g)
		}
	}
}

// seen takes the next p from the store.
func (h *history) seen(t *rapid.T) {
	s := online.New(h.mem, "p")
	if p, ok, err := s.Pointer(context.Background(), h.table.view.Ref); err != nil {
		t.Fatal(err)
	} else if ok {
		h.p = p.Published
		if x, ok, err := s.Header(context.Background(), h.table.view.Ref, p.Generation); err != nil {
			t.Fatal(err)
		} else if ok && x.RunAt.After(h.p) {
			h.p = x.RunAt
		}
	}
}

func (h *history) allLost(t *rapid.T) {
	for g := range dump(t, h.mem) {
		h.lost[g] = true
	}
}

func (h *history) loseState(t *rapid.T) {
	h.allLost(t)
	h.state = h.path()
}

func (h *history) damageState(t *rapid.T) {
	names := h.files(t)
	if len(names) == 0 {
		t.Skip("no state")
	}
	h.allLost(t)
	path := filepath.Join(h.state, h.table.view.Ref.String(), rapid.SampledFrom(names).Draw(t, "file"))
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	switch rapid.IntRange(0, 2).Draw(t, "damage") {
	case 0:
		b = b[:rapid.IntRange(0, len(b)).Draw(t, "length")]
	case 1:
		if len(b) > 0 {
			b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		}
	case 2:
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func (h *history) save(t *rapid.T) {
	h.saved.mem, h.saved.complete, h.saved.state = copyBackend(t, h.mem), maps.Clone(h.x.complete), ""
	if len(h.files(t)) > 0 {
		h.saved.state = copyDir(t, h.state, h.path())
	}
}

func (h *history) restoreStore(t *rapid.T) {
	if h.saved.mem == nil {
		t.Skip("nothing saved")
	}
	h.allLost(t)
	h.replace(copyBackend(t, h.saved.mem))
	h.x.complete = maps.Clone(h.saved.complete)
	h.allLost(t)
	h.seen(t)
}

func (h *history) restoreState(t *rapid.T) {
	if h.saved.state == "" {
		t.Skip("nothing saved")
	}
	h.allLost(t)
	h.state = copyDir(t, h.saved.state, h.path())
}

func (h *history) emptyStore(t *rapid.T) {
	h.replace(memory.New())
	h.x.complete = map[fstore.Generation]map[string]string{}
}

func (h *history) redefine(t *rapid.T) {
	v := *h.table.view
	v.Fingerprint = rapid.SampledFrom([]string{"f00d", "beef"}).Draw(t, "fingerprint")
	h.table.view = &v
}
