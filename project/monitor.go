package project

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/monitor/drift"
	"github.com/fstore-dev/fstore/monitor/expect"
	"github.com/fstore-dev/fstore/registry"
)

// MonitorRequest says what to monitor.
type MonitorRequest struct {
	Services []string // their models and views; empty: every live model, view and source

	Progress func(of string, rows int64) // nil: nobody looks
}

// Monitored is a round of monitoring.
type Monitored struct {
	At      time.Time         `json:"at"`
	OK      bool              `json:"ok"`                // everything was looked at, and nothing fires
	Skipped string            `json:"skipped,omitempty"` // why this round did nothing: another one is under way
	Cut     bool              `json:"-"`                 // it was stopped, or another round took its place: it says nothing of the models
	Models  []*MonitoredModel `json:"models"`

	Checks    *Checks    `json:"-"` // nil: none were made
	Freshness *Freshness `json:"-"` // nil: the online store could not be asked
}

// MonitoredModel says how a model version fares, or a service that no model is pinned to, or the views that nothing uses.
type MonitoredModel struct {
	registry.Watched
	Last time.Time `json:"last,omitzero"` // when everything about it was last looked at; absent: never

	MonitorResult
	Comparison *drift.Comparison `json:"-"` // nil: nothing was compared

	views    []*fstore.ViewVersion
	driftWhy string // in words; empty: drift does not fire
}

// MonitorResult is what a round finds of a model. The registry keeps it.
type MonitorResult struct {
	Checks    CheckTally      `json:"checks"`
	Drift     *MonitoredDrift `json:"drift,omitempty"`    // absent: nothing was compared
	NoDrift   string          `json:"no_drift,omitempty"` // why
	Freshness FreshnessTally  `json:"freshness"`
	Firing    []Firing        `json:"firing"`
	More      int             `json:"more,omitempty"`   // what fires beyond MaxFiring
	Errors    []string        `json:"errors,omitempty"` // what could not be looked at, and why

	fires map[MonitorEvent]bool
}

// OK reports whether everything was looked at, and nothing fires.
func (r *MonitorResult) OK() bool { return len(r.Firing)+len(r.Errors) == 0 }

// CheckTally counts expectations by their outcome.
type CheckTally struct {
	Passed  int `json:"passed"`
	Failed  int `json:"failed"`  // at severity error
	Warned  int `json:"warned"`  // failed at severity warn
	Skipped int `json:"skipped"` // there was nothing to check, or nothing to compare with
}

// FreshnessTally counts view versions by their state.
type FreshnessTally struct {
	Fresh        int `json:"fresh"`
	Late         int `json:"late"`
	NotPublished int `json:"not_published"`
	NoSchedule   int `json:"no_schedule"`
}

// MaxFiring is how many entries are kept of what fires about a model, and of its drifted features.
const MaxFiring = 20

// Firing is something that is wrong and that somebody should look at.
type Firing struct {
	Event   MonitorEvent `json:"event"`
	Subject string       `json:"subject"` // source lines, customer_orders@3, fraud@7
	Summary string       `json:"summary"` // in words, without values of rows
}

// MonitorEvent is a kind of what can fire.
type MonitorEvent string

// The events.
const (
	CheckFailed MonitorEvent = "check_failed" // an expectation of severity error does not hold
	DriftFound  MonitorEvent = "drift"        // more features drifted than the limit allows, or some could not be compared that should be
	LateData    MonitorEvent = "late"         // a view version is overdue by its schedule, or not published
)

// MonitorEvents are all of them.
var MonitorEvents = []MonitorEvent{CheckFailed, DriftFound, LateData}

// Fires reports whether something of a kind fires.
func (r *MonitorResult) Fires(event MonitorEvent) bool { return r.fires[event] }

// Watches reports whether something of a kind could fire: there is an expectation, a comparison or a published view.
func (r *MonitorResult) Watches(event MonitorEvent) bool {
	switch event {
	case CheckFailed:
		return r.Checks != CheckTally{}
	case DriftFound:
		return r.Drift != nil
	case LateData:
		return r.Freshness != FreshnessTally{}
	}
	return false
}

// monitorLease is the name of the lease of a round. Leases of materialize have the name of a view version, with an @.
const monitorLease = "monitor"

// monitorLeaseTTL is how long a round that died keeps others from running, where its process cannot be seen. A round renews the lease
// before each part.
const monitorLeaseTTL = 30 * time.Minute

// Monitor checks expectations, compares current values with those that models were trained on, and asks how fresh the online store is.
// The registry keeps the outcome, and the targets of notify are told. What is wrong fires; it is not an error. One round runs at a
// time: while another one is under way, this one is skipped. The error says what could not be looked at; the round is returned with it.
func (p *Project) Monitor(ctx context.Context, r MonitorRequest) (*Monitored, error) {
	db, rev, err := p.openApplied(ctx)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	if r.Progress == nil {
		r.Progress = func(string, int64) {}
	}
	m := &monitoring{p: p, db: db, rev: rev, r: r, compared: map[string]*drift.Comparison{}}
	m.out = &Monitored{At: fstore.FromMicros(fstore.Micros(p.now()))}
	if m.out.Models, err = m.subjects(); err != nil {
		return nil, err
	}
	token, err := db.AcquireLease(ctx, p.Settings.Project, monitorLease, monitorLeaseTTL, p.now())
	switch {
	case errors.Is(err, fstore.ErrConflict):
		m.out.Skipped, _ = fstore.Explain(err)
		m.out.OK, m.out.Models = true, []*MonitoredModel{}
		return m.out, nil
	case err != nil:
		return nil, err
	}
	m.token, m.out.Cut = token, true // until everything was looked at
	err = m.round(ctx)
	return m.out, errors.Join(err, db.ReleaseLease(context.WithoutCancel(ctx), p.Settings.Project, monitorLease, token))
}

// monitoring is one round.
type monitoring struct {
	p     *Project
	db    *registry.Store
	rev   *registry.Revision
	r     MonitorRequest
	token string
	out   *Monitored

	compared map[string]*drift.Comparison // models of one training set with the same limits are compared once
}

func (m *monitoring) round(ctx context.Context) error {
	var failed []error
	if err := m.renew(ctx); err != nil {
		return err
	}
	if err := m.checks(ctx); err != nil {
		failed = append(failed, err)
	}
	if err := m.freshness(ctx); err != nil {
		failed = append(failed, err)
	}
	for _, of := range m.out.Models {
		if err := m.renew(ctx); err != nil {
			return err
		}
		if err := m.drift(ctx, of); err != nil {
			m.fail(of, of.String(), err)
			if !slices.ContainsFunc(failed, func(other error) bool { return other.Error() == err.Error() }) {
				failed = append(failed, err)
			}
		}
	}
	if err := ctx.Err(); err != nil { // half of a round is no history
		return errors.Join(append(failed, err)...)
	}
	m.dropEmpty()
	m.out.Cut, m.out.OK = false, true
	for _, of := range m.out.Models {
		m.out.OK = m.out.OK && of.OK()
		if err := m.keep(ctx, of); err != nil {
			failed = append(failed, err)
		}
	}
	m.out.OK = m.out.OK && len(failed) == 0
	m.p.Alert(ctx, m.alerts())
	return errors.Join(failed...)
}

// renew holds the lease for what comes next.
func (m *monitoring) renew(ctx context.Context) error {
	return m.db.RenewLease(ctx, m.p.Settings.Project, monitorLease, m.token, monitorLeaseTTL, m.p.now())
}

// fail notes what could not be looked at. The note is kept and shown to many. So it has no secret, and of an error about data, which
// may quote a value and its key, it says only where: the error itself goes to whoever runs the round.
func (m *monitoring) fail(of *MonitoredModel, what string, err error) {
	message, _ := fstore.Explain(err)
	if message = m.p.options.secrets.mask(message); errors.Is(err, fstore.ErrInvalid) {
		message = what + " could not be computed; the standard error of the round says why"
	}
	if !slices.Contains(of.Errors, message) && len(of.Errors) < MaxFiring {
		of.Errors = append(of.Errors, message)
	}
}

// failAll notes for every model what could not be looked at.
func (m *monitoring) failAll(what string, err error) error {
	for _, of := range m.out.Models {
		m.fail(of, what, err)
	}
	return err
}

// fire notes what is wrong.
func (of *MonitoredModel) fire(event MonitorEvent, subject, summary string) {
	if of.fires == nil {
		of.fires = map[MonitorEvent]bool{}
	}
	of.fires[event] = true
	if len(of.Firing) == MaxFiring {
		of.More++
		return
	}
	of.Firing = append(of.Firing, Firing{event, subject, summary})
}

// keep adds a round to the history of a model.
func (m *monitoring) keep(ctx context.Context, of *MonitoredModel) error {
	encoded, err := json.Marshal(of.MonitorResult)
	if err != nil {
		return err
	}
	round := registry.Monitored{Time: m.out.At, By: who(), OK: of.OK(), Result: encoded}
	if of.Last, err = m.lastWhole(ctx, of.Watched); err != nil {
		return err
	}
	if err = m.db.AddMonitored(ctx, m.p.Settings.Project, of.Watched, round); err == nil && len(of.Errors) == 0 {
		of.Last = m.out.At
	}
	return err
}

// lastWhole returns when everything about a model was last looked at.
func (m *monitoring) lastWhole(ctx context.Context, of registry.Watched) (time.Time, error) {
	rounds, err := m.db.Monitored(ctx, m.p.Settings.Project, of)
	if err != nil {
		return time.Time{}, err
	}
	for _, round := range rounds {
		if r, err := readRound(of, round); err != nil || len(r.Errors) == 0 {
			return round.Time, err
		}
	}
	return time.Time{}, nil
}

// who names the user and the machine of this process.
func who() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}

// checks checks what is expected of the views and sources of all models.
func (m *monitoring) checks(ctx context.Context) error {
	r := CheckRequest{To: m.out.At, Progress: func(of string, rows int64) { m.r.Progress(of+" check", rows) }}
	var sources []fstore.Source
	var views []*fstore.ViewVersion
	if len(m.r.Services) == 0 {
		var err error
		if sources, views, err = checkedNames(m.rev, nil); err != nil {
			return m.failAll("checks", err)
		}
	} else {
		views = slices.DeleteFunc(m.views(), func(v *fstore.ViewVersion) bool { return expect.Digest(v) == "" })
	}
	x, err := m.p.newChecks(ctx, m.db, m.rev, "monitor", 0)
	if err != nil {
		return m.failAll("checks", err)
	}
	found, err := x.all(ctx, sources, views, r)
	m.out.Checks = found
	for _, c := range found.Checks {
		for _, of := range m.concerned(c.Kind, c.ref()) {
			of.checked(c)
		}
	}
	for _, u := range found.Unchecked {
		ref, what := fstore.ViewRef{Name: u.Name, Version: u.Version}, "source "+u.Name
		if u.Kind == registry.KindView {
			what = ref.String()
		}
		for _, of := range m.concerned(u.Kind, ref) {
			m.fail(of, what, u.err)
		}
	}
	return err
}

// checked notes how expectations came out.
func (of *MonitoredModel) checked(c *Checked) {
	for i := range c.Results {
		switch r := &c.Results[i]; {
		case r.Blocks():
			of.Checks.Failed++
			of.fire(CheckFailed, c.Subject(), r.Expectation+": "+r.Why)
		case r.Warns():
			of.Checks.Warned++
		case r.Outcome == expect.Skipped:
			of.Checks.Skipped++
		default:
			of.Checks.Passed++
		}
	}
}

// freshness asks how fresh the views of all models are in the online store.
func (m *monitoring) freshness(ctx context.Context) error {
	store, err := m.p.openedStore()
	if err != nil {
		return m.failAll("freshness", err)
	}
	if m.out.Freshness, err = freshness(ctx, m.rev, store, m.out.At); err != nil {
		return m.failAll("freshness", fmt.Errorf("freshness: %w", err))
	}
	for i := range m.out.Freshness.Views {
		v := &m.out.Freshness.Views[i]
		for _, of := range m.orOthers(func(used *fstore.ViewVersion) bool { return used.Ref == v.View }) {
			of.fresh(v)
		}
	}
	return nil
}

// fresh notes how fresh a view version is.
func (of *MonitoredModel) fresh(v *ViewFreshness) {
	switch v.State {
	case Late:
		of.Freshness.Late++
		of.fire(LateData, v.View.String(), fmt.Sprintf("it is late by %s: it is published at %s, and the next publication was due at %s",
			v.LateText(), fstore.FormatTime(v.Published), fstore.FormatTime(v.Due)))
	case NotPublished:
		of.Freshness.NotPublished++
		of.fire(LateData, v.View.String(), "it is not published, so look-ups of it are refused")
	case Fresh:
		of.Freshness.Fresh++
	case NoSchedule:
		of.Freshness.NoSchedule++
	}
}
