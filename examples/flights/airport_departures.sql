-- A flight that departs early may depart in the hour before that of its row: nothing is known of it until its row is there.
SELECT origin AS airport, dep_delay, greatest(time_hour + to_minutes(CAST(minute + dep_delay AS BIGINT)), time_hour) AS departed_at
FROM flights
WHERE dep_delay IS NOT NULL
