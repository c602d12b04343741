#!/usr/bin/env bash
# The whole life of a feature repo, in a temporary copy: make demo. Prints each command and its output.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
bin=$(cd "$here/../bin" && pwd)
tmp=$(mktemp -d)
server=
stop() {
	if [ -n "$server" ]; then
		kill "$server" 2>/dev/null && wait "$server" || true
		server=
	fi
}
trap 'stop; rm -rf "$tmp"' EXIT

bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\e[1m' plain=$'\e[0m'; fi
say() { printf '\n%s# %s%s\n' "$bold" "$*" "$plain"; }
# run prints a command as one would type it, and runs it
run() {
	printf '%s$ %s%s\n' "$bold" "$*" "$plain"
	eval "$@"
}

mkdir "$tmp/shop"
cp "$here"/*.yaml "$here"/*.sql "$tmp/shop"
cd "$tmp/shop"
export PATH="$bin:$PATH"
unset "${!FSTORE_@}" "${!SHOP_@}"

say "An online shop: half a million invoice lines with returns, late loads and missing customers. The data is the same every time."
run generate data
run ls

say "A feature view in SQL yields a history: one row for each instant at which a value changes."
run cat customer_orders.sql

say "Nothing is registered yet. plan shows what apply would do."
run fstore plan
say "apply does exactly that, in one transaction."
run "fstore apply --yes --message 'first version' | tail -n 2"

say "Create a training set. Each label gets the features as they were known at its instant, and not a microsecond later."
run "fstore training-set create churn_2025 --service churn --labels data/labels.parquet --out churn.parquet"
run "fstore training-set list"

say "materialize computes the same features as of an instant, and writes the differences to the online store."
run "fstore materialize --to 2025-12-01"
say "Run it again: there is nothing to write."
run "fstore materialize --to 2025-12-01"

say "Look up two customers. 99999 does not exist."
run "fstore get --service churn --entity customer_id=12003 --entity customer_id=99999 --at 2025-12-01"
say "Look up the features of another model, by customer and product, as JSON."
run "fstore get --service recommend --entity customer_id=12013,stock_code=P10322 --at 2025-12-01 --output json"

say "Windowed features. Those of the nightly run change by runs. Those without publish move with the clock: 60 days later they are empty."
run cat activity.yaml
run "fstore get --service activity --entity customer_id=12005 --at 2025-12-01 | grep -E 'FEATURE|spend'"
run "fstore get --service activity --entity customer_id=12005 --at 2026-01-30 | grep -E 'FEATURE|spend'"

say "On-demand features: what only the request knows. The cart comes with the request; in training it is a column of the labels."
run cat checkout.yaml
run "fstore training-set create payments --service payment --out payments.parquet --labels-sql \"
  select customer_id, invoice_date - interval 1 microsecond as event_timestamp, exact_sum(quantity * unit_price) as cart_value
  from lines where customer_id is not null and quantity > 0 and invoice_date >= '2025-11-01' group by all order by all\""
run "fstore get --service payment --entity customer_id=12003,cart_value=250 --entity customer_id=12003,cart_value=20 --at 2025-12-01"

say "Serve over gRPC and HTTP, and ask the server. It judges age by its own clock: see last_large_order (ttl 180d)."
: >"$tmp/addresses"
printf '%s$ fstore serve &%s\n' "$bold" "$plain"
fstore serve --grpc 127.0.0.1:0 --http 127.0.0.1:0 --metrics 127.0.0.1:0 >"$tmp/addresses" 2>"$tmp/log" &
server=$!
for _ in $(seq 100); do
	if grep -q '^metrics' "$tmp/addresses"; then break; fi
	kill -0 "$server" 2>/dev/null || { cat "$tmp/log" >&2; exit 1; }
	sleep 0.1
done
cat "$tmp/addresses"
grpc=$(awk '$1 == "grpc" {print $2}' "$tmp/addresses")
run "fstore get --grpc $grpc --service churn --entity customer_id=12003"
if command -v curl >/dev/null; then
	run "curl -s $(awk '$1 == "http" {print $2}' "$tmp/addresses")/v1/online-features -H 'Content-Type: application/json' -d '{\"features\":[\"customer_totals.*\"],\"entities\":{\"customer_id\":[12003,12004]}}'"
fi

say "Change a definition: values without tax. plan shows what changes, for whom, and which versions stay live."
run "sed -i.old 's/exact_sum(line.quantity/exact_sum(0.8 * line.quantity/' customer_orders.sql && rm customer_orders.sql.old"
run fstore plan
run "fstore apply --yes --message 'values without tax' | tail -n 2"
say "An apply is never an outage. The old version is served until the new one has been materialized."
run "fstore list services"
run "fstore get --grpc $grpc --features customer_orders.order_value --entity customer_id=12003"
run "fstore materialize --to 2025-12-01"
for _ in $(seq 50); do # the server looks about once a second
	if fstore get --grpc "$grpc" --features customer_orders.order_value --entity customer_id=12003 --output json | grep -q '"version":2'; then break; fi
	sleep 0.1
done
run "fstore get --grpc $grpc --features customer_orders.order_value --entity customer_id=12003"

say "On SIGTERM the server answers the requests in flight and stops."
stop
say "Done. To try it yourself: fstore init DIR writes this repo with a small sample."
