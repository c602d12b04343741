// Package fstore holds the nouns of fstore, a feature store: types, columns, keys, definitions, versions,
// what the online store knows of itself, and the kinds of error. Every other package speaks in them.
//
// It uses the standard library only, does no I/O and never reads the clock: an instant is always a parameter.
package fstore
