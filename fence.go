package fstore

import (
	"fmt"
	"hash/fnv"
	"time"
)

// Partitions is the number of partitions, and so of fences, that this build gives a generation; see Pointer.Partitions.
const Partitions = 1

// Fence says which values a partition of a generation holds. It lies beside the records and changes in the same atomic
// step as they do. So wherever they go together (to a replica, or back in time after a failover), it describes them
// exactly:
//
//   - The partition holds Run's values if the fence is complete.
//   - Otherwise the first Watermark differences between Base's values and Run's are applied, and no others.
//
// Readers compare it with the pointer, and writers with what they last saw (docs/design/fences.md).
type Fence struct {
	View       ViewRef
	Generation Generation
	Run        string    // 16 hexadecimal digits, not all zero
	At         time.Time // the P of Run
	Base       string    // the run whose values readers saw in this generation before Run; empty: none
	BaseAt     time.Time // the P of Base
	Watermark  int64     // how many of Run's differences are applied, in their order
	Complete   bool      // all of them are
	Token      uint64    // FenceToken of the lease whose holder may write
}

// String names the fence for messages.
func (f *Fence) String() string { return fmt.Sprintf("%s generation %s", f.View, f.Generation) }

// Fits reports whether the records beside the fence may be answered under a pointer to the same generation. They hold the
// values of the pointer's run, or those of a run that builds on it and is in flight.
func (f *Fence) Fits(p *Pointer) bool {
	return f.Run == p.Run && f.Complete || f.Base != "" && f.Base == p.Run
}

// FenceToken returns what a fence keeps of a lease's token. It may never change.
func FenceToken(lease string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(lease)) // never fails
	return h.Sum64()
}
