// Package server answers online look-ups over gRPC and HTTP JSON from an online.Store.
//
// Both protocols take one path: names are resolved to a prepared look-up, the request's columns are checked against
// it, the store answers, and the answer is written column by column. Names are resolved once per registry revision
// and never per request; a registry that is away leaves the last revision serving.
//
// One table maps kinds of error to gRPC codes and HTTP statuses. What a caller did wrong is told in full; what went
// wrong in here is logged in full and told in a sentence. A panic ends its request and nothing else.
package server
