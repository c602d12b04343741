// Package fstore holds the nouns of fstore, a feature store: types, columns, keys, definitions, versions, the records
// of the online store about itself, and the kinds of errors. Every other package uses them.
//
// It uses only the standard library, does no I/O and never reads the clock: an instant is always a parameter.
package fstore
