package registrytest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore/registry/record"
)

// full has a record of each type, with a text in every text and a number in every number. The numbers that may be absent
// are absent if optional is 0.
func full(text string, optional int64) []record.Record {
	const big = 1 << 53
	return []record.Record{
		&record.Project{Revision: big},
		&record.Version{Kind: text, Name: text, Version: 7, Fingerprint: text, Algorithm: text, Definition: text},
		&record.Head{Kind: text, Name: text, Version: 7 * int(min(optional, 1)), Definition: text},
		&record.Serving{Kind: text, Name: text, Version: 7, Since: -big},
		&record.Commit{ID: 3, Revision: big, Time: -1, Author: text, Message: text, GitRevision: text, Dirty: optional > 0, Objects: text},
		&record.TrainingSet{ID: 41, Name: text, Created: big, Service: text, Rows: big, Out: text, Retired: optional},
		&record.Lock{ID: 41, JSON: text},
		&record.Model{Name: text, Version: text, Pinned: big, Author: text, Features: text, Service: text, TrainingSet: 41 * min(optional, 1)},
		&record.Alias{Model: text, Alias: text, Version: text},
		&record.Idle{Name: text, Version: 7, Since: big},
		&record.Publication{Name: text, Version: 7, Store: text, Slot: 3, Run: text, Counts: text},
		&record.Expected{Kind: text, Name: text, Version: 7, Expectations: text},
		&record.Checked{Kind: text, Name: text, Version: 7, History: text},
		&record.Monitored{Service: text, Model: text, Version: text, History: text},
		&record.Alert{Name: text, State: text},
		&record.Lease{Name: text, Token: text, Holder: record.Holder(text), Expires: big},
	}
}

func everyRecordComesBack(t *testing.T, s *Storage) {
	b, other := s.open(t), s.open(t)
	for _, optional := range []int64{0, 1} {
		want := full("text", optional)
		put(t, b, Project, want...)
		same(t, b, Project, want)
		same(t, other, Project, want)
		write(t, other, Project, func(ctx context.Context, tx record.Tx) error {
			for _, w := range want {
				got := blank(w)
				if found, err := tx.Get(ctx, got); err != nil || !found {
					t.Errorf("%T: %v, %v", w, found, err)
				}
				if d := cmp.Diff(w, got); d != "" {
					t.Errorf("%T (-want +got)\n%s", w, d)
				}
			}
			return nil
		})
	}
}

// blank returns a record with the key of another one and nothing else.
func blank(r record.Record) record.Record {
	switch r := r.(type) {
	case *record.Version:
		return &record.Version{Kind: r.Kind, Name: r.Name, Version: r.Version}
	case *record.Head:
		return &record.Head{Kind: r.Kind, Name: r.Name}
	case *record.Serving:
		return &record.Serving{Kind: r.Kind, Name: r.Name}
	case *record.Commit:
		return &record.Commit{ID: r.ID}
	case *record.TrainingSet:
		return &record.TrainingSet{ID: r.ID}
	case *record.Lock:
		return &record.Lock{ID: r.ID}
	case *record.Model:
		return &record.Model{Name: r.Name, Version: r.Version}
	case *record.Alias:
		return &record.Alias{Model: r.Model, Alias: r.Alias}
	case *record.Idle:
		return &record.Idle{Name: r.Name, Version: r.Version}
	case *record.Publication:
		return &record.Publication{Name: r.Name, Version: r.Version, Store: r.Store, Slot: r.Slot}
	case *record.Expected:
		return &record.Expected{Kind: r.Kind, Name: r.Name, Version: r.Version}
	case *record.Checked:
		return &record.Checked{Kind: r.Kind, Name: r.Name, Version: r.Version}
	case *record.Monitored:
		return &record.Monitored{Service: r.Service, Model: r.Model, Version: r.Version}
	case *record.Alert:
		return &record.Alert{Name: r.Name}
	case *record.Lease:
		return &record.Lease{Name: r.Name}
	}
	return record.New(r)
}

func recordsAreFoundByTheirKeys(t *testing.T, s *Storage) {
	b := s.open(t)
	first := full("a", 1)
	put(t, b, Project, first...)
	put(t, b, Project, &record.Project{Revision: 2}, &record.Idle{Name: "a", Version: 7, Since: 5}, &record.Lease{Name: "b"},
		&record.Idle{Name: "a", Version: 8, Since: 6})
	var got []string
	write(t, b, Project, func(ctx context.Context, tx record.Tx) error {
		for _, r := range []record.Record{&record.Idle{Name: "a", Version: 8}, &record.Idle{Name: "a", Version: 9}, &record.Idle{Name: "A", Version: 8}} {
			found, err := tx.Get(ctx, r)
			got = append(got, fmt.Sprint(found, err))
			if err := tx.Delete(ctx, r); err != nil {
				return err
			}
		}
		return tx.Delete(ctx, &record.Lease{Name: "a"})
	})
	if d := cmp.Diff([]string{"true <nil>", "false <nil>", "false <nil>"}, got); d != "" {
		t.Error(d)
	}
	want := slices.DeleteFunc(first, func(r record.Record) bool {
		switch r.(type) {
		case *record.Project, *record.Idle, *record.Lease:
			return true
		}
		return false
	})
	same(t, b, Project, append(want, &record.Project{Revision: 2}, &record.Idle{Name: "a", Version: 7, Since: 5}, &record.Lease{Name: "b"}))
}

// hostile are names and texts that a backend could take for something else.
var hostile = []string{
	"", " ", "a ", "A", "a", "'", "''; drop table head; --", `"quoted"`, "`", "%", "_", "?1", ":name", "$1", "\\", "\\'", "a\nb", "a\tb", "null", "NULL",
	"0", "00", "1e3", "é", "e\u0301", "漢字", "🙂", "a/b", "../a", "{}", "[1]", strings.Repeat("long ", 20_000),
}

func namesMayBeAnything(t *testing.T, s *Storage) {
	b := s.open(t)
	want := map[string][]record.Record{}
	for i, name := range hostile {
		want[name] = full(name, 0)
		want[name][5].(*record.TrainingSet).ID = int64(i + 1)
		want[name][6].(*record.Lock).ID = int64(i + 1)
		put(t, b, name, want[name]...)
	}
	for name, records := range want {
		same(t, b, name, records)
	}
	all := slices.Sorted(slices.Values(hostile))
	if got, err := b.Projects(context.Background()); err != nil || !slices.Equal(slices.Sorted(slices.Values(got)), all) {
		t.Errorf("got %d projects, %v, want %d", len(got), err, len(all))
	}
	var leases []record.Record
	for _, name := range hostile {
		leases = append(leases, &record.Lease{Name: name, Token: name})
	}
	put(t, b, Project, leases...)
	same(t, b, Project, leases)
}

func newestAreFirst(t *testing.T, s *Storage) {
	b := s.open(t)
	put(t, b, Project, &record.Project{Revision: 1}) // commits refer to it
	for _, id := range []int64{2, 10, 1, 9} {
		put(t, b, Project, &record.Commit{ID: id})
	}
	used := map[int64]bool{}
	var want []int64
	for i := range 12 {
		set := &record.TrainingSet{Name: fmt.Sprint("set", i), Created: int64(-i)}
		if i%3 == 0 {
			put(t, b, "other", set)
		} else {
			put(t, b, Project, set)
			want = append([]int64{set.ID}, want...)
		}
		if set.ID == 0 || used[set.ID] {
			t.Errorf("training set %d has ID %d", i, set.ID)
		}
		used[set.ID] = true
	}
	var commits, sets []int64
	for _, r := range all(t, b, Project) {
		switch r := r.(type) {
		case *record.Commit:
			commits = append(commits, r.ID)
		case *record.TrainingSet:
			sets = append(sets, r.ID)
		}
	}
	if d := cmp.Diff([]int64{10, 9, 2, 1}, commits); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(want, sets); d != "" {
		t.Error(d)
	}
}

func projectsAreApart(t *testing.T, s *Storage) {
	b := s.open(t)
	put(t, b, Project, full("a", 0)...)
	other := full("a", 0)
	other[0].(*record.Project).Revision = 8
	other[5].(*record.TrainingSet).ID, other[6].(*record.Lock).ID = 42, 42
	put(t, b, "other", other...)
	put(t, b, "a lease alone", &record.Lease{Name: "a"})
	put(t, b, "a set alone", &record.TrainingSet{Name: "a"})
	write(t, b, "other", func(ctx context.Context, tx record.Tx) error {
		for _, r := range slices.Backward(other) {
			switch r.(type) {
			case *record.TrainingSet, *record.Lock: // none is ever deleted
				continue
			}
			if err := tx.Delete(ctx, r); err != nil {
				return err
			}
		}
		return nil
	})
	same(t, b, Project, full("a", 0))
	same(t, b, "other", other[5:7])
	got, err := b.Projects(context.Background())
	if slices.Sort(got); err != nil || !slices.Equal(got, []string{"a set alone", "other", Project}) {
		t.Error(got, err)
	}
}

func loopsMayEndEarly(t *testing.T, s *Storage) {
	b := s.open(t)
	put(t, b, Project, &record.Lease{Name: "a"}, &record.Lease{Name: "b"}, &record.Lease{Name: "c"})
	write(t, b, Project, func(ctx context.Context, tx record.Tx) error {
		for range 3 {
			for _, err := range tx.List(ctx, &record.Lease{}) {
				if err != nil {
					return err
				}
				break
			}
		}
		return tx.Put(ctx, &record.Lease{Name: "d"})
	})
	if got := all(t, b, Project); len(got) != 4 {
		t.Error(text(got))
	}
}

// randomTransactionsAgree compares what is left after random transactions, some of which fail, with a map.
func randomTransactionsAgree(t *testing.T, s *Storage) {
	rnd := rand.New(rand.NewPCG(1, 2))
	first, second := s.open(t), s.open(t)
	model := map[string]map[string]record.Record{}
	for _, project := range []string{"a", "b"} {
		p := &record.Project{Revision: 1}
		put(t, first, project, p)
		model[project] = map[string]record.Record{"project": p}
	}
	failure := errors.New("failure")
	for i := range 150 {
		b, project := first, "a"
		if rnd.IntN(2) == 0 {
			b = second
		}
		if rnd.IntN(2) == 0 {
			project = "b"
		}
		fails := rnd.IntN(4) == 0
		after := maps.Clone(model[project])
		ctx := context.Background()
		err := b.Write(ctx, project, func(tx record.Tx) error {
			for range rnd.IntN(6) {
				r := randomRecord(rnd)
				key := fmt.Sprintf("%T%v", r, r.Key())
				var err error
				if rnd.IntN(3) == 0 {
					delete(after, key)
					err = tx.Delete(ctx, r)
				} else {
					after[key] = r
					err = tx.Put(ctx, r)
				}
				if err != nil {
					return err
				}
			}
			if fails {
				return failure
			}
			return nil
		})
		switch {
		case fails && !errors.Is(err, failure) || !fails && err != nil:
			t.Fatal(err)
		case !fails:
			model[project] = after
		}
		if same(t, first, project, slices.Collect(maps.Values(model[project]))); t.Failed() {
			t.Fatalf("after transaction %d", i)
		}
	}
}

func randomRecord(rnd *rand.Rand) record.Record {
	name, n := string(rune('a'+rnd.IntN(3))), rnd.Int64N(3)
	switch rnd.IntN(3) {
	case 0:
		return &record.Lease{Name: name, Token: name, Expires: rnd.Int64()}
	case 1:
		return &record.Commit{ID: n, Revision: rnd.Int64(), Dirty: n > 0}
	}
	return &record.Idle{Name: name, Version: int(n), Since: rnd.Int64()}
}
