-- One row for each time of an invoice. The first one of a sale counts as an order; returns, whose numbers begin with C, only
-- lower the value.
SELECT customer_id, invoice_date,
       exact_sum(quantity * unit_price) AS value,
       NOT starts_with(invoice_no, 'C') AND invoice_date = min(invoice_date) OVER (PARTITION BY customer_id, invoice_no) AS is_order
FROM lines
WHERE customer_id IS NOT NULL
GROUP BY customer_id, invoice_no, invoice_date
