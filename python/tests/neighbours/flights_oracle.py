"""What every feature of examples/flights must be, by the shortest code: for one label at a time, over all rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

Array = np.ndarray[Any, Any]
HOUR = 3_600_000_000  # instants and lengths of time are microseconds
MINUTE, DAY = HOUR // 60, 24 * HOUR
HOPS = {HOUR: 5 * MINUTE, 3 * HOUR: 15 * MINUTE, DAY: HOUR, 7 * DAY: 6 * HOUR}
WEATHER = ["temp", "humid", "wind_speed", "wind_gust", "precip", "pressure", "visib"]


def micros(instants: pd.Series[Any]) -> pd.Series[Any]:
    """Returns instants as microseconds since 1970."""
    return instants.dt.tz_convert("UTC").dt.tz_localize(None).astype("datetime64[us]").astype("int64")


class Oracle:
    """The features, from the frames in the example's data folder."""

    def __init__(self, data: Path) -> None:
        flights, weather, planes, airports = (
            pd.read_parquet(data / f"{name}.parquet") for name in ["flights", "weather", "planes", "airports"]
        )
        scheduled = flights["time_hour"] + pd.to_timedelta(flights["minute"], unit="min")
        departed = scheduled + pd.to_timedelta(flights["dep_delay"], unit="min")
        known = departed.where(departed >= flights["time_hour"], flights["time_hour"])  # no row, no departure
        self.departures = flights.assign(departed=known)[departed.notna()]
        self.departures["departed"] = micros(self.departures["departed"])
        zones = airports.set_index("faa")["tzone"]
        arrived = flights.assign(departed=departed, zone=flights["dest"].map(zones))
        arrived = arrived[arrived["arr_delay"].notna()].fillna({"zone": "America/Puerto_Rico"})
        landed = pd.concat([_landed(str(zone), part) for zone, part in arrived.groupby("zone")])
        self.landings = arrived.assign(landed=micros(landed), departed=micros(arrived["departed"]))
        self.by_carrier = _delays(self.landings, "carrier", "landed", "arr_delay")
        self.by_origin = _delays(self.departures, "origin", "departed", "dep_delay")
        self.by_route = _delays(self.landings, ["origin", "dest"], "landed", "arr_delay")
        self.by_plane = dict(tuple(self.landings.groupby("tailnum")))
        self.weather = weather.assign(hour_at=micros(weather["time_hour"]))
        self.planes = planes.set_index("tailnum")

    def features(self, label: dict[str, Any], at: int) -> dict[str, Any]:
        """Returns the features of a label at an instant, None where there is no value."""
        out = self._departure(label, at)
        out |= self._weather(label["origin"], at)
        for name, length in {"3h": 3 * HOUR, "1d": DAY, "7d": 7 * DAY}.items():
            delays = _window(self.by_carrier[label["carrier"]], at, length)
            out[f"carrier_arr_delay_{name}"] = _mean(delays)
            out[f"carrier_late_{name}"] = _mean(delays > 15)
            if name == "3h":
                out["carrier_landed_3h"] = len(delays)
        for name, length in {"1h": HOUR, "3h": 3 * HOUR, "1d": DAY}.items():
            delays = _window(self.by_origin[label["origin"]], at, length)
            out[f"origin_dep_delay_{name}"] = _mean(delays)
            if name != "1d":
                out[f"origin_departed_{name}"] = len(delays)
        return out | self._route(label["origin"], label["dest"], at)

    def _departure(self, label: dict[str, Any], at: int) -> dict[str, Any]:
        local = pd.Timestamp(at, unit="us", tz="UTC").tz_convert("America/New_York")
        plane = self.planes.loc[label["tailnum"]] if label["tailnum"] in self.planes.index else {}
        built, seats = (_value(plane.get(name)) for name in ["year", "seats"])
        departs = pd.Timestamp(at + HOUR, unit="us", tz="UTC").tz_convert("America/New_York")
        legs = self.by_plane[label["tailnum"]]
        legs = legs[legs["landed"] <= at]
        columns = ["landed", "arr_delay", "carrier", "dep_delay", "departed", "dest", "origin"]
        last = max(legs[columns].itertuples(index=False), default=None)
        if last is not None and last.landed < at - 3 * DAY:
            last = None
        return {
            "hour": departs.hour,
            "weekday": departs.isoweekday(),
            "distance_km": label["distance"] * 1.609344,
            "plane_age": None if built is None else local.year - built,
            "seats": seats,
            "hours_on_ground": None if last is None else (at - last.landed) / HOUR,
            "leg_dep_delay": None if last is None else last.dep_delay,
            "leg_arr_delay": None if last is None else last.arr_delay,
        }

    def _weather(self, airport: str, at: int) -> dict[str, Any]:
        rows = self.weather
        rows = rows[(rows["origin"] == airport) & (rows["hour_at"] + HOUR <= at)]
        rows = rows[rows["hour_at"] == rows["hour_at"].max()]
        rows = rows[rows["hour_at"] >= at - 4 * HOUR]
        rows = rows.sort_values(sorted(WEATHER), na_position="first")
        return {name: _value(rows[name].iloc[-1]) if len(rows) else None for name in WEATHER}

    def _route(self, origin: str, dest: str, at: int) -> dict[str, Any]:
        published = (at - 9 * HOUR) // DAY * DAY + 8 * HOUR
        landed, delays = self.by_route[origin, dest]
        delays = np.sort(delays[(landed > published - 28 * DAY) & (landed <= published)])
        return {
            "route_median_delay_28d": _percentile(delays, 0.5),
            "route_bad_delay_28d": _percentile(delays, 0.9),
            "route_flights_28d": len(delays),
        }


def _landed(zone: str, flights: pd.DataFrame) -> pd.Series[Any]:
    """Returns the first instant after each departure at which the clock of the zone shows the arrival time."""
    departed = flights["departed"].dt.tz_convert(zone).dt.tz_localize(None)
    clock = flights["arr_time"] // 100 * 60 + flights["arr_time"] % 100
    landed = departed.dt.normalize() + pd.to_timedelta(clock, unit="min")
    landed = landed.where(landed >= departed, landed + pd.Timedelta(days=1))
    winter = np.zeros(len(landed), bool)  # where the clock shows a time twice, DuckDB takes the second
    return landed.dt.tz_localize(zone, ambiguous=winter, nonexistent=pd.Timedelta(hours=1)).dt.tz_convert(
        "UTC"
    )


def _delays(
    rows: pd.DataFrame, key: str | list[str], event: str, delay: str
) -> dict[Any, tuple[Array, Array]]:
    """Returns for each key the instants of its rows, and their delays."""
    return {k: (part[event].to_numpy(), part[delay].to_numpy()) for k, part in rows.groupby(key)}


def _window(rows: tuple[Array, Array], at: int, length: int) -> Array:
    """Returns the delays in a window whose start moves in hops."""
    instants, delays = rows
    start = (at - length) // HOPS[length] * HOPS[length]
    return delays[(instants > start) & (instants <= at)]


def _mean(values: Array) -> float | None:
    return int(values.sum()) / len(values) if len(values) else None


def _percentile(ordered: Array, p: float) -> float | None:
    if not len(ordered):
        return None
    place = p * (len(ordered) - 1)
    low, high = ordered[int(np.floor(place))], ordered[int(np.ceil(place))]
    share = place - np.floor(place)
    return float(low * (1 - share) + high * share)


def _value(x: Any) -> Any:
    return None if x is None or pd.isna(x) else x
