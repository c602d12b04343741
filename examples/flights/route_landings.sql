SELECT origin, dest, landed_at, arr_delay
FROM plane_leg
