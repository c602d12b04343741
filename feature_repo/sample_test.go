package featurerepo_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	featurerepo "github.com/fstore-dev/fstore/feature_repo"
)

// digest is the sha256 over the names and bytes of all files of a folder.
func digest(t *testing.T, dir string) string {
	t.Helper()
	h := sha256.New()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		h.Write([]byte(d.Name()))
		h.Write(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func TestTheSameSizeGivesTheSameBytes(t *testing.T) {
	one, two, other := t.TempDir(), t.TempDir(), t.TempDir()
	seeded := featurerepo.Small
	seeded.Seed = 2
	for dir, size := range map[string]featurerepo.Size{one: featurerepo.Small, two: featurerepo.Small, other: seeded} {
		if err := featurerepo.Generate(size).Write(dir); err != nil {
			t.Fatal(err)
		}
	}
	if digest(t, one) != digest(t, two) {
		t.Error("the same size and seed gave other bytes")
	}
	if digest(t, one) == digest(t, other) {
		t.Error("another seed gave the same bytes")
	}
}

// The sample data is there to show what real data is like: each of these has broken a feature store.
func TestTheSampleIsAwkward(t *testing.T) {
	s := featurerepo.Generate(featurerepo.Small)
	type key struct {
		product string
		at      time.Time
	}
	quantity := map[key]int64{}
	var returns, anonymous, late, verbatim, ties int
	var before featurerepo.Line
	for i, l := range s.Lines {
		if l.InvoiceDate.Before(featurerepo.Start) || !l.InvoiceDate.Before(featurerepo.End) || l.LoadedAt.Before(l.InvoiceDate) {
			t.Fatalf("line %d is at %v, loaded %v", i, l.InvoiceDate, l.LoadedAt)
		}
		if l.Quantity < 0 {
			returns++
		}
		if l.LoadedAt.Sub(l.InvoiceDate) > 24*time.Hour {
			late++
		}
		if l == before {
			verbatim++
		}
		before = l
		if l.CustomerID == nil {
			anonymous++
		}
		k := key{l.StockCode, l.InvoiceDate}
		if was, seen := quantity[k]; seen && was != l.Quantity {
			ties++
		}
		quantity[k] = l.Quantity
	}
	for what, n := range map[string]int{"returns": returns, "without a customer": anonymous, "late": late, "repeated": verbatim, "tied": ties} {
		if n == 0 {
			t.Errorf("no lines %s", what)
		}
	}
	var reordered int
	for _, l := range s.Labels {
		if l.Reordered {
			reordered++
		}
	}
	if reordered == 0 || reordered == len(s.Labels) {
		t.Errorf("%d of %d labels are true", reordered, len(s.Labels))
	}
}

// The demo and the help ask what this customer last bought of this product: less than 30 days ago, in either sample.
func TestTheSamplesHaveThePairThatIsAskedFor(t *testing.T) {
	for name, size := range map[string]featurerepo.Size{"small": featurerepo.Small, "demo": featurerepo.Demo} {
		found := slices.ContainsFunc(featurerepo.Generate(size).Lines, func(l featurerepo.Line) bool {
			return l.CustomerID != nil && *l.CustomerID == 12013 && l.StockCode == "P10322" &&
				l.InvoiceDate.After(featurerepo.End.AddDate(0, 0, -30)) && !l.LoadedAt.After(featurerepo.End)
		})
		if !found {
			t.Errorf("the %s sample has no such line", name)
		}
	}
}
