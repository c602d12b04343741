package law

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/fstore-dev/fstore"
)

// The examples are taken through their whole life by the program itself, on SQLite and on Redis, and what comes out
// is compared with figures computed another way: the oracle on a sample of keys, and window functions over
// everything.

var programDir string // once program was called; TestMain removes it

var program = sync.OnceValues(func() (string, error) {
	var err error
	if programDir, err = os.MkdirTemp("", "fstore-program"); err != nil {
		return "", err
	}
	bin := filepath.Join(programDir, "fstore")
	out, err := exec.Command("go", "build", "-ldflags=-s -w", "-o", bin, "../../cmd/fstore").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return bin, nil
})

// example is a copy of an example's repo.
type example struct {
	t      *testing.T
	dir    string
	data   string
	online string
}

// newExample copies an example; the test is skipped where the real data is not there.
func newExample(t *testing.T, name, online string) *example {
	t.Helper()
	data := os.Getenv("FSTORE_EXAMPLE_DATA")
	if data == "" {
		data = "../../../shared/data"
	}
	data, err := filepath.Abs(data)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(data); err != nil {
		t.Skipf("the real data is not there; set FSTORE_EXAMPLE_DATA to its folder: %v", err)
	}
	e := &example{t: t, dir: tempDir(t), data: data, online: online}
	files, err := filepath.Glob(filepath.Join("../../examples", name, "[a-z]*.*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("example %s: %d files, %v", name, len(files), err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(e.dir, filepath.Base(f)), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

// run runs fstore in the repo and returns what it prints.
func (e *example) run(args ...string) []byte {
	e.t.Helper()
	bin, err := program()
	if err != nil {
		e.t.Fatal(err)
	}
	cmd := exec.Command(bin, args...)
	cmd.Dir = e.dir
	cmd.Env = append(os.Environ(), "FSTORE_EXAMPLE_DATA="+e.data)
	if e.online != "" {
		cmd.Env = append(cmd.Env, "FSTORE_EXAMPLE_ONLINE="+e.online)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		e.t.Fatalf("fstore %s: %v\n%s%s", strings.Join(args, " "), err, stdout.Bytes(), stderr.Bytes())
	}
	return stdout.Bytes()
}

// onBoth runs a test on SQLite and on Redis.
func onBoth(t *testing.T, name string, do func(*testing.T, *example)) {
	t.Run("sqlite", func(t *testing.T) { do(t, newExample(t, name, "")) })
	t.Run("redis", func(t *testing.T) { do(t, newExample(t, name, startRedis(t))) })
}

// answer is what fstore get prints, reduced to what is compared.
type answer struct {
	Entities map[string][]any
	Features []struct {
		Name     string
		Values   []any
		Statuses []string
	}
}

func (e *example) get(args ...string) answer {
	e.t.Helper()
	d := json.NewDecoder(bytes.NewReader(e.run(append([]string{"get", "--output", "json"}, args...)...)))
	d.UseNumber()
	var a answer
	if err := d.Decode(&a); err != nil {
		e.t.Fatal(err)
	}
	return a
}

// figures returns the one row of a query as floats.
func figures(t *testing.T, query string) []float64 {
	t.Helper()
	_, rows := readTable(t, query)
	if len(rows) != 1 {
		t.Fatalf("%d rows of figures\n%s", len(rows), query)
	}
	var out []float64
	for _, v := range rows[0] {
		switch v := v.(type) {
		case int64:
			out = append(out, float64(v))
		case float64:
			out = append(out, v)
		default:
			t.Fatalf("%v (%T) is not a figure\n%s", v, v, query)
		}
	}
	return out
}

// sameFigures compares control figures: counts exactly, sums of floats up to their rounding.
func sameFigures(t *testing.T, what string, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %v, want %v", what, got, want)
	}
	for i := range got {
		if !close(got[i], want[i]) {
			t.Errorf("%s: %v, want %v", what, got, want)
			return
		}
	}
}

func close(a, b float64) bool {
	return a == b || math.Abs(a-b) <= 1e-9*math.Max(math.Abs(a), math.Abs(b))
}

// retailOrders computes the history of customer_orders with plain sums, the winner of ties first: days, lines, value.
const retailOrders = `
  SELECT *, row_number() OVER (PARTITION BY customer_id, invoice_date
    ORDER BY days DESC NULLS LAST, lines DESC, value DESC) AS place
  FROM (
    SELECT *, (epoch_us(invoice_date) - epoch_us(lag(invoice_date) OVER (PARTITION BY customer_id ORDER BY invoice_date, invoice_no))) / 864e8 AS days
    FROM (
      SELECT customer_id, invoice_no, invoice_date, sum(quantity * unit_price) AS value, count(*) AS lines
      FROM read_parquet('%s/online_retail/lines/*.parquet') WHERE customer_id IS NOT NULL GROUP BY ALL
    )
  )`

func TestOnlineRetail(t *testing.T) {
	t.Parallel()
	onBoth(t, "online_retail", onlineRetail)
}

func onlineRetail(t *testing.T, e *example) {
	e.run("validate")
	e.run("plan")
	e.run("apply", "--yes")
	e.run("training-set", "create", "next_order", "--service", "next_order", "--labels-sql", "labels.sql", "--out", "next_order.parquet")
	e.run("training-set", "create", "basket", "--service", "basket", "--labels-sql", "basket_labels.sql", "--out", "basket.parquet")
	orders := fmt.Sprintf(retailOrders, e.data)

	// every invoice with a customer, once; its features are those of the order before it, found by lag and not by a join
	training := "read_parquet('" + filepath.Join(e.dir, "next_order.parquet") + "')"
	want := figures(t, `
WITH orders AS (`+orders+`),
winners AS (
  SELECT customer_id, invoice_date, lag(value) OVER w AS value, coalesce(lag(lines) OVER w, 0) AS lines, lag(days) OVER w AS days
  FROM orders WHERE place = 1 WINDOW w AS (PARTITION BY customer_id ORDER BY invoice_date)
)
SELECT count(*), count(w.value), sum(w.value), sum(w.lines)::DOUBLE, count(w.days), sum(w.days)
FROM orders o JOIN winners w USING (customer_id, invoice_date)`)
	got := figures(t, `SELECT count(*), count(order_value), sum(order_value), sum(order_lines)::DOUBLE, count(days_between_orders), sum(days_between_orders) FROM `+training)
	sameFigures(t, "training set next_order", got, want)
	if got[0] != 22221 {
		t.Errorf("%v labels, want 22,221", got[0])
	}

	// a sample of customers, by the oracle
	retailOracle(t, e, orders)

	// every line with a customer, once: the price is that of the sale before
	e.prices()

	// online: every customer's latest order, and the same as a training set at that instant
	e.run("materialize", "--to", "2011-12-10")
	e.keys("SELECT DISTINCT customer_id FROM read_parquet('" + e.data + "/online_retail/lines/*.parquet') WHERE customer_id IS NOT NULL ORDER BY 1")
	a := e.get("--service", "next_order", "--entities", "keys.parquet", "--at", "2011-12-10")
	e.sameAsTraining(a, "next_order", "2011-12-10")
	sameFigures(t, "online next_order", a.figures(), figures(t, `
WITH orders AS (`+orders+`)
SELECT count(*), sum(value), count(*), sum(lines)::DOUBLE, count(days), sum(days)
FROM (SELECT DISTINCT ON (customer_id) * FROM orders WHERE place = 1 ORDER BY customer_id, invoice_date DESC)`))
	if n := len(a.Features[0].Values); n != 4372 {
		t.Errorf("%d customers, want 4,372", n)
	}
	if repeat := string(e.run("materialize", "--to", "2011-12-10", "--output", "json")); strings.Count(repeat, `"written":0,`) != 4 {
		t.Errorf("a repeated run wrote something:\n%s", repeat)
	}
}

// retailOracle asks the oracle for every order of every fortieth customer.
func retailOracle(t *testing.T, e *example, orders string) {
	t.Helper()
	v := fstore.View{Name: "customer_orders", Event: "event"}
	var history []row
	_, rows := readTable(t, "SELECT customer_id, epoch_us(invoice_date), days, lines, value FROM ("+orders+") WHERE customer_id % 40 = 0")
	for _, r := range rows {
		at := r[1].(int64)
		history = append(history, row{key: r[:1], event: &at, values: r[2:]})
	}
	_, labels := readTable(t, "SELECT customer_id, epoch_us(event_timestamp), days_between_orders, order_lines, order_value FROM read_parquet('"+
		filepath.Join(e.dir, "next_order.parquet")+"') WHERE customer_id % 40 = 0")
	if len(labels) < 300 {
		t.Fatalf("only %d labels in the sample", len(labels))
	}
	for _, l := range labels {
		want := []any{nil, int64(0), nil} // order_lines has a default
		if r, _ := lookup(&v, history, l[:1], l[1].(int64)); r != nil {
			want = r.values
		}
		for i := range want {
			a, isFloat := l[2+i].(float64)
			b, wantsFloat := want[i].(float64)
			if isFloat && wantsFloat && close(a, b) || same(l[2+i], want[i]) {
				continue
			}
			t.Fatalf("customer %v at %v: %v, the oracle says %v", l[0], fstore.FromMicros(l[1].(int64)), l[2:], want)
		}
	}
}

// prices compares the prices of the training set basket with those found by lag.
func (e *example) prices() {
	e.t.Helper()
	want := figures(e.t, fmt.Sprintf(`
WITH lines AS (SELECT * FROM read_parquet('%s/online_retail/lines/*.parquet')),
instants AS (SELECT stock_code, invoice_date, max(unit_price) FILTER (quantity > 0 AND unit_price > 0) AS price FROM lines GROUP BY ALL),
before AS (
  SELECT stock_code, invoice_date, last_value(price IGNORE NULLS) OVER (
    PARTITION BY stock_code ORDER BY invoice_date ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS price
  FROM instants
)
SELECT count(*), count(price), sum(price)
FROM (SELECT DISTINCT customer_id, stock_code, invoice_no, invoice_date FROM lines WHERE customer_id IS NOT NULL) JOIN before USING (stock_code, invoice_date)`, e.data))
	got := figures(e.t, "SELECT count(*), count(product_price), sum(product_price) FROM read_parquet('"+filepath.Join(e.dir, "basket.parquet")+"')")
	sameFigures(e.t, "training set basket", got, want)
}

// keys writes keys.parquet.
func (e *example) keys(query string) { copyTo(e.t, filepath.Join(e.dir, "keys.parquet"), query) }

// figures returns, for each feature, how many values there are and their sum.
func (a *answer) figures() []float64 {
	out := []float64{}
	for _, f := range a.Features {
		n, sum := 0.0, 0.0
		for _, v := range f.Values {
			if number, ok := v.(json.Number); ok {
				value, err := number.Float64()
				if err != nil {
					panic(err)
				}
				n, sum = n+1, sum+value
			}
		}
		out = append(out, n, sum)
	}
	return out
}

// sameAsTraining compares an answer for keys.parquet with the training set of the same keys at an instant, value for
// value, to the bit.
func (e *example) sameAsTraining(a answer, service, at string) {
	e.t.Helper()
	labels := filepath.Join(e.dir, "at.parquet")
	copyTo(e.t, labels, "SELECT *, TIMESTAMP '"+at+"' AS event_timestamp FROM read_parquet('"+filepath.Join(e.dir, "keys.parquet")+"')")
	e.run("training-set", "create", service+"_at", "--replace", "--service", service, "--labels", labels, "--out", service+"_at.parquet")
	columns, rows := readTable(e.t, "SELECT * FROM read_parquet('"+filepath.Join(e.dir, service+"_at.parquet")+"')")
	for _, f := range a.Features {
		c := indexOf(columns, f.Name)
		if c < 0 || len(rows) != len(f.Values) {
			e.t.Fatalf("%s: column %d, %d rows and %d values", f.Name, c, len(rows), len(f.Values))
		}
		for i, v := range f.Values {
			if want := fmt.Sprint(jsonOf(e.t, rows[i][c])); fmt.Sprint(v) != want {
				e.t.Fatalf("%s of %v: get %v, training %v", f.Name, rows[i][0], v, want)
			}
		}
	}
}

// jsonOf brings a value read from Parquet into the form of one read from JSON.
func jsonOf(t *testing.T, v any) any {
	t.Helper()
	c := fstore.NewColumn("", fstore.String, 1)
	switch v.(type) {
	case int64:
		c.Type = fstore.Int64
	case float64:
		c.Type = fstore.Float64
	}
	c.Append(v)
	d := json.NewDecoder(bytes.NewReader(c.AppendJSON(nil, 0)))
	d.UseNumber()
	var out any
	if err := d.Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestCredit(t *testing.T) {
	t.Parallel()
	onBoth(t, "credit", credit)
}

func credit(t *testing.T, e *example) {
	e.run("validate")
	e.run("plan")
	e.run("apply", "--yes")
	e.run("training-set", "create", "loans", "--service", "credit_score", "--labels-sql", "labels.sql", "--out", "loans.parquet")
	loans := "read_parquet('" + e.data + "/credit/loan_table.parquet')"
	zips := "read_parquet('" + e.data + "/credit/zipcode_table.parquet')"

	// every loan once, with its zip code's row and the requests before it, counted by rows and not by a join
	sameFigures(t, "training set loans",
		figures(t, `SELECT count(*), sum(population)::DOUBLE, sum(total_wages)::DOUBLE, count(city), sum(zip_loans)::DOUBLE, sum(zip_amount)::DOUBLE,
  sum(zip_highest_income)::DOUBLE, sum(loan_amnt)::DOUBLE FROM read_parquet('`+filepath.Join(e.dir, "loans.parquet")+`')`),
		figures(t, `SELECT count(*), sum(population)::DOUBLE, sum(total_wages)::DOUBLE, count(city), sum(before)::DOUBLE, sum(amount)::DOUBLE,
  sum(income)::DOUBLE, sum(loan_amnt)::DOUBLE
FROM (
  SELECT *, count(*) OVER w AS before, sum(loan_amnt) OVER w AS amount, max(person_income) OVER w AS income FROM `+loans+`
  WINDOW w AS (PARTITION BY zipcode ORDER BY event_timestamp ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
) JOIN `+zips+` z USING (zipcode)`))

	// a sample of zip codes, by the oracle
	v := fstore.View{Name: "zip_loans", Event: "event"}
	ttl := duration(t, "365d")
	v.TTL = &ttl
	_, rows := readTable(t, `SELECT a.zipcode, epoch_us(a.event_timestamp), sum(b.loan_amnt)::BIGINT, max(b.person_income), count(*)
FROM `+loans+` a JOIN `+loans+` b ON a.zipcode = b.zipcode AND b.event_timestamp <= a.event_timestamp WHERE a.zipcode % 97 = 0 GROUP BY ALL`)
	var history []row
	for _, r := range rows {
		at := r[1].(int64)
		history = append(history, row{key: r[:1], event: &at, values: r[2:]})
	}
	_, labels := readTable(t, `SELECT zipcode, epoch_us(event_timestamp), zip_amount, zip_highest_income, zip_loans FROM read_parquet('`+
		filepath.Join(e.dir, "loans.parquet")+`') WHERE zipcode % 97 = 0`)
	if len(labels) < 200 {
		t.Fatalf("only %d labels in the sample", len(labels))
	}
	for _, l := range labels {
		want := []any{int64(0), nil, int64(0)}
		if r, _ := lookup(&v, history, l[:1], l[1].(int64)); r != nil {
			want = r.values
		}
		for i := range want {
			if !same(l[2+i], want[i]) {
				t.Fatalf("zip code %v at %v: %v, the oracle says %v", l[0], fstore.FromMicros(l[1].(int64)), l[2:], want)
			}
		}
	}

	// online: every zip code there is, and the same as a training set at that instant
	e.run("materialize", "--to", "2021-08-26")
	e.keys("SELECT zipcode FROM " + zips + " ORDER BY 1")
	a := e.get("--service", "credit_score", "--entities", "keys.parquet", "--at", "2021-08-26")
	e.sameAsTraining(a, "credit_score", "2021-08-26")
	all := figures(t, `SELECT count(*), count(population), sum(population)::DOUBLE, sum(amount)::DOUBLE, sum(loans)::DOUBLE
FROM `+zips+` LEFT JOIN (SELECT zipcode, count(*) AS loans, sum(loan_amnt) AS amount FROM `+loans+`
  GROUP BY ALL HAVING max(event_timestamp) >= TIMESTAMPTZ '2020-08-26') USING (zipcode)`) // the ttl of 365 days leaves out seven
	if n := len(a.Features[0].Values); n != 28844 || float64(n) != all[0] {
		t.Errorf("%d zip codes, want 28,844", n)
	}
	got := a.figures()
	sameFigures(t, "online credit_score", []float64{got[8], got[9], got[15], got[13]}, []float64{all[1], all[2], all[3], all[4]})
}
