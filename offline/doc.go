// Package offline computes features from their history with DuckDB: point-in-time correct training sets, the values of a
// view as of an instant for the online store, and what the registry must know about SQL.
// docs/point-in-time.md is the rule it follows; docs/design/point-in-time-join.md explains the SQL it writes.
//
// Every operation opens its own connection. On it a source or view becomes a temporary view under its own name,
// so that a user's SQL runs as it was written. Relations of this package begin with an underscore, which no
// definition's name can:
//
//	_rows_0     the history of a view: k0, k1… (join keys by name), event, created, f0, f1… (features by name),
//	            converted to the declared types, rows without an event time left out
//	_labels     the labels, in order: row, t (the instant, rounded down to a microsecond), l0, l1…
//	_at         _labels with the keys of every use (j0_0…) and what its look-up adds, such as the instant from which the
//	            row holds that a label sees (v0…)
//	_seen_0     what the labels see by one use; of the newest row: k0, k1…, visible (the instant it holds from), event, f0…
//	_joined     _labels with the features of every use
//	_joined_0   the same of the first uses, where memory does not hold all joins at once
package offline
