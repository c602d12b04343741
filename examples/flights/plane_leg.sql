-- One row for each flight that has arrived. The clocks of arrivals are those of the destination. Airports has their time zones, except
-- for Puerto Rico and the Virgin Islands.
WITH departed AS (
    SELECT flights.*,
           time_hour + to_minutes(CAST(minute + dep_delay AS BIGINT)) AS departed_at,
           coalesce(tzone, 'America/Puerto_Rico') AS zone
    FROM flights
    LEFT JOIN airports ON airports.airport = flights.dest
    WHERE arr_delay IS NOT NULL
), arrived AS (
    SELECT *,
           timezone(zone, timezone('UTC', departed_at)) AS departed_there,
           date_trunc('day', departed_there) + to_minutes(CAST(arr_time AS BIGINT) // 100 * 60 + CAST(arr_time AS BIGINT) % 100) AS that_day,
           CASE WHEN that_day < departed_there THEN that_day + INTERVAL 1 DAY ELSE that_day END AS landed_there
    FROM departed
)
SELECT tailnum, carrier, origin, dest, departed_at, dep_delay, arr_delay,
       timezone('UTC', timezone(zone, landed_there)) AS landed_at
FROM arrived
