select
    max(max(invoice_date)) over known as invoice_date,
    loaded_at,
    sum(count(*) filter (where quantity < 0)) over known / sum(count(*)) over known as share_returned
from lines
group by loaded_at
window known as (order by loaded_at)
