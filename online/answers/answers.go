// Package answers has the answers of look-ups, as the online store and the client return them. It is apart from package
// online so that serving code carries neither a store nor expressions with it.
package answers

import (
	"fmt"
	"time"

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
)

// Statuses is the number of statuses.
const Statuses = 4

var statusNames = [Statuses]string{"PRESENT", "NULL_VALUE", "NOT_FOUND", "OUTSIDE_MAX_AGE"}

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

// Answer holds the features of a list, column by column, in the list's order. The caller owns it. Columns of one use
// share their event times.
type Answer struct {
	Rows     int
	Features []Feature
	Versions []Version // the view versions used, in the order of the list's uses

	// OnDemand are the versions of on-demand views that were evaluated, each after those that it reads. Builds are the versions
	// of the data that their features depend on.
	OnDemand []fstore.ViewRef
	Builds   Builds

	// Clock is the instant at which the windows of sawtooth views end, the request's instant, but for a view that is published later:
	// its windows end at its published instant. It is zero if no view of the answer is a sawtooth view.
	Clock time.Time

	At          time.Time // the instant at which ages were computed, set by the server
	RecordBytes int       // of all records read
	Replayed    time.Time // the instant that a server replays, set by the server; otherwise zero

	Owner Owner // of the memory, set by the store; nil: the caller
}

// Owner reuses the memory of an answer that its caller has released.
type Owner interface{ Reuse() }

// Release lets a later look-up reuse the memory of an answer, which its owner must not touch afterwards: neither it nor
// its columns. Strings and bytes that were taken out of them stay as they are. An answer need not be released.
func (a *Answer) Release() {
	if a.Owner != nil {
		a.Owner.Reuse()
	}
}

// Builds are the versions of data on which on-demand features depend besides their inputs. They are empty for an answer without
// such features.
type Builds struct {
	Zones   string // of the time zones, for calendar functions
	Unicode string // for lower, upper and trim
}

// Feature is one feature for all rows.
type Feature struct {
	Column   fstore.Column // Name is the output name; has values and defaults, null if there is neither
	Statuses []Status      // by row; nil: all Present
	// Events are by row, UTC microseconds, if requested: the record's event time, whatever its age. The values of a windowed
	// view are as of the published instant, or as of Answer.Clock.
	Events      []int64
	EventsValid fstore.Bitmap // the rows with a record that has an event time; nil: all
}

// Status returns the status of row i.
func (f *Feature) Status(i int) Status {
	if f.Statuses == nil {
		return Present
	}
	return f.Statuses[i]
}

// Event returns the event time of row i. It returns false if event times were not requested or the row has none.
func (f *Feature) Event(i int) (time.Time, bool) {
	if f.Events == nil || !f.EventsValid.Get(i) {
		return time.Time{}, false
	}
	return fstore.FromMicros(f.Events[i]), true
}

// Version says which data of a view version an answer uses.
type Version struct {
	Ref         fstore.ViewRef
	Generation  fstore.Generation
	Published   time.Time
	Run         string    // the run that published it; empty: a client's answer does not say
	RunInFlight string    // the run in flight, of which some values may be instead; empty: there was none
	RunAt       time.Time // its instant; zero: there was none
	Servable    time.Time // training at this instant and later uses this data; a live request may get it earlier
	Stale       bool      // published longer ago than the max_staleness of the service allows
}
