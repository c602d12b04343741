package project

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"slices"
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/monitor/notify"
	"github.com/fstore-dev/fstore/registry"
)

// AlertTarget is a target of notify, without its secrets.
type AlertTarget struct {
	Name   string         `json:"name"`
	Host   string         `json:"host"`
	Format notify.Format  `json:"format"`
	Events []notify.Event `json:"events"`
}

// AlertState is a condition that fires, or that some target does not know yet to be resolved.
type AlertState struct {
	notify.Message
	Targets []AlertTold `json:"targets"` // that know or are to know of it
}

// AlertTold says what a target knows of a condition.
type AlertTold struct {
	Target string `json:"target"`
	Told   bool   `json:"told"`             // it has taken the message of this state
	Failed int    `json:"failed,omitempty"` // runs that could not deliver the message
}

// Alerts are the targets of notify and the conditions that they are told of.
type Alerts struct {
	Targets []AlertTarget `json:"targets"`
	Alerts  []AlertState  `json:"alerts"` // by event and subject
}

// Alerts returns what fires, and who knows.
func (p *Project) Alerts(ctx context.Context) (*Alerts, error) {
	db, err := p.registry(ctx)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	kept, err := db.Alerts(ctx, p.Settings.Project)
	if err != nil {
		return nil, err
	}
	out := &Alerts{Targets: []AlertTarget{}, Alerts: []AlertState{}}
	for i := range p.Settings.Notify {
		out.Targets = append(out.Targets, targetOf(&p.Settings.Notify[i]))
	}
	targets := p.alertTargets()
	for i := range kept {
		s := AlertState{Targets: []AlertTold{}}
		if err := json.Unmarshal(kept[i].Message, &s.Message); err != nil {
			return nil, fstore.Errorf(fstore.ErrCorrupt, "the registry is damaged: the message of alert %s: %s", kept[i].Name, err).WithHint("restore it from a backup")
		}
		s.ID, s.Since = messageID(&kept[i]), kept[i].Since
		for j := range targets {
			told := kept[i].Told[targets[j].Name]
			if owed := kept[i].Owes(&targets[j]); owed || told.Change != "" {
				s.Targets = append(s.Targets, AlertTold{targets[j].Name, !owed, told.Failed})
			}
		}
		out.Alerts = append(out.Alerts, s)
	}
	return out, nil
}

func targetOf(t *notify.Target) AlertTarget {
	events := t.Events
	if len(events) == 0 {
		events = notify.Events
	}
	return AlertTarget{t.Name, t.Host(), t.Format, events}
}

// messageID identifies a change of state for its receivers.
func messageID(a *registry.Alert) string { return "msg_" + a.Change }

// AlertTest says how a test message went.
type AlertTest struct {
	AlertTarget
	OK    bool   `json:"ok"` // the target has taken it
	Error string `json:"error,omitempty"`
}

// TestAlerts sends a test message to targets of notify, or to all of them if there are no names. It changes no state. PagerDuty gets
// an incident of severity info, which is resolved at once.
func (p *Project) TestAlerts(ctx context.Context, names []string) ([]AlertTest, error) {
	targets, err := p.targetsNamed(names)
	if err != nil {
		return nil, err
	}
	now := p.now()
	a := notify.Alert{
		Event: notify.Test, By: "notify", Subject: notify.Subject{Kind: "project", Name: p.Settings.Project}, State: notify.Firing,
		Summary: "This is a test of fstore notify: nothing is wrong",
	}
	m := a.Message(p.Settings.Project, "msg_"+rand.Text(), now)
	all := make([]notify.Delivery, 0, len(targets))
	for _, t := range targets {
		all = append(all, notify.Delivery{Target: t, Message: m})
		if t.Format == notify.PagerDuty {
			resolved := m
			resolved.State = notify.Resolved
			all = append(all, notify.Delivery{Target: t, Message: resolved})
		}
	}
	p.sender().Deliver(ctx, all, now.Add(alertPatience))
	out := make([]AlertTest, len(targets))
	for i, t := range targets {
		out[i] = AlertTest{AlertTarget: targetOf(t), OK: true}
		for _, d := range all {
			if d.Target == t && d.Err != nil && out[i].OK {
				out[i].OK, out[i].Error = false, d.Err.Error()
			}
		}
	}
	return out, nil
}

func (p *Project) targetsNamed(names []string) (targets []*notify.Target, err error) {
	var known []string
	for i := range p.Settings.Notify {
		t := &p.Settings.Notify[i]
		known = append(known, t.Name)
		if len(names) == 0 || slices.Contains(names, t.Name) {
			targets = append(targets, t)
		}
	}
	if len(known) == 0 {
		return nil, fstore.Errorf(fstore.ErrUsage, "fstore.yaml has no target of notify, or the URL of each is empty").WithHint("docs/notify.md shows the targets")
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fstore.Errorf(fstore.ErrUsage, "there is no target %s", name).WithHint("%s", cmp.Or(fstore.DidYouMean(name, known), "the targets are "+strings.Join(known, ", ")))
		}
	}
	return targets, nil
}
