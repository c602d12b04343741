SELECT carrier, landed_at, arr_delay, CASE WHEN arr_delay > 15 THEN 1.0 ELSE 0.0 END AS late
FROM plane_leg
