-- Every line with a customer, one microsecond before it.
SELECT customer_id, stock_code, invoice_date - INTERVAL 1 MICROSECOND AS event_timestamp, invoice_no
FROM lines
WHERE customer_id IS NOT NULL
GROUP BY customer_id, stock_code, invoice_no, invoice_date
ORDER BY event_timestamp, customer_id, stock_code, invoice_no
