package law

import (
	"fmt"
	"path/filepath"
	"testing"
)

// Every order is a label: the hour and the weekday in London, the days since the latest order, and the cart against it. They
// are compared with what SQL says that was written without fstore's functions or joins, and then training with get.
func TestRetailOnDemandFeatures(t *testing.T) {
	t.Parallel()
	onBoth(t, "online_retail", func(t *testing.T, e *example) {
		e.run("apply", "--yes")
		e.run("training-set", "create", "carts", "--service", "large_cart", "--labels-sql", "cart_labels.sql", "--out", "carts.parquet")
		columns, differing := readTable(t, fmt.Sprintf(`
WITH orders AS (`+fmt.Sprintf(retailOrders, e.data)+`),
latest AS (SELECT customer_id, invoice_date, value FROM orders WHERE place = 1),
carts AS (SELECT * FROM read_parquet('%s')),
wanted AS (
  SELECT carts.*, l.value AS latest_value,
    event_timestamp + INTERVAL (CASE WHEN event_timestamp >= '2011-03-27 01:00' AND event_timestamp < '2011-10-30 01:00' THEN 1 ELSE 0 END) HOUR AS london,
    (epoch_us(event_timestamp) - epoch_us(l.invoice_date)) / 86400000000.0 AS days
  FROM carts ASOF LEFT JOIN latest AS l ON carts.customer_id = l.customer_id AND carts.event_timestamp >= l.invoice_date
)
SELECT count(*), count(latest_value), count(DISTINCT hour), count(DISTINCT weekday),
  count(*) FILTER (hour IS DISTINCT FROM extract(hour FROM london)),
  count(*) FILTER (weekday IS DISTINCT FROM extract(isodow FROM london)),
  count(*) FILTER (abs(days_since_order - days) > 1e-12 * days OR (days IS NULL) <> (days_since_order IS NULL)),
  count(*) FILTER (cart_ratio IS DISTINCT FROM CASE WHEN order_value > 0 THEN cart_value / order_value END),
  count(*) FILTER (order_value IS DISTINCT FROM latest_value AND abs(order_value - latest_value) > 1e-9 * abs(latest_value))
FROM wanted`, filepath.Join(e.dir, "carts.parquet")))
		got := differing[0]
		if n := got[0].(int64); n < 18_000 || got[1].(int64) < n*3/4 || got[2].(int64) < 10 || got[3].(int64) < 6 {
			t.Errorf("the training set says little: %v", got)
		}
		for i, n := range got[4:] {
			if n != int64(0) {
				t.Errorf("%v of the rows differ: %s", n, columns[4+i])
			}
		}
		t.Logf("%v labels, %v of them with an order before", got[0], got[1])

		e.run("materialize", "customer_orders", "--to", "2011-12-10")
		e.keys("SELECT DISTINCT customer_id, (customer_id % 500)::DOUBLE AS cart_value FROM read_parquet('" + e.data + "/online_retail/lines/*.parquet') WHERE customer_id IS NOT NULL ORDER BY 1")
		for _, at := range []string{"2011-12-10", "2012-07-01 22:59:59"} {
			e.sameAsTraining(e.get("--service", "large_cart", "--entities", "keys.parquet", "--at", at), "large_cart", at)
		}
	})
}
