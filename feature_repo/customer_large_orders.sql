-- A view can read another view: its rows, not only the latest one.
select customer_id, invoice_date, loaded_at, order_value as large_order_value
from customer_orders
where order_value >= 500
