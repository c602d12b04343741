SELECT zipcode, event_timestamp,
       count(*)           OVER so_far AS loans,
       sum(loan_amnt)     OVER so_far AS amount,
       max(person_income) OVER so_far AS highest_income
FROM loans
WINDOW so_far AS (PARTITION BY zipcode ORDER BY event_timestamp RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
