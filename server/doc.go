// Package server answers online look-ups from an online.Store. It is the core of a request: it resolves names, runs the
// look-up, and refuses what cannot be answered. Protocols such as grpcapi and httpapi read requests and write answers.
//
// All protocols take one path: names are resolved to a Target, the request's columns are checked against it, the store
// answers, and the answer is written column by column. Names are resolved once per registry revision and never per
// request. While the registry is away, the last revision serves.
//
// One table maps kinds of error to gRPC codes and HTTP statuses. What a caller did wrong is told in full; what went
// wrong in here is logged in full and told in a sentence. A panic ends its request and nothing else.
package server
