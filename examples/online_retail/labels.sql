-- Every invoice with a customer, one microsecond before it: at its own time an order would see itself.
SELECT customer_id, invoice_date - INTERVAL 1 MICROSECOND AS event_timestamp, invoice_no
FROM lines
WHERE customer_id IS NOT NULL
GROUP BY customer_id, invoice_no, invoice_date
ORDER BY event_timestamp, customer_id, invoice_no
