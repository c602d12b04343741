package materialize_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore"
	. "github.com/fstore-dev/fstore/materialize"
)

// A sample is keys of the last publication, each with the same chance, and the seed decides which.
func TestSample(t *testing.T) {
	w := newWorld(t)
	sample := func(most int, seed uint64) []string {
		t.Helper()
		keys, err := Sample(t.Context(), w.state, w.table.view.Ref, most, rand.New(rand.NewPCG(1, seed)))
		if err != nil {
			t.Fatal(err)
		}
		var texts []string
		for _, k := range keys {
			texts = append(texts, string(k))
		}
		return texts
	}
	if got := sample(10, 0); got != nil {
		t.Errorf("before the first run: %q", got)
	}
	var want []string
	for i := range 20 {
		want = append(want, fmt.Sprintf("key%02d", i))
		w.table.put(want[i], day(0), 1)
	}
	w.table.put("gone", day(0), 1)
	for n, key := range []string{"", "gone"} {
		w.table.remove(key)
		if _, err := w.run(day(n+1), 0); err != nil {
			t.Fatal(err)
		}
	}
	all := sample(100, 0)
	if slices.IsSorted(all) {
		t.Errorf("the sample is in order: %q", all)
	}
	if slices.Sort(all); !slices.Equal(all, want) {
		t.Errorf("got %q, want %q", all, want)
	}
	counts := map[string]int{}
	for seed := range uint64(2000) {
		for _, key := range sample(5, seed) {
			counts[key]++
		}
	}
	for _, key := range want {
		if n := counts[key]; n < 400 || n > 600 { // 500 ± 5 standard deviations
			t.Errorf("%s was drawn %d times of 2000", key, n)
		}
	}
	if !slices.Equal(sample(5, 1), sample(5, 1)) || slices.Equal(sample(5, 1), sample(5, 2)) {
		t.Error("the seed does not decide the sample")
	}

	ended, end := context.WithCancel(t.Context())
	end()
	if got, err := Sample(ended, w.state, w.table.view.Ref, 5, rand.New(rand.NewPCG(1, 1))); got != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("after the context ended: %q, %v", got, err)
	}

	files, err := filepath.Glob(filepath.Join(w.state, "*", "*.manifest.parquet"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if err := os.Truncate(file, 10); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := Sample(t.Context(), w.state, w.table.view.Ref, 5, rand.New(rand.NewPCG(1, 1))); got != nil || !errors.Is(err, fstore.ErrCorrupt) {
		t.Errorf("of damaged manifests: %q, %v", got, err)
	}
	if _, err := Sample(t.Context(), w.state, fstore.ViewRef{Name: "../precious", Version: 1}, 1, nil); !errors.Is(err, fstore.ErrInvalid) || !strings.Contains(err.Error(), "precious") {
		t.Errorf("a path: %v", err)
	}
}
