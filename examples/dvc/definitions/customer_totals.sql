-- Totals change when lines are loaded. So there is one row per load, with the time of the newest line known by then.
select
    customer_id,
    max(max(invoice_date)) over known as invoice_date,
    loaded_at,
    sum(sum(greatest(quantity, 0))) over known as items_bought,
    sum(sum(greatest(-quantity, 0))) over known as items_returned
from lines
where customer_id is not null
group by customer_id, loaded_at
window known as (partition by customer_id order by loaded_at)
