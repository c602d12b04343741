-- Every flight that arrived, as of an hour before its scheduled departure.
SELECT origin, dest, carrier, tailnum, flight, distance,
       time_hour + to_minutes(CAST(minute AS BIGINT)) - INTERVAL 1 HOUR AS event_timestamp,
       arr_delay > 15 AS late
FROM flights
WHERE arr_delay IS NOT NULL
ORDER BY event_timestamp, carrier, flight, origin
