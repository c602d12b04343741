-- One row for each part of an order as it was loaded. The first part counts the order, late parts only add to its value.
select
    customer_id,
    invoice_date,
    loaded_at,
    exact_sum(quantity * unit_price) as value,
    loaded_at = min(loaded_at) over (partition by customer_id, invoice_no, invoice_date) as is_new
from lines
where customer_id is not null and quantity > 0
group by customer_id, invoice_no, invoice_date, loaded_at
