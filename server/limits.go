package server

// Limits that every protocol keeps.
const (
	// MaxElements bounds the fields and values of a request: the maximum number of rows with twenty key columns.
	MaxElements = 200_000
	// MaxColumns bounds the key columns of a request; no list of features needs as many.
	MaxColumns = 1000
	// MaxNesting bounds messages in messages, and lists and objects in JSON. A request has no more than six.
	MaxNesting = 16
	// ValueCost is the approximate memory of a decoded value: the header of a slice.
	ValueCost = 24

	MaxHeaderBytes = 16 << 10 // of metadata, by gRPC's default 16 MB a request
)
