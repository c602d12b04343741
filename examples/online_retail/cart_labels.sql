-- Every order of a customer, one microsecond before it, with what the request would have sent: the value of the cart.
SELECT customer_id, invoice_date - INTERVAL 1 MICROSECOND AS event_timestamp, exact_sum(quantity * unit_price) AS cart_value, invoice_no
FROM lines
WHERE customer_id IS NOT NULL AND quantity > 0
GROUP BY customer_id, invoice_no, invoice_date
ORDER BY event_timestamp, customer_id, invoice_no
