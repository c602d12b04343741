package drift

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fstore-dev/fstore"
)

// drawText draws categories of which a few are frequent and most are rare (Zipf).
func drawText(r *rand.Rand, n, most int) (values []string, counts map[string]int64) {
	zipf := rand.NewZipf(r, 1.2, 1, uint64(most-1))
	counts = map[string]int64{}
	for range n {
		v := fmt.Sprint("c", zipf.Uint64())
		values, counts[v] = append(values, v), counts[v]+1
	}
	return values, counts
}

// The reference misses rare categories by chance, and so the current rows have some that it does not. Chance explains that, but not a
// half of new values.
func TestRareCategoriesAreNotUnseenByChance(t *testing.T) {
	const pairs = 300
	for _, sizes := range [][2]int{{200, 200}, {1000, 1000}, {2000, 300}} {
		r, exceeded := rand.New(rand.NewPCG(11, uint64(sizes[0]))), 0
		for range pairs {
			_, counts := drawText(r, sizes[0], 200)
			values, _ := drawText(r, sizes[1], 200)
			for _, planted := range []bool{false, true} {
				if planted {
					for i := range len(values) / 2 {
						values[i] = "new"
					}
				}
				c, err := NewCounter([]Column{{Name: "x", Role: RoleFeature, Type: fstore.String, Statistics: categories(counts)}}, "", Whole)
				if err != nil {
					t.Fatal(err)
				}
				column := fstore.NewColumn("x", fstore.String, len(values))
				for _, v := range values {
					column.Append(v)
				}
				if err := c.Add(&fstore.Batch{Len: len(values), Columns: []fstore.Column{column}}); err != nil {
					t.Fatal(err)
				}
				f := &c.Compare(Options{MinRows: DefaultMinRows, ShareLimit: DefaultShareLimit}).Features[0]
				unseen := &f.Checks[slices.IndexFunc(f.Checks, func(k Check) bool { return k.Name == CheckUnseen })]
				switch above := *unseen.Value > *unseen.Noise; {
				case planted && !above:
					t.Fatalf("%v: %v of new values are within the noise of %v", sizes, *unseen.Value, *unseen.Noise)
				case !planted && above:
					exceeded++
				}
			}
		}
		if exceeded > pairs/100 {
			t.Errorf("%v: chance exceeds the noise in %d of %d pairs", sizes, exceeded, pairs)
		}
	}
}
