package registry

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/record"
)

// Alert is the state of a condition that people are told of: it fires, or it is resolved and some target does not know yet. A
// condition without an Alert is resolved, and every target knows.
type Alert struct {
	Name    string          `json:"-"`
	Event   string          `json:"event"` // by which targets choose
	Firing  bool            `json:"firing"`
	Since   time.Time       `json:"since"` // when this state was found
	At      time.Time       `json:"at,omitzero"`
	Change  string          `json:"change"` // identifies the change to this state
	Message json.RawMessage `json:"message"`
	Told    map[string]Told `json:"told,omitempty"` // by target
}

// Told is what a target was last told of a condition.
type Told struct {
	Change string    `json:"change"`
	Done   bool      `json:"done"`             // the target has taken it; else it may have
	Claim  string    `json:"claim,omitempty"`  // of the process that sends it now
	Until  time.Time `json:"until,omitzero"`   // from then on, that process counts as gone
	Failed int       `json:"failed,omitempty"` // attempts at this change that came to nothing
}

// FoundAlert is a condition as somebody found it.
type FoundAlert struct {
	Name, Event string
	Firing      bool
	At          time.Time       // the instant of the data that was looked at; zero: it does not matter
	Message     json.RawMessage // for the targets, if this is a change
}

// AlertTarget is somebody who is told of alerts.
type AlertTarget struct {
	Name  string
	Wants func(event string) bool
}

// SendAlert is a change of state for a target. This process alone may send it until its claim ends.
type SendAlert struct {
	Alert  Alert
	Target string
	Claim  string
}

// SentAlert says how sending went.
type SentAlert struct {
	SendAlert
	Done bool // the target has taken it
}

// AlertUpdate is what UpdateAlerts does.
type AlertUpdate struct {
	Found   []FoundAlert
	Sent    []SentAlert   // what this process was to send
	Targets []AlertTarget // all of them
	Skip    []string      // targets that are to be sent nothing now
	Now     time.Time
	Claim   time.Duration // how long this process may take to send; not above zero: it sends nothing
	Most    int           // messages for each target at most
}

// UpdateAlerts takes conditions as they were found, notes what was sent, and returns what is to be sent next, the oldest
// first. However many processes find the same, each change of state goes to one of them.
func (r *Store) UpdateAlerts(ctx context.Context, project string, u AlertUpdate) (send []SendAlert, err error) {
	var changes bool
	err = r.backend.Read(ctx, project, func(tx record.Tx) (err error) { // most runs change nothing, and do not wait for writers
		changes, send, err = u.step(ctx, readOnly{tx})
		return err
	})
	if err == nil && changes {
		err = r.backend.Write(ctx, project, func(tx record.Tx) (err error) {
			_, send, err = u.step(ctx, tx)
			return err
		})
	}
	if err != nil {
		return nil, wrap("keep the state of alerts", err)
	}
	return send, nil
}

// readOnly is a transaction that writes nothing.
type readOnly struct{ record.Tx }

func (readOnly) Put(context.Context, record.Record) error    { return nil }
func (readOnly) Delete(context.Context, record.Record) error { return nil }

// step reads, changes and writes the alerts.
func (u *AlertUpdate) step(ctx context.Context, tx record.Tx) (changed bool, send []SendAlert, err error) {
	was, err := readAlerts(ctx, tx)
	if err != nil {
		return false, nil, err
	}
	is := make(map[string]*Alert, len(was))
	for name, a := range was {
		is[name] = new(Alert)
		*is[name] = *a
		is[name].Told = maps.Clone(a.Told)
	}
	send = u.apply(is)
	for name := range was {
		if is[name] == nil {
			changed = true
			err = errors.Join(err, tx.Delete(ctx, &record.Alert{Name: name}))
		}
	}
	for name, a := range is {
		if !reflect.DeepEqual(a, was[name]) {
			changed = true
			err = errors.Join(err, putAlert(ctx, tx, a))
		}
	}
	return changed, send, err
}

// apply changes the alerts as found, and claims what is to be sent.
func (u *AlertUpdate) apply(all map[string]*Alert) []SendAlert {
	for i := range u.Sent {
		u.note(all, &u.Sent[i])
	}
	for i := range u.Found {
		u.find(all, &u.Found[i])
	}
	send := u.claim(all)
	for name, a := range all {
		if !a.Firing && (a.everybodyKnows() || u.Now.Sub(a.Since) > alertMemory) {
			delete(all, name)
		}
	}
	return send
}

// alertMemory is how long the end of a condition is kept for a target that was told that it fires. This process need not have that
// target: its URL may be in the environment of another.
const alertMemory = 30 * 24 * time.Hour

// everybodyKnows reports whether each target that was told of a condition has taken its latest state.
func (a *Alert) everybodyKnows() bool {
	for _, told := range a.Told {
		if told.Change != a.Change || !told.Done {
			return false
		}
	}
	return true
}

// note takes a claim back, and notes whether the target has taken the message.
func (u *AlertUpdate) note(all map[string]*Alert, s *SentAlert) {
	a := all[s.Alert.Name]
	if a == nil || a.Told[s.Target].Claim != s.Claim {
		return // another process has taken over
	}
	told := a.Told[s.Target]
	told.Claim, told.Until = "", time.Time{}
	if told.Done = s.Done; !s.Done {
		told.Failed++
	}
	a.Told[s.Target] = told
}

// find takes a condition as it was found.
func (u *AlertUpdate) find(all map[string]*Alert, f *FoundAlert) {
	a := all[f.Name]
	if a == nil {
		wanted := slices.ContainsFunc(u.Targets, func(t AlertTarget) bool { return t.Wants(f.Event) })
		if !f.Firing || !wanted {
			return
		}
		a = &Alert{Name: f.Name, Event: f.Event, Told: map[string]Told{}}
		all[f.Name] = a
	}
	switch {
	case !f.Firing && f.At.Before(a.At) && !f.At.IsZero():
		return // older data says nothing of what fires
	case f.Firing == a.Firing:
		if f.At.After(a.At) {
			a.At = f.At
		}
		return
	}
	a.Firing, a.Since, a.At, a.Message, a.Change = f.Firing, fstore.FromMicros(fstore.Micros(u.Now)), f.At, f.Message, newToken()
}

// Owes reports whether a target is still to be told of the state. One that was never sent that a condition fires is not told
// that it is resolved. One that was sent it may know, even if it did not say so.
func (a *Alert) Owes(t *AlertTarget) bool {
	told, known := a.Told[t.Name]
	if told.Change == a.Change && told.Done {
		return false
	}
	return known || a.Firing && t.Wants(a.Event)
}

// claim claims what no other process sends.
func (u *AlertUpdate) claim(all map[string]*Alert) (send []SendAlert) {
	if u.Claim <= 0 {
		return nil
	}
	byAge := slices.SortedFunc(maps.Values(all), func(a, b *Alert) int {
		if c := a.Since.Compare(b.Since); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	for i := range u.Targets {
		t := &u.Targets[i]
		if slices.Contains(u.Skip, t.Name) {
			continue
		}
		left := u.Most
		for _, a := range byAge {
			told := a.Told[t.Name]
			if left == 0 || !a.Owes(t) || told.Claim != "" && told.Until.After(u.Now) {
				continue
			}
			if told.Change != a.Change {
				told = Told{Change: a.Change}
			}
			told.Claim, told.Until = newToken(), fstore.FromMicros(fstore.Micros(u.Now.Add(u.Claim)))
			a.Told[t.Name] = told
			send = append(send, SendAlert{*a, t.Name, told.Claim})
			left--
		}
	}
	return send
}

// Alerts returns the conditions that fire, and those of which a target does not know yet that they are resolved, by name.
func (r *Store) Alerts(ctx context.Context, project string) (out []Alert, err error) {
	err = r.backend.Read(ctx, project, func(tx record.Tx) error {
		all, err := readAlerts(ctx, tx)
		for _, name := range sortedKeys(all) {
			out = append(out, *all[name])
		}
		return err
	})
	return out, wrap("read the state of alerts", err)
}

func readAlerts(ctx context.Context, tx record.Tx) (map[string]*Alert, error) {
	all := map[string]*Alert{}
	for r, err := range records[record.Alert](ctx, tx) {
		if err != nil {
			return nil, err
		}
		a := &Alert{Name: r.Name}
		if err := json.Unmarshal([]byte(r.State), a); err != nil {
			return nil, corrupt("the state of alert %s: %s", r.Name, err)
		}
		if a.Told == nil {
			a.Told = map[string]Told{}
		}
		all[a.Name] = a
	}
	return all, nil
}

func putAlert(ctx context.Context, tx record.Tx, a *Alert) error {
	state, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return tx.Put(ctx, &record.Alert{Name: a.Name, State: string(state)})
}
