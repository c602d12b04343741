-- Several prices in one minute are common (postage, manual entries): the highest stands for the minute.
WITH sales AS (
    SELECT stock_code, invoice_date, max(unit_price) AS price
    FROM lines
    WHERE quantity > 0 AND unit_price > 0
    GROUP BY stock_code, invoice_date
)
SELECT stock_code, invoice_date, price,
       price - lag(price) OVER (PARTITION BY stock_code ORDER BY invoice_date) AS price_change
FROM sales
