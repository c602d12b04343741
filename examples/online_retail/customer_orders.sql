-- One row per customer, invoice and time. An invoice that carries two times (31 with a customer do) is two rows:
-- at the first time, nobody knew of the second.
WITH orders AS (
    SELECT customer_id, invoice_no, invoice_date,
           exact_sum(quantity * unit_price) AS order_value,
           count(*) AS order_lines
    FROM lines
    WHERE customer_id IS NOT NULL
    GROUP BY customer_id, invoice_no, invoice_date
)
SELECT customer_id, invoice_date, order_value, order_lines,
       (epoch_us(invoice_date) - epoch_us(lag(invoice_date) OVER latest)) / 86400000000.0 AS days_between_orders
FROM orders
WINDOW latest AS (PARTITION BY customer_id ORDER BY invoice_date, invoice_no)
