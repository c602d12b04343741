package online

import (
	"fmt"
	"sync"
	"time"
	"unsafe"

	"github.com/fstore-dev/fstore"
)

// Status says why one value of an answer is as it is (docs/serving.md, Statuses).
type Status uint8

// The statuses. Except with Present, the answer has the feature's default, or null if it has none.
const (
	Present       Status = iota // found, fresh, not null: the value
	NullValue                   // found, fresh, null
	NotFound                    // no record for the key, or a part of the key is null, or no window has a row
	OutsideMaxAge               // found, but its event is older than now − ttl

	statuses = 4
)

var statusNames = [statuses]string{"PRESENT", "NULL_VALUE", "NOT_FOUND", "OUTSIDE_MAX_AGE"}

// String returns the status as answers write it: PRESENT.
func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return fmt.Sprintf("status %d", uint8(s))
}

// EventTimes says whether an answer has the event times of its values.
type EventTimes uint8

// Event times cost bytes on the wire, so only requests that ask for them get them.
const (
	WithoutEventTimes EventTimes = iota
	WithEventTimes
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

// Answer holds the features of a list, column by column, in the list's order. The caller owns it. Columns of one use
// share their event times.
type Answer struct {
	Rows     int
	Features []AnswerFeature
	Versions []AnswerVersion // the view versions used, in the order of the list's uses

	// Clock is the instant at which the windows of sawtooth views end, Request.Now, but for a view that is published later:
	// its windows end at its published instant. It is zero if no view of the answer is a sawtooth view.
	Clock time.Time

	RecordBytes int       // of all records read
	Replayed    time.Time // the instant that a server replays, set by the server; otherwise zero

	values values
	pool   *sync.Pool // where Release puts it; nil: nowhere
}

// Release lets a later look-up reuse the memory of an answer, which its owner must not touch afterwards: neither it nor
// its columns. Strings and bytes that were taken out of them stay as they are. An answer need not be released.
func (a *Answer) Release() {
	pool := a.pool
	if pool == nil || cap(a.Features)*featureBytes+a.values.bytes() > maxReused {
		return
	}
	clear(a.Features)
	clear(a.Versions)
	*a = Answer{Features: a.Features[:0], Versions: a.Versions[:0], values: a.values}
	pool.Put(a)
}

// maxReused is the memory of the largest answer worth keeping.
const maxReused = 1 << 20

const featureBytes = int(unsafe.Sizeof(AnswerFeature{}))

// AnswerFeature is one feature for all rows.
type AnswerFeature struct {
	Column   fstore.Column // Name is the output name; has values and defaults, null if there is neither
	Statuses []Status      // by row; nil: all Present
	// Events are by row, UTC microseconds, if requested: the record's event time, whatever its age. The values of a windowed
	// view are as of the published instant, or as of Answer.Clock.
	Events      []int64
	EventsValid fstore.Bitmap // the rows with a record that has an event time; nil: all
}

// Status returns the status of row i.
func (f *AnswerFeature) Status(i int) Status {
	if f.Statuses == nil {
		return Present
	}
	return f.Statuses[i]
}

// Event returns the event time of row i. It returns false if event times were not requested or the row has none.
func (f *AnswerFeature) Event(i int) (time.Time, bool) {
	if f.Events == nil || !f.EventsValid.Get(i) {
		return time.Time{}, false
	}
	return fstore.FromMicros(f.Events[i]), true
}

// AnswerVersion says which data of a view version an answer uses.
type AnswerVersion struct {
	Ref        fstore.ViewRef
	Generation fstore.Generation
	Published  time.Time
	Servable   time.Time // training at this instant and later uses this data; a live request may get it earlier
}
