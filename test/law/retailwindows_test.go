package law

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore"
)

// The windows of the retail example, with the hops of those without publish.
var retailWindows = []struct {
	name        string
	length, hop int64 // microseconds; 0: a lifetime
}{{"1d", dayMicros, hourMicros}, {"7d", 7 * dayMicros, 6 * hourMicros}, {"30d", 30 * dayMicros, dayMicros}, {"90d", 90 * dayMicros, 3 * dayMicros}, {"lifetime", 0, 0}}

const (
	hourMicros = int64(3_600_000_000)
	dayMicros  = 24 * hourMicros
)

// retailLine is an invoice line, or what the example's SQL makes of an invoice.
type retailLine struct {
	at             int64
	value          float64
	counts         bool // the line is a sale and not a return; the invoice is an order
	invoice, stock string
}

// Every invoice with a customer is a label. The windows of both forms are those of a brute-force oracle for 500 customers, and
// of control sums over all: in training, and online days after the run, when windows without publish have moved on.
func TestRetailWindows(t *testing.T) {
	t.Parallel()
	e := newExample(t, "online_retail", "")
	e.run("apply", "--yes")
	e.run("training-set", "create", "activity", "--service", "activity", "--labels-sql", "labels.sql", "--out", "activity.parquet")
	lines := "read_parquet('" + e.data + "/online_retail/lines/*.parquet')"
	set := "read_parquet('" + filepath.Join(e.dir, "activity.parquet") + "')"
	sample := "(SELECT customer_id FROM " + lines + " WHERE customer_id IS NOT NULL GROUP BY 1 ORDER BY md5(customer_id::VARCHAR) LIMIT 500)"
	o := newShopOracle(t, lines, sample)

	names := o.names()
	_, labels := readTable(t, "SELECT customer_id, epoch_us(event_timestamp), "+strings.Join(names, ", ")+" FROM "+set+" WHERE customer_id IN "+sample)
	for _, l := range labels {
		at := l[1].(int64)
		o.compare(t, names, l[0].(int64), at, publishedAtTwo(at), l[2:])
	}
	t.Logf("%d values of %d labels of 500 customers are the oracle's", o.compared, len(labels))

	controlSums(t, lines, set)

	e.run("materialize", "--to", "2011-12-10")
	_, keys := readTable(t, "SELECT customer_id FROM "+sample+" ORDER BY 1")
	e.keys("SELECT customer_id FROM " + sample + " ORDER BY 1")
	o.compared = 0
	for _, at := range []string{"2011-12-10", "2011-12-10T07:00:00.000001Z", "2011-12-20", "2012-03-20"} {
		now, err := fstore.ParseTime(at)
		if err != nil {
			t.Fatal(err)
		}
		a := e.get("--service", "activity", "--entities", "keys.parquet", "--at", at)
		for i, key := range keys {
			values := make([]any, len(names))
			for f := range a.Features {
				values[f] = figure(t, a.Features[f].Name, a.Features[f].Values[i])
			}
			o.compare(t, names, key[0].(int64), fstore.Micros(now), publishedAtTwo(1323475200_000000), values)
		}
	}
	t.Logf("%d values online are the oracle's", o.compared)
}

// figure reads a value of JSON in the type of its feature.
func figure(t *testing.T, name string, v any) any {
	t.Helper()
	n, ok := v.(json.Number)
	if !ok {
		t.Fatalf("%s is %v", name, v)
	}
	if strings.Contains(name, "spend") {
		f, err := n.Float64()
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	i, err := n.Int64()
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// publishedAtTwo is P(T) of publish: {every: 1d, offset: 2h}, after 1970.
func publishedAtTwo(t int64) int64 { return (t-2*hourMicros)/dayMicros*dayMicros + 2*hourMicros }

// shopOracle knows the lines and the invoices of customers.
type shopOracle struct {
	lines, invoices map[int64][]retailLine
	compared        int
}

func newShopOracle(t *testing.T, lines, customers string) *shopOracle {
	t.Helper()
	o := &shopOracle{lines: map[int64][]retailLine{}, invoices: map[int64][]retailLine{}}
	_, rows := readTable(t, "SELECT customer_id, epoch_us(invoice_date), quantity, unit_price, invoice_no, stock_code FROM "+lines+" WHERE customer_id IN "+customers)
	for _, r := range rows {
		customer, quantity := r[0].(int64), r[2].(int64)
		o.lines[customer] = append(o.lines[customer], retailLine{
			at: r[1].(int64), value: float64(quantity) * r[3].(float64), counts: quantity > 0, invoice: r[4].(string), stock: r[5].(string),
		})
	}
	_, rows = readTable(t, `
SELECT customer_id, epoch_us(invoice_date), `+exactSumSQL+`,
  NOT starts_with(invoice_no, 'C') AND invoice_date = (SELECT min(invoice_date) FROM `+lines+` AS l WHERE l.customer_id = o.customer_id AND l.invoice_no = o.invoice_no)
FROM (SELECT *, quantity * unit_price AS x FROM `+lines+`) AS o WHERE customer_id IN `+customers+` GROUP BY customer_id, invoice_no, invoice_date`)
	for _, r := range rows {
		customer := r[0].(int64)
		o.invoices[customer] = append(o.invoices[customer], retailLine{at: r[1].(int64), value: r[2].(float64), counts: r[3].(bool)})
	}
	return o
}

// exactSumSQL is what exact_sum(x) comes down to, where no x is large: a sum of whole multiples of 2^-60. The engine does not
// always round the last bit of a large integer as Go does.
const exactSumSQL = "sum((x * 1152921504606846976::DOUBLE)::HUGEINT)::DOUBLE / 1152921504606846976::DOUBLE"

// exactSum sums the values of rows after start and not after end, exactly, and rounds once. n counts the rows.
func exactSum(rows []retailLine, start, end int64) (sum float64, n int) {
	total := new(big.Float).SetPrec(400)
	for _, r := range rows {
		if r.at > start && r.at <= end {
			total.Add(total, new(big.Float).SetFloat64(r.value))
			n++
		}
	}
	sum, _ = total.Float64()
	return sum, n
}

// names lists the features in the order in which values gives them.
func (o *shopOracle) names() (names []string) {
	for _, of := range []string{"spend", "orders", "products", "now_spend", "now_orders"} {
		for _, w := range retailWindows {
			names = append(names, of+"_"+w.name)
		}
	}
	return names
}

// compare compares the features of a customer at t, where p is published, with brute force.
func (o *shopOracle) compare(t *testing.T, names []string, customer, at, p int64, got []any) {
	t.Helper()
	n := len(retailWindows)
	want := make([]any, 5*n)
	for i, w := range retailWindows {
		start, sawtooth := int64(math.MinInt64), int64(math.MinInt64)
		if w.length > 0 {
			start, sawtooth = p-w.length, (at-w.length)/w.hop*w.hop
		}
		spend, _ := exactSum(o.lines[customer], start, p)
		orders, products := map[string]bool{}, map[string]bool{}
		for _, l := range o.lines[customer] {
			if l.counts && l.at > start && l.at <= p {
				orders[l.invoice], products[l.stock] = true, true
			}
		}
		now, _ := exactSum(o.invoices[customer], sawtooth, at)
		placed := int64(0)
		for _, l := range o.invoices[customer] {
			if l.counts && l.at > sawtooth && l.at <= at {
				placed++
			}
		}
		want[i], want[n+i], want[2*n+i], want[3*n+i], want[4*n+i] = spend, int64(len(orders)), int64(len(products)), now, placed
	}
	for i := range names {
		if !same(got[i], want[i]) {
			t.Fatalf("%s of customer %d at %s: %v, the oracle says %v", names[i], customer, fstore.FormatTime(fstore.FromMicros(at)), got[i], want[i])
		}
		o.compared++
	}
}

// controlSums compares the sums of features over all labels with those of joins of labels and lines. An invoice or a product is
// in a window where its newest line is.
func controlSums(t *testing.T, lines, set string) {
	t.Helper()
	sums := map[string][]string{}
	for _, w := range retailWindows {
		start, sawtooth := "-1", "-1"
		if w.length > 0 {
			start, sawtooth = fmt.Sprintf("p - %d", w.length), fmt.Sprintf("(t - %d) // %d * %[2]d", w.length, w.hop)
		}
		for _, c := range []struct{ feature, sum, from, to string }{
			{"spend", "sum(value)", start, "p"},
			{"orders", "count(*)", start, "p"},
			{"products", "count(*)", start, "p"},
			{"now_spend", "sum(value)", sawtooth, "t"},
			{"now_orders", "count(*)", sawtooth, "t"},
		} {
			sums[c.feature] = append(sums[c.feature], fmt.Sprintf("(%s FILTER (ts > %s AND ts <= %s))::DOUBLE", c.sum, c.from, c.to))
		}
	}
	with := fmt.Sprintf(`
WITH lines AS (SELECT customer_id, epoch_us(invoice_date) AS ts, quantity, quantity * unit_price AS value, invoice_no, stock_code FROM %s WHERE customer_id IS NOT NULL),
invoices AS (SELECT customer_id, invoice_no, min(ts) AS ts FROM lines WHERE NOT starts_with(invoice_no, 'C') GROUP BY ALL),
asked AS (SELECT *, (t - 7200000000) // 86400000000 * 86400000000 + 7200000000 AS p
  FROM (SELECT row_number() OVER () AS n, customer_id, epoch_us(event_timestamp) AS t FROM %s))
`, lines, set)
	newest := "(SELECT p, max(ts) AS ts FROM asked JOIN lines USING (customer_id) WHERE quantity > 0 AND ts <= p GROUP BY n, p, %s)"
	for feature, from := range map[string]string{
		"spend": "asked JOIN lines USING (customer_id)", "now_spend": "asked JOIN lines USING (customer_id)",
		"now_orders": "asked JOIN invoices USING (customer_id)",
		"orders":     fmt.Sprintf(newest, "invoice_no"), "products": fmt.Sprintf(newest, "stock_code"),
	} {
		var got []string
		for _, w := range retailWindows {
			got = append(got, "sum("+feature+"_"+w.name+")::DOUBLE")
		}
		have := figures(t, "SELECT "+strings.Join(append(got, "count(*)"), ", ")+" FROM "+set)
		n := len(retailWindows)
		sameFigures(t, "control sums of "+feature, have[:n], figures(t, with+"SELECT "+strings.Join(sums[feature], ", ")+" FROM "+from))
		t.Logf("%s over %v labels, by window: %.2f", feature, have[n], have[:n])
	}
}
