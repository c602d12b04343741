package online_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/memory"
	"github.com/fstore-dev/fstore/online/onlinetest"
)

// Answers are the same whether their memory is new or was another answer's: of more rows, of other keys, of keys
// without records.
func TestReleasedMemoryChangesNoAnswer(t *testing.T) {
	s := online.New(memory.New(), "p")
	prepared, err := s.Prepare(onlinetest.Wide(t, s, 2, 20, 100))
	if err != nil {
		t.Fatal(err)
	}
	shapes := []struct{ rows, from, keys int }{{1, 0, 100}, {50, 3, 100}, {7, 0, 100}, {30, 90, 200}, {2, 150, 200}, {50, 20, 100}}
	want := make([]string, len(shapes))
	lookup := func(i int) *online.Answer {
		a, err := prepared.Lookup(context.Background(), onlinetest.Keys(shapes[i].rows, shapes[i].from, shapes[i].keys))
		if err != nil {
			t.Error(err)
			return &online.Answer{}
		}
		return a
	}
	for i := range shapes {
		want[i] = shown(lookup(i)) // is not released, so each has its own memory
	}
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for n := range 200 {
				i := (n*(worker+1) + worker) % len(shapes)
				a := lookup(i)
				if got := shown(a); got != want[i] {
					t.Errorf("shape %d: got %s, want %s", i, got, want[i])
				}
				a.Release()
			}
		})
	}
	group.Wait()
}

func shown(a *online.Answer) string {
	text := fmt.Sprint(a.Rows, a.Versions)
	for i := range a.Features {
		text += fmt.Sprintf(" %+v", a.Features[i])
	}
	return text
}
