// Package feastpb is the wire of Feast's online interface, generated from serving/ServingService.proto and
// types/Value.proto. Only server/feast uses it, and tests.
package feastpb
