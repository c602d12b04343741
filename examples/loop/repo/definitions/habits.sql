select
    customer_id,
    ordered_at,
    loaded_at,
    lag(amount) over (partition by customer_id order by ordered_at) as previous_value
from orders
