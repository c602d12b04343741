select distinct stock_code, invoice_date, loaded_at, unit_price as price
from lines
where quantity > 0 and unit_price > 0
