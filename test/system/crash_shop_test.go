package system

import (
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	featurerepo "github.com/fstore-dev/fstore/feature_repo"
	"github.com/fstore-dev/fstore/online/redis/redistest"
)

var (
	killsFlag = flag.Int("kills", 6, "how many processes a crash test kills")
	seedFlag  = flag.Uint64("seed", 1, "seed of what crash tests draw")
)

// lines is how large the shops of crash tests are: many kills take their time, and have views of many batches.
func lines() int {
	if *killsFlag > 50 {
		return 60_000
	}
	return 12_000
}

// shop is the example repo, with one view more that has a key for nearly each line, over data that changes between
// runs. Its twin has a registry, a store and a state of its own over the same data: what a clean run makes of it.
type shop struct {
	*repo
	store *storage
	twin  *repo
	rand  *rand.Rand
	data  *featurerepo.Sample
	to    time.Time // the instant that runs materialize to
}

const lineView = `kind: entity
name: invoice
join_keys: [{name: invoice_no, type: string}]
---
kind: feature_view
name: line_item
entities: [invoice, product]
source: lines
features:
  - {name: line_quantity, type: int64, column: quantity}
  - {name: line_price, type: float64, column: unit_price}
  - {name: line_country, type: string, column: country}
---
kind: feature_service
name: lines
features: [line_item.*]
`

// newShop returns a shop of about a number of lines whose definitions are applied and of which nothing is published.
func newShop(t testing.TB, server *redistest.Server, lines int) *shop {
	t.Helper()
	s := &shop{
		twin: newRepo(t, ""), rand: rand.New(rand.NewPCG(*seedFlag, 8)),
		to: featurerepo.Start.AddDate(0, 8, 0).Add(13 * time.Hour),
	}
	s.repo, s.store = newStorage(t, server)
	s.data = featurerepo.Generate(featurerepo.Size{Lines: lines, Customers: 2 + lines/10, Products: 300, Seed: *seedFlag})
	for _, r := range []*repo{s.repo, s.twin} {
		r.must("init", ".")
		r.write("line_item.yaml", lineView)
		expects := ", expect: [not_null, {between: [0, 1e6]}]" // which returns in the data of these tests do not meet
		if orders := r.read("customer.yaml"); strings.Contains(orders, expects) {
			r.write("customer.yaml", strings.Replace(orders, expects, "", 1))
		}
		r.env = append(r.env, "SHOP_DATA="+filepath.Join(s.dir, "data"))
	}
	s.save()
	s.repo.must("apply", "--yes")
	s.twin.must("apply", "--yes")
	return s
}

// save writes the data in place of what was there.
func (s *shop) save() {
	s.t.Helper()
	dir := filepath.Join(s.dir, "data")
	if err := os.RemoveAll(dir); err != nil {
		s.t.Fatal(err)
	}
	if err := s.data.Write(dir); err != nil {
		s.t.Fatal(err)
	}
}

// change changes the data as time and people do: rows that come late, that are corrected by later ones, that are
// restated where they stand, and that vanish; the instant to materialize to moves on.
func (s *shop) change() {
	s.to = s.to.Add(time.Duration(1+s.rand.IntN(12)) * time.Hour)
	for range 1 + s.rand.IntN(3) {
		[]func(){s.late, s.correct, s.restate, s.vanish, s.forget, s.accounts, s.catalogue}[s.rand.IntN(7)]()
	}
	s.save()
}

// anyLine returns the index of a line that a run as of now sees, mostly.
func (s *shop) anyLine() int {
	n, _ := slices.BinarySearchFunc(s.data.Lines, s.to, func(l featurerepo.Line, to time.Time) int { return l.InvoiceDate.Compare(to) })
	return s.rand.IntN(max(1, min(n, len(s.data.Lines))))
}

// late adds lines of days ago that are only now loaded, some of them not yet.
func (s *shop) late() {
	for range 1 + s.rand.IntN(300) {
		l := s.data.Lines[s.anyLine()]
		l.LoadedAt = s.to.Add(time.Duration(s.rand.IntN(48)-36) * time.Hour)
		l.Quantity = int64(1 + s.rand.IntN(100))
		s.data.Lines = append(s.data.Lines, l)
	}
	s.sort()
}

// correct adds lines that say again, later, what an earlier one said.
func (s *shop) correct() {
	for range 1 + s.rand.IntN(300) {
		l := s.data.Lines[s.anyLine()]
		l.LoadedAt = l.LoadedAt.Add(time.Duration(s.rand.IntN(24)) * time.Hour)
		l.UnitPrice = float64(s.rand.IntN(10_000)) / 100
		s.data.Lines = append(s.data.Lines, l)
	}
	s.sort()
}

func (s *shop) sort() {
	slices.SortStableFunc(s.data.Lines, func(a, b featurerepo.Line) int { return a.InvoiceDate.Compare(b.InvoiceDate) })
}

// restate changes lines in place.
func (s *shop) restate() {
	for range 1 + s.rand.IntN(2000) {
		s.data.Lines[s.anyLine()].Quantity = int64(s.rand.IntN(100) - 20)
	}
}

// vanish takes lines away.
func (s *shop) vanish() {
	for range 1 + s.rand.IntN(300) {
		i := s.anyLine()
		s.data.Lines = slices.Delete(s.data.Lines, i, min(i+1, len(s.data.Lines)-1))
	}
}

// forget takes customers away, with all they did.
func (s *shop) forget() {
	gone := map[int64]bool{}
	for range 1 + s.rand.IntN(20) {
		gone[s.data.Customers[s.rand.IntN(len(s.data.Customers))].ID] = true
	}
	s.data.Lines = slices.DeleteFunc(s.data.Lines, func(l featurerepo.Line) bool { return l.CustomerID != nil && gone[*l.CustomerID] })
	if len(gone) < len(s.data.Customers)/2 {
		s.data.Customers = slices.DeleteFunc(s.data.Customers, func(c featurerepo.Customer) bool { return gone[c.ID] })
	}
}

// accounts adds states of accounts, and new accounts.
func (s *shop) accounts() {
	for range 1 + s.rand.IntN(200) {
		c := s.data.Customers[s.rand.IntN(len(s.data.Customers))]
		if s.rand.IntN(4) == 0 {
			c.ID += 1_000_000
		}
		c.ChangedAt = s.to.Add(-time.Duration(s.rand.IntN(100)) * time.Hour)
		c.RecordedAt = c.ChangedAt.Add(time.Duration(s.rand.IntN(50)) * time.Hour)
		c.Newsletter = !c.Newsletter
		s.data.Customers = append(s.data.Customers, c)
	}
}

// catalogue changes the static table, which has no past.
func (s *shop) catalogue() {
	for range 1 + s.rand.IntN(40) {
		s.data.Products[s.rand.IntN(len(s.data.Products))].WeightGrams = int32(s.rand.IntN(5000))
	}
	if i := s.rand.IntN(len(s.data.Products)); len(s.data.Products) > 100 {
		s.data.Products = slices.Delete(s.data.Products, i, i+1)
	}
}
