package online

import (
	"fmt"
	"time"

	"github.com/fstore-dev/fstore"
)

// Status says what is known of one value of an answer (docs/serving.md, Statuses).
type Status uint8

// The statuses. All but Present send the feature's default if it has one, else null.
const (
	Present       Status = iota // found, fresh, not null: the value
	NullValue                   // found, fresh, null
	NotFound                    // no record for the key, or a null part in it
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

// EventTimes says whether an answer has the event time of each value.
type EventTimes uint8

// Event times cost bytes on the wire, so they come on request.
const (
	WithoutEventTimes EventTimes = iota
	WithEventTimes
)

// Clock says where a request's Now comes from.
type Clock uint8

const (
	// MachineClock means that Now is the time of the machine that answers. It may lie before a published instant, because the
	// clocks of two machines differ.
	MachineClock Clock = iota
	// ChosenClock means that the caller chose Now. Before the servable instant of what is published it is ErrInvalid: training at
	// Now uses an earlier publication, which the store no longer holds.
	ChosenClock
)

// Request asks for the features of a number of keys.
type Request struct {
	// Keys are the columns that the list's key bindings name, all of one length, in any order; each has its join key's
	// type, except that int32 and int64 stand for each other where the values fit. A null matches nothing.
	Keys []fstore.Column
	// Rows is the length of Keys, or 0: then it is taken from them. A list without keys has one row where Keys is empty.
	Rows int
	// Also names key columns that other features need. Keys may have them: they must be as long as the others, and
	// are ignored otherwise.
	Also map[string]bool
	// Now is the instant that age is judged at.
	Now   time.Time
	Clock Clock

	EventTimes EventTimes
}

// Answer is the features of a list, column by column, in the list's order. The caller owns it, except that columns of
// one use share their event times.
type Answer struct {
	Rows     int
	Features []AnswerFeature
	Versions []AnswerVersion // the view versions that answered, in the order of the list's uses

	RecordBytes int       // of the records that were read
	Replayed    time.Time // the instant that a server replays, which sets it; zero: it does not
}

// AnswerFeature is one feature for all rows.
type AnswerFeature struct {
	Column      fstore.Column // Name is the output name; values and defaults; null where there is neither
	Statuses    []Status      // by row; nil: all Present
	Events      []int64       // by row, UTC microseconds, if asked for: of the record, whatever its age
	EventsValid fstore.Bitmap // the rows with a record that has an event time; nil: all
}

// Status returns the status of row i.
func (f *AnswerFeature) Status(i int) Status {
	if f.Statuses == nil {
		return Present
	}
	return f.Statuses[i]
}

// Event returns the event time of row i; false where it was not asked for, or there is none.
func (f *AnswerFeature) Event(i int) (time.Time, bool) {
	if f.Events == nil || !f.EventsValid.Get(i) {
		return time.Time{}, false
	}
	return fstore.FromMicros(f.Events[i]), true
}

// AnswerVersion says which data of a view version answered.
type AnswerVersion struct {
	Ref        fstore.ViewRef
	Generation fstore.Generation
	Published  time.Time
	Servable   time.Time // training at this instant and later uses what is published; a live request may get it before
}
