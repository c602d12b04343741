package skew

import (
	"time"

	"github.com/fstore-dev/fstore"
)

// Result is what was found.
type Result struct {
	OK           bool         `json:"ok"` // something was compared, and every difference is explained
	Logged       int64        `json:"logged"`
	Compared     int64        `json:"compared"`     // rows of the sample that were replayed
	NotCompared  int64        `json:"not_compared"` // rows of the sample that cannot be replayed
	Counts       Counts       `json:"values"`
	Views        []View       `json:"views"`
	Differences  []Difference `json:"differences,omitempty"` // the first of them
	Reasons      []Reason     `json:"not_provable,omitempty"`
	Unreadable   []File       `json:"unreadable,omitempty"` // the first of them
	UnreadableN  int64        `json:"unreadable_files"`
	differencesN int64
}

// Counts are values by outcome. Unexplained are those of NotProvable that differ.
type Counts struct {
	Equal         int64 `json:"equal"`
	Expired       int64 `json:"expired"`
	SourceChanged int64 `json:"source_changed"`
	NotProvable   int64 `json:"not_provable"`
	Unexplained   int64 `json:"unexplained"`
	Wrong         int64 `json:"wrong"`
}

// View is what was found of the features of a view version.
type View struct {
	View fstore.ViewRef `json:"view"`
	Counts
}

// Reason is why rows, or some of their values, cannot be compared.
type Reason struct {
	Reason string `json:"reason"`
	Rows   int64  `json:"rows"`
}

// File is a file of the log that cannot be read to its end.
type File struct {
	File   string `json:"file"`
	Reason string `json:"reason"`
}

// Difference is a served value that is not what the engine computes.
type Difference struct {
	Outcome   Outcome        `json:"outcome"`
	Request   string         `json:"request"`
	Row       int64          `json:"row"`
	At        time.Time      `json:"at"`
	Sent      string         `json:"sent"` // the request's columns as JSON
	View      fstore.ViewRef `json:"view"`
	Published time.Time      `json:"published,omitzero"`
	Feature   string         `json:"feature"`
	Served    string         `json:"served"` // the value as JSON, and its status unless it is PRESENT
	Offline   string         `json:"offline"`
	Inputs    Standing       `json:"inputs"`
	Changed   []string       `json:"changed,omitempty"` // what has changed of them: "source orders"
}

// Differing returns how many values differ, shown or not.
func (r *Result) Differing() int64 { return r.differencesN }
