-- One row for each state of an order that was ever known. When late lines of an order are loaded, the order gets a new
-- row with the same invoice_date and a later loaded_at. So at every instant the latest row has what was known then.
select
    state.customer_id,
    state.invoice_date,
    state.loaded_at,
    exact_sum(line.quantity * line.unit_price) as order_value,
    count(*) as order_lines
from (
    select distinct customer_id, invoice_no, invoice_date, loaded_at
    from lines
    where customer_id is not null and not starts_with(invoice_no, 'C')
) as state
join lines as line
    on line.customer_id = state.customer_id
    and line.invoice_no = state.invoice_no
    and line.invoice_date = state.invoice_date
    and line.loaded_at <= state.loaded_at
group by state.customer_id, state.invoice_no, state.invoice_date, state.loaded_at
