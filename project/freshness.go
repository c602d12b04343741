package project

import (
	"context"
	"strings"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/internal/terminal"
	"github.com/fstore-dev/fstore/registry"
)

// ViewFreshness says how fresh the online store's data of a live view version is.
type ViewFreshness struct {
	View      fstore.ViewRef  `json:"view"`
	Publish   *fstore.Publish `json:"publish"`            // the schedule; null: none, so the view is never late
	Published time.Time       `json:"published,omitzero"` // absent: not published in this store
	MaxEvent  time.Time       `json:"max_event,omitzero"` // the greatest event time of the data; absent: unknown, or the view is windowed or static
	Due       time.Time       `json:"due,omitzero"`       // when the next publication should be servable; absent without a schedule or a publication
	State     FreshnessState  `json:"state"`

	AgeSeconds  int64 `json:"age_seconds,omitzero"`  // since Published
	LateSeconds int64 `json:"late_seconds,omitzero"` // since Due, if the view is late
}

// FreshnessState is how fresh a view version is.
type FreshnessState string

// The states. Only Late and NotPublished need action.
const (
	Fresh        FreshnessState = "fresh"
	Late         FreshnessState = "late"          // a publication is overdue by the view's schedule
	NotPublished FreshnessState = "not_published" // look-ups of it are refused
	NoSchedule   FreshnessState = "no_schedule"   // nothing says when it is late
)

// Freshness is that of all live view versions at an instant.
type Freshness struct {
	At    time.Time       `json:"at"`
	OK    bool            `json:"ok"` // no view version is late or not published
	Views []ViewFreshness `json:"views"`
}

// Freshness compares what is published with the schedules of the live view versions, as of the clock, and
// tells the targets of notify what is late.
func (p *Project) Freshness(ctx context.Context) (*Freshness, error) {
	rev, err := p.Revision(ctx)
	if err != nil {
		return nil, err
	}
	if rev.Number == 0 {
		return nil, p.Settings.nothingApplied()
	}
	store, err := p.openedStore()
	if err != nil {
		return nil, err
	}
	f, err := freshness(ctx, rev, store, p.now())
	if err == nil {
		p.Alert(ctx, freshnessAlerts(f))
	}
	return f, err
}

func freshness(ctx context.Context, rev *registry.Revision, store shown, now time.Time) (*Freshness, error) {
	live := rev.Live()
	pointers, err := livePointers(ctx, live, store)
	if err != nil {
		return nil, err
	}
	out := &Freshness{At: fstore.FromMicros(fstore.Micros(now)), OK: true, Views: make([]ViewFreshness, 0, len(live))}
	for _, v := range live {
		f := viewFreshness(v, pointers[v.Ref], out.At)
		out.OK = out.OK && f.State != Late && f.State != NotPublished
		out.Views = append(out.Views, f)
	}
	return out, nil
}

func viewFreshness(v *fstore.ViewVersion, p fstore.Pointer, now time.Time) ViewFreshness {
	f := ViewFreshness{View: v.Ref, Publish: v.View.Publish}
	if !p.Serves(v) {
		f.State = NotPublished
		return f
	}
	f.Published, f.MaxEvent, f.AgeSeconds = p.Published, p.MaxEvent, seconds(now.Sub(p.Published))
	if f.Publish == nil {
		f.State = NoSchedule
		return f
	}
	f.State, f.Due = Fresh, f.Publish.Due(p.Published)
	if !now.Before(f.Due) {
		f.State, f.LateSeconds = Late, seconds(now.Sub(f.Due))
	}
	return f
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

func (f *ViewFreshness) ageText() string {
	if f.Published.IsZero() {
		return "-"
	}
	return english.Span(time.Duration(f.AgeSeconds) * time.Second)
}

// LateText says for people by how much a view version is late: "3d4h"; a dash if it is not.
func (f *ViewFreshness) LateText() string {
	if f.State != Late {
		return "-"
	}
	return english.Span(time.Duration(f.LateSeconds) * time.Second)
}

// Table shows the freshness of all view versions to people.
func (f *Freshness) Table() *terminal.Table {
	t := terminal.NewTable("VIEW", "STATE", "PUBLISHED", "AGE", "NEWEST EVENT", "SCHEDULE", "DUE", "LATE BY")
	for i := range f.Views {
		v := &f.Views[i]
		t.Row(v.View.String(), strings.ReplaceAll(string(v.State), "_", " "), timeText(v.Published), v.ageText(), timeText(v.MaxEvent),
			textOr(v.Publish), timeText(v.Due), v.LateText())
	}
	return t
}

func timeText(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return fstore.FormatTime(at)
}

// freshness reports view versions whose next publication is overdue. published reports those without one.
func (e *examination) freshness(live []*fstore.ViewVersion, pointers map[fstore.ViewRef]fstore.Pointer) {
	now, fresh := e.p.now(), 0
	for _, v := range live {
		switch f := viewFreshness(v, pointers[v.Ref], now); f.State {
		case Late:
			e.bad("freshness", "run fstore materialize "+v.Ref.String()+" on the schedule of the view: "+v.View.Publish.String(),
				"%s is late by %s: it is published at %s, and the next publication was due at %s", v.Ref, f.LateText(), fstore.FormatTime(f.Published), fstore.FormatTime(f.Due))
		case Fresh:
			fresh++
		case NotPublished, NoSchedule: // published reports the first; nothing says when the second is late
		}
	}
	if fresh > 0 {
		e.ok("freshness", "%s published on schedule", english.Count(fresh, "view version"))
	}
}
