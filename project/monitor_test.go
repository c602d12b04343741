package project

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/monitor/notify"
	"github.com/fstore-dev/fstore/registry"
)

const pinnedService = "---\nkind: feature_service\nname: s\nfeatures: [w.*]\n"

// define replaces the definitions and applies them.
func (w *checkedWorld) define(text string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, "d.yaml"), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	applyAll(w.t, w.Project)
}

func (w *checkedWorld) pin() {
	w.t.Helper()
	if _, err := w.Pin(w.t.Context(), PinRequest{Model: fstore.ModelRef{Name: "m", Version: "1"}, Service: "s"}); err != nil {
		w.t.Fatal(err)
	}
}

// A value that does not fit stops a check. The error tells whoever runs the round of it, and nothing that is kept or shown does.
func TestMonitorKeepsNoValues(t *testing.T) {
	w := newCheckedWorld(t)
	type wrong struct {
		ID float64   `parquet:"id"`
		TS time.Time `parquet:"ts,timestamp(microsecond)"`
		X  *float64  `parquet:"x,optional"`
	}
	if err := parquet.WriteFile(filepath.Join(w.dir, "others.parquet"), []wrong{{ID: 987654.5, TS: checkedDay.AddDate(0, 0, -1)}}); err != nil {
		t.Fatal(err)
	}
	m, err := w.Monitor(t.Context(), MonitorRequest{})
	if err == nil || !strings.Contains(err.Error(), "987654.5") || m == nil || m.OK {
		t.Fatalf("got %v and %v, want the value in the error", m, err)
	}
	history, err := w.MonitorHistory(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for what, of := range map[string]any{"the round": m, "its history": history} {
		text, err := json.Marshal(of)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "clean@1 could not be computed") || strings.Contains(string(text), "987654") {
			t.Errorf("%s is %s", what, text)
		}
	}
}

// A password in an error is neither kept nor shown.
func TestMonitorKeepsNoSecrets(t *testing.T) {
	w := newCheckedWorld(t)
	w.options.Secret("pa55word")
	m, of := &monitoring{p: w.Project}, &MonitoredModel{}
	m.fail(of, "freshness", fstore.Errorf(fstore.ErrUnavailable, "redis://user:pa55word@store does not answer"))
	if len(of.Errors) != 1 || of.Errors[0] != "redis://user:***@store does not answer" {
		t.Errorf("got %q", of.Errors)
	}
}

// A round that is stopped says nothing of the models, and is not kept.
func TestMonitorIsCutShort(t *testing.T) {
	w := newCheckedWorld(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	m, err := w.Monitor(ctx, MonitorRequest{Progress: func(string, int64) { stop() }})
	if err == nil || m == nil || !m.Cut || m.OK {
		t.Fatalf("got %+v and %v, want a round that was cut short", m, err)
	}
	history, err := w.MonitorHistory(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range history {
		if len(h.Rounds) > 0 {
			t.Errorf("%s has %d rounds", h.String(), len(h.Rounds))
		}
	}
}

// A version that a pinned model reads is looked at as long as it is pinned, also after head has another one. Another version of what
// it reads does not concern it.
func TestAnUpstreamVersionOfAPinnedModel(t *testing.T) {
	w := newCheckedWorld(t)
	w.define(checkedRepo + pinnedService)
	w.pin()
	w.define(strings.Replace(checkedRepo, "features: [{name: x, type: float64, expect: [not_null]}]",
		"features: [{name: x, type: float64, expect: [not_null]}, {name: more, column: x, type: float64}]", 1) + pinnedService)
	db, rev, err := w.openApplied(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	message := func(by, version string) *notify.Message {
		return &notify.Message{Event: notify.CheckFailed, By: by, Subject: notify.Subject{Kind: "feature_view", Name: "clean", Version: version}}
	}
	for of, want := range map[*notify.Message]string{
		message(byCheck, "1"): "", message(byCheck, "2"): "", message(byCheck, "3"): "is not live any more", message(byFreshness, "1"): "is not live any more",
	} {
		if got := goneSubject(rev, of); got != want {
			t.Errorf("clean@%s, of %s: got %q, want %q", of.Subject.Version, of.By, got, want)
		}
	}
	m := &monitoring{rev: rev, out: &Monitored{}}
	if m.out.Models, err = m.subjects(); err != nil {
		t.Fatal(err)
	}
	for version, want := range map[int]bool{1: true, 2: false} {
		found := false
		for _, of := range m.concerned(registry.KindView, fstore.ViewRef{Name: "clean", Version: version}) {
			found = found || of.Model == "m"
		}
		if found != want {
			t.Errorf("clean@%d concerns m@1: %v, want %v", version, found, want)
		}
	}
}

// What a model is no longer compared with cannot drift: its alert ends.
func TestTheDriftOfWhatIsNotComparedEnds(t *testing.T) {
	of := &MonitoredModel{Watched: registry.Watched{Service: "s", Model: "m", Version: "1"}}
	if a := of.driftAlert(); a != nil {
		t.Errorf("a comparison that failed gives %v", a)
	}
	of.NoDrift = "the service has no monitor.reference"
	if a := of.driftAlert(); a == nil || a.State != notify.Resolved || a.Subject.Name != "m" {
		t.Errorf("got %v", a)
	}
}
