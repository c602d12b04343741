package notify

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Event is a kind of condition. Targets choose by it.
type Event string

// The events. Test is a message that somebody asked for; no condition has it.
const (
	CheckFailed Event = "check_failed" // an expectation of severity error does not hold, or a run was refused
	Drift       Event = "drift"        // what a model sees differs from what it was trained on
	Late        Event = "late"         // a view is late, or not published
	Test        Event = "test"
)

// Events are the events that a target can choose.
var Events = []Event{CheckFailed, Drift, Late}

// State is the state of a condition.
type State string

// The states.
const (
	Firing   State = "firing"
	Resolved State = "resolved"
)

// Subject is what a condition is about.
type Subject struct {
	Kind    string `json:"kind"` // feature_view, source, feature_service, model
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
}

func (s Subject) String() string {
	name := s.Name
	if s.Version != "" {
		name += "@" + s.Version
	}
	if s.Kind == "source" || s.Kind == "project" {
		return s.Kind + " " + name
	}
	return name
}

// Detail is a fact beside the summary.
type Detail struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Alert is a condition as it was found.
type Alert struct {
	Event   Event
	By      string // what found it, such as check
	Subject Subject
	State   State
	At      time.Time // the instant of the data that was looked at; zero: now
	Summary string    // a sentence for people
	Details []Detail
	Link    string // an http or https URL with more; may be empty
}

// Name identifies the condition in a project.
func (a *Alert) Name() string {
	return strings.Join([]string{string(a.Event), a.By, a.Subject.Kind, a.Subject.Name, a.Subject.Version}, "/")
}

// Message tells of one change of state. It is the same however often it is sent.
type Message struct {
	ID      string    `json:"id"` // of the change of state
	Project string    `json:"project"`
	Since   time.Time `json:"since"` // when the state was found
	Event   Event     `json:"event"`
	By      string    `json:"found_by"`
	Subject Subject   `json:"subject"`
	State   State     `json:"state"`
	At      time.Time `json:"at,omitzero"`
	Summary string    `json:"summary"`
	Details []Detail  `json:"details,omitempty"`
	Link    string    `json:"link,omitempty"`
}

// The bounds of a message, in characters.
const (
	maxSummary = 500
	maxName    = 64 // of a detail
	maxSubject = 200
	maxValue   = 500
	maxLink    = 1000
	maxDetails = 20
)

// Message returns the message of a change of state, within the bounds of messages.
func (a *Alert) Message(project, id string, since time.Time) Message {
	m := Message{
		ID: id, Project: project, Since: since.UTC(), Event: a.Event, By: a.By, Subject: a.Subject, State: a.State, At: a.At.UTC(),
		Summary: line(a.Summary, maxSummary), Link: webLink(a.Link),
	}
	for _, d := range a.Details[:min(len(a.Details), maxDetails)] {
		m.Details = append(m.Details, Detail{line(d.Name, maxName), line(d.Value, maxValue)})
	}
	return m
}

// maxKeyText is how long the key of an incident may be at PagerDuty, in bytes.
const maxKeyText = 255

// key identifies the condition of a message for its receivers.
func (m *Message) key() string {
	a := Alert{Event: m.Event, By: m.By, Subject: m.Subject}
	key := m.Project + "/" + a.Name()
	if line(key, len(key)) != key || len("fstore/"+key) > maxKeyText {
		sum := sha256.Sum256([]byte(key))
		key = hex.EncodeToString(sum[:])
	}
	return "fstore/" + key
}

// title says in a few words what happened to what: Firing: check failed for customer_orders@3.
func (m *Message) title() string {
	state := "Firing"
	if m.State == Resolved {
		state = "Resolved"
	}
	return state + ": " + strings.ReplaceAll(string(m.Event), "_", " ") + " for " + m.Subject.String()
}

// line returns a text as one line of at most so many characters that can be shown. Control and format characters, such as
// those that turn the direction of text, become spaces.
func line(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.In(r, unicode.C, unicode.Z) {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return s
}

// wants reports whether an event is among those chosen; none means all.
func wants(chosen []Event, e Event) bool { return len(chosen) == 0 || slices.Contains(chosen, e) }
