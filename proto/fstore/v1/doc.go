// Package fstorev1 is the wire of fstore's online interface, generated from feature_store.proto, which documents it.
// Only server/ and clients use it: below them, values are fstore columns.
//
//go:generate ../../generate.sh
package fstorev1
