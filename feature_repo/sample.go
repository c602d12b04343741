package featurerepo

import (
	"fmt"
	"math/rand/v2"
	"sort"
	"time"
)

// Size says how much sample data there is. The same size and seed give the same bytes on every machine: the
// generator counts in whole pennies and minutes and uses no floating-point arithmetic that could round differently.
type Size struct {
	Lines     int // invoice lines, about: whole invoices are written
	Customers int
	Products  int
	Seed      uint64
}

// The sizes in use.
var (
	Small = Size{Lines: 20_000, Customers: 300, Products: 200, Seed: 1}      // fstore init
	Demo  = Size{Lines: 500_000, Customers: 5_000, Products: 2_000, Seed: 1} // make demo
)

// Start and End bound the invoice dates of the sample data.
var (
	Start = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	End   = time.Date(2025, 12, 1, 0, 0, 0, 0, time.UTC)
)

// Line is a row of lines/*.parquet.
type Line struct {
	InvoiceNo   string    `parquet:"invoice_no"` // C… is a return
	StockCode   string    `parquet:"stock_code"`
	Quantity    int64     `parquet:"quantity"` // negative in a return
	UnitPrice   float64   `parquet:"unit_price"`
	CustomerID  *int64    `parquet:"customer_id,optional"` // nil: sold without an account
	Country     string    `parquet:"country"`
	InvoiceDate time.Time `parquet:"invoice_date,timestamp(microsecond)"` // whole minutes
	LoadedAt    time.Time `parquet:"loaded_at,timestamp(microsecond)"`    // later than InvoiceDate; sometimes by days
}

// Customer is a row of customers.parquet: a state of an account.
type Customer struct {
	ID         int64     `parquet:"id"`
	Country    string    `parquet:"country"`
	Segment    *string   `parquet:"segment,optional"`
	Newsletter bool      `parquet:"newsletter"`
	ChangedAt  time.Time `parquet:"changed_at,timestamp(microsecond)"`
	RecordedAt time.Time `parquet:"recorded_at,timestamp(microsecond)"`
}

// Product is a row of products.parquet.
type Product struct {
	StockCode   string    `parquet:"stock_code"`
	Category    string    `parquet:"category"`
	WeightGrams int32     `parquet:"weight_grams"`
	Embedding   []float32 `parquet:"embedding,list"`
}

// Label is a row of labels.parquet: an order of a customer, asked about just before it was placed.
type Label struct {
	CustomerID     int64     `parquet:"customer_id"`
	EventTimestamp time.Time `parquet:"event_timestamp,timestamp(microsecond)"` // 1 µs before the invoice
	Reordered      bool      `parquet:"reordered"`                              // another order followed within 60 days
}

// Sample is the data of the shop.
type Sample struct {
	Lines     []Line // by invoice date
	Customers []Customer
	Products  []Product
	Labels    []Label
}

var (
	countries  = []string{"United Kingdom", "United Kingdom", "United Kingdom", "Germany", "France", "Ireland", "Norway", "Côte d'Ivoire"}
	segments   = []string{"home", "home", "gift", "trade"}
	categories = []string{"kitchen", "garden", "toys", "stationery", "lights", "textiles"}
)

const firstCustomer = 12_000 // customer ids begin here

type generator struct {
	rand   *rand.Rand
	size   Size
	prices []int // of the products, in pennies
	out    Sample
}

// Generate makes the sample data of a size.
func Generate(size Size) *Sample {
	g := &generator{rand: rand.New(rand.NewPCG(size.Seed, 20250101)), size: size} //nolint:gosec // G404: the sample data must repeat
	g.products()
	g.customers()
	g.invoices()
	sort.SliceStable(g.out.Lines, func(i, j int) bool { return g.out.Lines[i].InvoiceDate.Before(g.out.Lines[j].InvoiceDate) })
	g.labels()
	return &g.out
}

func (g *generator) products() {
	for i := range g.size.Products {
		g.prices = append(g.prices, 45+5*g.rand.IntN(400))
		embedding := make([]float32, 4)
		for j := range embedding {
			embedding[j] = float32(g.rand.IntN(257)-128) / 128
		}
		g.out.Products = append(g.out.Products, Product{
			StockCode:   stockCode(i),
			Category:    categories[g.rand.IntN(len(categories))],
			WeightGrams: int32(20 + 10*g.rand.IntN(300)),
			Embedding:   embedding,
		})
	}
}

func stockCode(i int) string { return fmt.Sprintf("P%05d", 10_000+7*i) }

// customers writes the first state of each account and, for one in three, later ones. One change in twenty becomes
// known days late.
func (g *generator) customers() {
	minutes := int(End.Sub(Start) / time.Minute)
	for i := range g.size.Customers {
		c := Customer{ID: int64(firstCustomer + i), Country: countries[g.rand.IntN(len(countries))]}
		at := Start.Add(-time.Duration(g.rand.IntN(minutes)) * time.Minute)
		for {
			if g.rand.IntN(10) > 0 {
				c.Segment = &segments[g.rand.IntN(len(segments))]
			} else {
				c.Segment = nil
			}
			c.Newsletter = g.rand.IntN(2) == 0
			c.ChangedAt, c.RecordedAt = at, at.Add(time.Duration(1+g.rand.IntN(120))*time.Second)
			if g.rand.IntN(20) == 0 {
				c.RecordedAt = c.RecordedAt.Add(time.Duration(1+g.rand.IntN(5)) * 24 * time.Hour)
			}
			g.out.Customers = append(g.out.Customers, c)
			at = at.Add(time.Duration(1+g.rand.IntN(minutes)) * time.Minute)
			if g.rand.IntN(3) > 0 || !at.Before(End) {
				break
			}
		}
	}
}

// invoices writes orders of 1 to 39 lines until there are enough lines; one in twenty is followed by a return.
func (g *generator) invoices() {
	for no := 500_000; len(g.out.Lines) < g.size.Lines; no++ {
		at := g.openingTime()
		order := g.invoice(fmt.Sprint(no), at)
		if g.rand.IntN(20) > 0 {
			continue
		}
		back := at.Add(time.Duration(1+g.rand.IntN(20*24*60)) * time.Minute)
		if !back.Before(End) {
			continue
		}
		for _, l := range order[:1+g.rand.IntN(len(order))] {
			l.InvoiceNo, l.Quantity, l.InvoiceDate = fmt.Sprintf("C%d", no), -l.Quantity, back
			l.LoadedAt = loaded(back, 0)
			g.out.Lines = append(g.out.Lines, l)
		}
	}
}

// openingTime returns a whole minute between 8 and 18 o'clock of a day the shop is open, so that orders often tie.
func (g *generator) openingTime() time.Time {
	days := int(End.Sub(Start) / (24 * time.Hour))
	for {
		day := Start.AddDate(0, 0, g.rand.IntN(days))
		if day.Weekday() != time.Saturday {
			return day.Add(8*time.Hour + time.Duration(g.rand.IntN(600))*time.Minute)
		}
	}
}

// loaded returns when a line of an invoice is known: with the load of the next full hour, or days later.
func loaded(at time.Time, daysLate int) time.Time {
	return at.Truncate(time.Hour).Add(time.Hour+5*time.Minute).AddDate(0, 0, daysLate)
}

func (g *generator) invoice(no string, at time.Time) []Line {
	l := Line{InvoiceNo: no, InvoiceDate: at, LoadedAt: loaded(at, 0)}
	l.Country = countries[g.rand.IntN(len(countries))]
	if g.rand.IntN(4) > 0 { // the others have no account
		// the lower of two draws: some customers order a lot, some hardly ever
		id := int64(firstCustomer + min(g.rand.IntN(g.size.Customers), g.rand.IntN(g.size.Customers)))
		l.CustomerID = &id
	}
	from := len(g.out.Lines)
	for range 1 + g.rand.IntN(39) {
		p := g.rand.IntN(g.size.Products)
		l.StockCode = stockCode(p)
		l.Quantity = int64(1 + g.rand.IntN(1+g.rand.IntN(24)))
		// prices rise by a twentieth in July, and one line in ten is sold at a tenth off
		pennies := g.prices[p]
		if at.Month() >= time.July {
			pennies += pennies / 20
		}
		if g.rand.IntN(10) == 0 {
			pennies -= pennies / 10
		}
		l.UnitPrice = float64(pennies) / 100
		g.out.Lines = append(g.out.Lines, l)
		if g.rand.IntN(200) == 0 { // the scanner reads twice: a line repeats verbatim
			g.out.Lines = append(g.out.Lines, l)
		}
	}
	lines := g.out.Lines[from:]
	if g.rand.IntN(50) == 0 { // the last lines of the invoice are loaded days late
		late := loaded(at, 1+g.rand.IntN(4))
		for i := len(lines) / 2; i < len(lines); i++ {
			lines[i].LoadedAt = late
		}
	}
	return lines
}

// labels asks about each order of a customer, in the order of time.
func (g *generator) labels() {
	type order struct {
		no string
		at time.Time
	}
	orders := map[int64][]order{}
	var labels []Label
	seen := map[string]bool{}
	for _, l := range g.out.Lines {
		if l.CustomerID == nil || l.Quantity < 0 || seen[l.InvoiceNo] {
			continue
		}
		seen[l.InvoiceNo] = true
		orders[*l.CustomerID] = append(orders[*l.CustomerID], order{l.InvoiceNo, l.InvoiceDate})
		labels = append(labels, Label{CustomerID: *l.CustomerID, EventTimestamp: l.InvoiceDate.Add(-time.Microsecond)})
	}
	next := map[int64]int{}
	for i := range labels {
		l := &labels[i]
		n := next[l.CustomerID] + 1
		next[l.CustomerID] = n
		if later := orders[l.CustomerID]; n < len(later) {
			l.Reordered = later[n].at.Sub(l.EventTimestamp) <= 60*24*time.Hour
		}
	}
	g.out.Labels = labels
}
