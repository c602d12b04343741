"""Reads features from a running `fstore serve` over gRPC.

    python -m venv .venv && . .venv/bin/activate && pip install -r requirements.txt
    python -m grpc_tools.protoc -I ../../proto --python_out=. --grpc_python_out=. fstore/v1/feature_store.proto
    python get_features.py --service churn customer_id=12003,12004

A key or request column is name=value,value,…; it is of type int64 if all its values are whole numbers, of type float64
if all are numbers, and otherwise of type string.
Instead of a service, --feature view.feature (any number of times) names features one by one.
"""

import argparse
import datetime
import json
import sys

import grpc

from fstore.v1 import feature_store_pb2 as pb
from fstore.v1 import feature_store_pb2_grpc as rpc

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def column(argument):
    """Returns the column that name=value,value,… stands for."""
    name, _, text = argument.partition("=")
    values = text.split(",")
    for field, number in (("int64_values", int), ("float64_values", float)):
        try:
            return pb.Column(name=name, **{field: [number(v) for v in values]})
        except ValueError:
            pass
    return pb.Column(name=name, string_values=values)


def instant(micros):
    return EPOCH + datetime.timedelta(microseconds=micros)


def python_values(feature):
    """Returns the values of a feature as a list; a list feature gives a list of lists."""
    element = feature.type.removeprefix("list<").removesuffix(">")
    values = list(getattr(feature, f"{element}_values"))
    if element == "timestamp":
        values = [instant(v) for v in values]
    if not feature.offsets:
        return values
    return [values[start:end] for start, end in zip(feature.offsets, feature.offsets[1:])]


def nullable(values, validity):
    """Puts None where a validity bitmap has no bit; no bitmap means no nulls."""
    return [v if not validity or validity[i // 8] >> (i % 8) & 1 else None for i, v in enumerate(values)]


def read(answer):
    """Returns the answer's columns: name → values and statuses, a value and a status per row."""
    columns = {}
    for feature in answer.features:
        numbers = feature.statuses or bytes(answer.rows)  # no statuses: all are STATUS_PRESENT, which is 0
        column = {
            "type": feature.type,
            "values": nullable(python_values(feature), feature.validity),
            "statuses": [pb.Status.Name(n).removeprefix("STATUS_") for n in numbers],
        }
        if feature.event_timestamps:
            events = [instant(v) for v in feature.event_timestamps]
            column["event_timestamps"] = nullable(events, feature.event_validity)
        columns[feature.name] = column
    return columns


def plain(value):
    return value.isoformat() if isinstance(value, datetime.datetime) else value.hex()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", default="127.0.0.1:6566")
    parser.add_argument("--service")
    parser.add_argument("--feature", action="append", default=[])
    parser.add_argument("columns", nargs="*", metavar="name=value,…")
    arguments = parser.parse_args()

    request = pb.GetOnlineFeaturesRequest(entities=[column(c) for c in arguments.columns], event_timestamps=True)
    if arguments.service:
        request.service = arguments.service
    else:
        request.features.refs.extend(arguments.feature)

    with grpc.insecure_channel(arguments.address) as channel:
        try:
            answer = rpc.FeatureStoreStub(channel).GetOnlineFeatures(request, timeout=5)
        except grpc.RpcError as error:
            sys.exit(f"{error.code().name}: {error.details()}")
    versions = {f"{v.name}@{v.version}": instant(v.published_micros) for v in answer.views}
    print(json.dumps({"features": read(answer), "published": versions}, default=plain, indent=1))


if __name__ == "__main__":
    main()
