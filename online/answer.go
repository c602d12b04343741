package online

import (
	"sync"
	"time"
	"unsafe"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online/answers"
)

type (
	// Answer is what a look-up returns.
	Answer = answers.Answer
	// AnswerFeature is one feature of an answer.
	AnswerFeature = answers.Feature
	// AnswerVersion is a view version of an answer.
	AnswerVersion = answers.Version
	// Status says why a value is as it is.
	Status = answers.Status
	// EventTimes says whether an answer has event times.
	EventTimes = answers.EventTimes
)

// The statuses and the choices of event times.
const (
	Present       = answers.Present
	NullValue     = answers.NullValue
	NotFound      = answers.NotFound
	OutsideMaxAge = answers.OutsideMaxAge

	WithoutEventTimes = answers.WithoutEventTimes
	WithEventTimes    = answers.WithEventTimes
)

// Clock says where the Now of a request comes from.
type Clock uint8

const (
	// MachineClock means that Now is the time of the answering machine. It may lie before a published instant,
	// because the clocks of two machines differ.
	MachineClock Clock = iota
	// ChosenClock means that the caller chose Now. Lookup returns ErrInvalid if Now lies before the servable instant
	// of the published data: training at Now uses an earlier publication, which the store no longer holds.
	ChosenClock
)

// Request asks for the features of some keys.
type Request struct {
	// Keys are the columns that the list's key bindings name, in any order and all of one length. Each has the type
	// of its join key, except that int32 and int64 may replace each other if the values fit. A null matches nothing.
	Keys []fstore.Column
	// Rows is the number of rows. If it is 0, the length of Keys counts; without Keys, a list without keys has one
	// row.
	Rows int
	// Also names further key columns, which other features need. Keys may include them. They are ignored, but must be
	// as long as the others.
	Also map[string]bool
	// Now is the instant at which ages are computed.
	Now   time.Time
	Clock Clock

	EventTimes EventTimes
}

// answer is an Answer with its memory. It goes back into its pool when the caller releases it.
type answer struct {
	Answer
	values values
	pool   *sync.Pool
}

// Reuse implements answers.Owner.
func (a *answer) Reuse() {
	if cap(a.Features)*featureBytes+a.values.bytes() > maxReused {
		return
	}
	clear(a.Features)
	clear(a.Versions)
	a.Answer = Answer{Features: a.Features[:0], Versions: a.Versions[:0]}
	a.pool.Put(a)
}

// maxReused is the memory of the largest answer worth keeping.
const maxReused = 1 << 20

const featureBytes = int(unsafe.Sizeof(AnswerFeature{}))
