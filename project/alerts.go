package project

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/monitor/expect"
	"github.com/fstore-dev/fstore/monitor/notify"
	"github.com/fstore-dev/fstore/registry"
)

// The bounds of alerts.
const (
	alertPatience = 15 * time.Second // for all messages of an operation
	alertClaim    = time.Minute      // a process that has not said by then how its messages went is gone
	alertsAtOnce  = 50               // messages of an operation for each target; the next one sends the others
	alertRounds   = 3                // of sending: another process may find a change while this one sends
)

// Alert takes conditions as they were found, and tells the targets of notify in the settings of each change of state, once. What
// cannot be sent is a warning, and the next call of any process sends it. Conditions whose subject is gone are resolved.
// Without targets, nothing happens.
func (p *Project) Alert(ctx context.Context, found []notify.Alert) {
	if len(p.Settings.Notify) == 0 {
		return
	}
	if err := p.alert(ctx, found); err != nil {
		message, _ := fstore.Explain(err)
		p.warn("nobody is notified: %s", message)
	}
}

func (p *Project) alert(ctx context.Context, found []notify.Alert) error {
	sending := ctx // if it ends, the state is kept, and the next run sends
	ctx = context.WithoutCancel(ctx)
	db, rev, err := p.openRevision(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	now := p.now()
	u := registry.AlertUpdate{Targets: p.alertTargets(), Now: now, Claim: alertClaim, Most: alertsAtOnce}
	kept, err := db.Alerts(ctx, p.Settings.Project)
	if err != nil {
		return err
	}
	for _, a := range slices.Concat(found, goneAlerts(rev, kept, found)) {
		message, err := json.Marshal(a.Message(p.Settings.Project, "", now))
		if err != nil {
			return err
		}
		u.Found = append(u.Found, registry.FoundAlert{Name: a.Name(), Event: string(a.Event), Firing: a.State == notify.Firing, At: a.At, Message: message})
	}
	deadline := now.Add(alertPatience)
	lost := map[string]*undelivered{}
	for range alertRounds {
		if sending.Err() != nil {
			u.Claim = 0
		}
		send, err := db.UpdateAlerts(ctx, p.Settings.Project, u)
		if err != nil || len(send) == 0 {
			p.warnUndelivered(lost)
			return err
		}
		u.Found, u.Now = nil, p.now()
		u.Sent, u.Most = p.deliver(sending, send, deadline, lost), u.Most-mostOfATarget(send)
		for name := range lost {
			u.Skip = append(u.Skip, name)
		}
	}
	u.Claim = 0
	_, err = db.UpdateAlerts(ctx, p.Settings.Project, u)
	p.warnUndelivered(lost)
	return err
}

// mostOfATarget returns how many messages the target with the most of them gets.
func mostOfATarget(send []registry.SendAlert) int {
	counts := map[string]int{}
	for i := range send {
		counts[send[i].Target]++
	}
	return slices.Max(slices.Collect(maps.Values(counts)))
}

// undelivered are messages that a target did not take.
type undelivered struct {
	count int
	err   error // of the first
}

func (p *Project) warnUndelivered(lost map[string]*undelivered) {
	for i := range p.Settings.Notify {
		t := &p.Settings.Notify[i]
		if l := lost[t.Name]; l != nil {
			p.warn("%s did not reach %s: %v; the next run sends again", english.Count(l.count, "alert"), t, l.err)
		}
	}
}

// deliver sends messages and returns how that went.
func (p *Project) deliver(ctx context.Context, send []registry.SendAlert, deadline time.Time, lost map[string]*undelivered) []registry.SentAlert {
	all := make([]notify.Delivery, len(send))
	for i, s := range send {
		at := slices.IndexFunc(p.Settings.Notify, func(t notify.Target) bool { return t.Name == s.Target })
		all[i].Target = &p.Settings.Notify[at]
		if err := json.Unmarshal(s.Alert.Message, &all[i].Message); err != nil {
			all[i].Message = notify.Message{Summary: "the registry is damaged: the message of alert " + s.Alert.Name}
		}
		all[i].Message.ID, all[i].Message.Since = messageID(&s.Alert), s.Alert.Since
	}
	p.sender().Deliver(ctx, all, deadline)
	sent := make([]registry.SentAlert, len(send))
	for i := range all {
		sent[i] = registry.SentAlert{SendAlert: send[i], Done: all[i].Err == nil}
		if all[i].Err != nil {
			name := send[i].Target
			if lost[name] == nil {
				lost[name] = &undelivered{err: all[i].Err}
			}
			lost[name].count++
		}
	}
	return sent
}

func (p *Project) sender() *notify.Sender {
	transport := &http.Transport{ // of its own: a program may have replaced the default one
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: 64 << 10,
		DisableKeepAlives: true, // a run sends little, and leaves no connection behind
	}
	return &notify.Sender{Client: &http.Client{Transport: transport}, Clock: Clock{p.options.Clock}}
}

func (p *Project) alertTargets() []registry.AlertTarget {
	out := make([]registry.AlertTarget, len(p.Settings.Notify))
	for i := range p.Settings.Notify {
		t := &p.Settings.Notify[i]
		out[i] = registry.AlertTarget{Name: t.Name, Wants: func(event string) bool { return t.Wants(notify.Event(event)) }}
	}
	return out
}

// goneAlerts resolves what fires of a subject that nothing looks at any more, unless it was found now.
func goneAlerts(rev *registry.Revision, kept []registry.Alert, found []notify.Alert) (out []notify.Alert) {
	for _, k := range kept {
		var m notify.Message
		if !k.Firing || slices.ContainsFunc(found, func(a notify.Alert) bool { return a.Name() == k.Name }) || json.Unmarshal(k.Message, &m) != nil {
			continue
		}
		if why := goneSubject(rev, &m); why != "" {
			out = append(out, notify.Alert{Event: m.Event, By: m.By, Subject: m.Subject, State: notify.Resolved, Summary: m.Subject.String() + " " + why})
		}
	}
	return out
}

// goneSubject says why nothing looks at the subject of a message any more, or nothing.
func goneSubject(rev *registry.Revision, m *notify.Message) string {
	const live, defined, expects = "is not live any more", "is not defined any more", "expects nothing any more"
	switch s := m.Subject; s.Kind {
	case string(registry.KindView):
		version, _ := strconv.Atoi(s.Version)
		ref := fstore.ViewRef{Name: s.Name, Version: version}
		views := allViews(rev)
		i := slices.IndexFunc(views, func(v *fstore.ViewVersion) bool { return v.Ref == ref })
		switch {
		case m.By == byCheck && expectsUpstream(rev, views, ref):
		case i < 0:
			return live
		case m.By == byCheck && expect.Digest(views[i]) == "":
			return expects
		}
	case string(registry.KindSource):
		i := slices.IndexFunc(rev.Sources(), func(o fstore.Source) bool { return o.Name == s.Name })
		switch {
		case slices.ContainsFunc(allViews(rev), func(v *fstore.ViewVersion) bool { return len(fstore.ExpectationsOf(v).Sources[s.Name]) > 0 }):
		case i < 0:
			return defined
		case len(rev.Sources()[i].Expect) == 0:
			return expects
		}
	case string(registry.KindService):
		if !slices.ContainsFunc(rev.Services(), func(o registry.ServiceStatus) bool { return o.Ref.Name == s.Name }) {
			return defined
		}
	case subjectModel:
		if !slices.ContainsFunc(rev.Models(), func(o *registry.ModelVersion) bool { return o.Ref.Name == s.Name && o.Ref.Version == s.Version }) {
			return "is not pinned any more"
		}
	}
	return ""
}

// expectsUpstream reports whether one of the views reads a version that is kept offline, and expects something of it. Such a version
// is checked with its reader, even if head has another one.
func expectsUpstream(rev *registry.Revision, views []*fstore.ViewVersion, ref fstore.ViewRef) bool {
	for _, v := range views {
		if _, expected := fstore.ExpectationsOf(v).Views[ref.Name]; expected && readsVersion(rev, v, ref) {
			return true
		}
	}
	return false
}

// What finds conditions. Each resolves only what it has found itself.
const (
	byMaterialize = "materialize"
	byCheck       = "check"
	byFreshness   = "freshness"
)

// subjectModel is the kind of a subject that is a model version.
const subjectModel = "model"

func viewSubject(ref fstore.ViewRef) notify.Subject {
	return notify.Subject{Kind: string(registry.KindView), Name: ref.Name, Version: strconv.Itoa(ref.Version)}
}

// runAlerts are the alerts of a run of materialize: a view whose result was refused, until a run for the same instant or a later
// one publishes.
func runAlerts(out *Materialized, views []*fstore.ViewVersion, to time.Time) (alerts []notify.Alert) {
	for i := range out.Views {
		s := &out.Views[i]
		a := notify.Alert{Event: notify.CheckFailed, By: byMaterialize, Subject: viewSubject(s.View)}
		switch {
		case s.Refused != nil:
			a.State, a.Summary = notify.Firing, s.View.String()+" was not published; what was published before serves"
			for _, reason := range s.Refused.Reasons {
				a.Details = append(a.Details, notify.Detail{Name: "reason", Value: reason})
			}
			if s.Refused.Command != "" {
				a.Details = append(a.Details, notify.Detail{Name: "to publish it anyway", Value: s.Refused.Command})
			}
			for _, v := range views {
				if v.Ref == s.View {
					a.At = v.View.Publish.Latest(to)
				}
			}
		case s.Error == "":
			a.State, a.At, a.Summary = notify.Resolved, s.Published, fmt.Sprintf("%s is published at %s", s.View, fstore.FormatTime(s.Published))
		default:
			continue // it says nothing of the data
		}
		alerts = append(alerts, a)
	}
	return alerts
}

// checkAlerts are the alerts of expectations. A source that was checked as of several instants fires if it failed as of any.
func checkAlerts(all []*Checked) (alerts []notify.Alert) {
	for _, c := range all {
		a := notify.Alert{Event: notify.CheckFailed, By: byCheck, Subject: viewSubject(c.ref()), State: notify.Resolved, At: c.At}
		if c.Kind == registry.KindSource {
			a.Subject = notify.Subject{Kind: string(c.Kind), Name: c.Name}
		}
		a.Summary = c.Subject() + " is as expected"
		if bad := expect.Blocking(c.Results); len(bad) > 0 {
			a.State, a.Summary = notify.Firing, english.Count(len(bad), "expectation")+" of "+c.Subject()+" failed"
			for _, r := range bad {
				a.Details = append(a.Details, notify.Detail{Name: "expectation", Value: r.String()})
			}
		}
		i := slices.IndexFunc(alerts, func(o notify.Alert) bool { return o.Subject == a.Subject })
		switch {
		case i < 0:
			alerts = append(alerts, a)
		case a.State == alerts[i].State && a.At.After(alerts[i].At), a.State == notify.Firing && alerts[i].State != notify.Firing:
			alerts[i] = a
		}
	}
	return alerts
}

// freshnessAlerts are the alerts of views that are late or not published.
func freshnessAlerts(f *Freshness) (alerts []notify.Alert) {
	for i := range f.Views {
		v := &f.Views[i]
		a := notify.Alert{Event: notify.Late, By: byFreshness, Subject: viewSubject(v.View), State: notify.Firing}
		switch v.State {
		case Late:
			a.Summary = fmt.Sprintf("%s is late by %s", v.View, v.LateText())
			a.Details = []notify.Detail{
				{Name: "published", Value: fstore.FormatTime(v.Published)}, {Name: "due", Value: fstore.FormatTime(v.Due)}, {Name: "schedule", Value: v.Publish.String()},
			}
		case NotPublished:
			a.Summary = v.View.String() + " is not published: look-ups of it are refused"
		case Fresh, NoSchedule:
			a.State, a.Summary = notify.Resolved, v.View.String()+" is "+strings.ReplaceAll(string(v.State), "_", " ")
			if v.State == NoSchedule {
				a.Summary = v.View.String() + " is published, and has no schedule to be late for"
			}
		}
		alerts = append(alerts, a)
	}
	return alerts
}
