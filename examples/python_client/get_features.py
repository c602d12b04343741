"""Looks up features from a running `fstore serve` and prints them as JSON.

    pip install fstore-sdk
    python get_features.py --service churn customer_id=12003,12004

Instead of a service, --model fraud@champion names a model, and --feature view.feature (any number of times) names
features one by one. A column is name=value,value,…: numbers, or else text.
"""

import argparse
import json
import sys

import fstore


def column(argument: str) -> tuple[str, list]:
    """Returns the name and the values that name=value,value,… stands for."""
    name, _, text = argument.partition("=")
    for number in (int, float):
        try:
            return name, [number(value) for value in text.split(",")]
        except ValueError:
            pass
    return name, text.split(",")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", default="127.0.0.1:6566")
    parser.add_argument("--service")
    parser.add_argument("--model")
    parser.add_argument("--feature", action="append", dest="features")
    parser.add_argument("columns", nargs="*", metavar="name=value,…")
    arguments = parser.parse_args()

    with fstore.Client(arguments.address) as client:
        try:
            answer = client.online(
                service=arguments.service,
                model=arguments.model,
                features=arguments.features,
                entities=dict(map(column, arguments.columns)),
            )
        except fstore.Error as error:
            sys.exit(str(error))
    print(json.dumps({"features": answer.to_dict(), "published": answer.published}, default=str, indent=1))


if __name__ == "__main__":
    main()
