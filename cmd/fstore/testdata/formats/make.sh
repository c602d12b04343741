#!/bin/sh
# make.sh VERSION writes a fixture of every file format, as this build writes it, into a folder named VERSION beside this script.
# Run it once, when VERSION is released. Never run it again for the same version: a fixture is what that version wrote.
# TestFilesOfEarlierFormats opens every fixture; docs/versioning.md says why.
#
# A fixture is the repo in source/ after two applies:
#   registry.db, online.db, state/   customer_orders@2 and every_type@1 published at 2025-03-10, a model pinned to customer_orders@1
#   churn.parquet, churn.lock.json   a training set
#   answers/                         what look-ups answered
#   interrupted/                     the same online.db and state/, after a run that was killed on its way to 2025-03-12
set -eu
version=${1:?"usage: make.sh VERSION"}
here=$(cd "$(dirname "$0")" && pwd)
out=$here/$version
[ ! -e "$out" ] || { echo "$out exists, and a fixture is not made twice" >&2; exit 1; }
shop=/tmp/fstore-formats # the lock names this folder
mkdir "$shop" "$shop.bin" "$shop.killed"
trap 'rm -rf "$shop" "$shop.bin" "$shop.killed"' EXIT
(cd "$here" && go build -ldflags "-X main.version=$version" -o "$shop.bin/fstore" ../..)
export HOME="$shop.bin" GIT_CONFIG_NOSYSTEM=1 PATH="$shop.bin:$PATH" # so that the registry names nobody

cp -R "$here/source/." "$shop"
cd "$shop"
fstore apply --yes --message first
fstore materialize --to 2025-03-10T12:00:00Z
fstore training-set create churn_1 --service churn --labels labels.csv --out churn.parquet
fstore model pin fraud 1 --training-set churn_1
fstore model alias fraud champion 1
sed -i.was 's/ttl: 30d/ttl: 60d/' shop.yaml
rm shop.yaml.was
fstore apply --yes --message second
fstore materialize --to 2025-03-10T12:00:00Z

mkdir answers
get() { fstore get --at 2025-03-10T12:00:00Z --output json "$@"; }
get --service types --entity note=n43,big=true --entity note=n1,big=false --entity note=nobody,big=true >answers/types.json
get --service churn --entity customer_id=3 --entity customer_id=0 --entity customer_id=99999 >answers/churn.json
get --model fraud@champion --entity customer_id=3 >answers/model.json
rm -rf tmp

# Kill a run once its intention is durable, until one is caught before it has published.
runs() { ls "state/shop/$1" | grep -c 'json$'; }
caught=
while [ -z "$caught" ]; do
	rm -rf "$shop.killed"
	cp -R "$shop" "$shop.killed"
	cd "$shop.killed"
	before=$(runs customer_orders@2)
	fstore materialize customer_orders@2 --to 2025-03-12T12:00:00Z >/dev/null 2>&1 &
	while kill -0 $! 2>/dev/null && [ "$(runs customer_orders@2)" = "$before" ]; do :; done
	kill -9 $! 2>/dev/null || true
	wait $! || true
	fstore verify --service churn --output json >verify.json || true # also ends SQLite's log
	if grep -q '"run_at"' verify.json; then caught=yes; fi
done

mkdir "$out" "$out/interrupted"
cp -R "$shop/." "$out"
cp -R "$shop.killed/online.db" "$shop.killed/state" "$out/interrupted"
