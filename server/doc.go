// Package server answers online look-ups from an online.Store. It is the core of a request: it resolves names, runs
// the look-up, and refuses what cannot be answered. Protocols such as grpcapi and httpapi read requests and write
// answers.
//
// All protocols follow one path: names are resolved to a Target, the request's columns are checked against it, the
// store answers, and the answer is written column by column. Names are resolved once per registry revision, not per
// request. While the registry cannot be reached, the last revision serves.
//
// One table maps kinds of errors to gRPC codes and HTTP statuses. Callers are told their mistakes in full. Faults of
// the server are logged in full, and callers are told one sentence. A panic ends only its request.
package server
