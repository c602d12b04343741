package project

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/monitor/drift"
	"github.com/fstore-dev/fstore/registry"
)

// MonitoredDrift is what a round keeps of a comparison.
type MonitoredDrift struct {
	Reference  string           `json:"reference"`     // training set
	Current    string           `json:"current"`       // what was compared with it: store or served
	Rows       int64            `json:"rows"`          // of what is current
	From       time.Time        `json:"from,omitzero"` // answers after this instant; absent: all
	To         time.Time        `json:"to,omitzero"`   // answers up to it
	Verdict    drift.Verdict    `json:"verdict"`
	Share      float64          `json:"share"`       // of the judged features that drifted
	ShareLimit float64          `json:"share_limit"` // a greater share is an alarm
	Counts     drift.Verdicts   `json:"counts"`      // of features
	Features   []DriftedFeature `json:"features"`    // the drifted ones, the worst first, at most MaxFiring
}

// DriftedFeature is a feature that drifted, and the score that is most over its threshold.
type DriftedFeature struct {
	Feature   string          `json:"feature"`
	View      fstore.ViewRef  `json:"view,omitzero"`
	Check     drift.CheckName `json:"check"`
	Score     float64         `json:"score"`
	Threshold float64         `json:"threshold"`
}

// drift compares the current values of a model with those that it was trained on.
func (m *monitoring) drift(ctx context.Context, of *MonitoredModel) error {
	set, err := m.reference(ctx, of)
	if err != nil || set == nil {
		return err
	}
	r := DriftRequest{
		Reference: set.Lock.Name, Current: fstore.MonitorStore, Options: drift.Options{MinRows: drift.DefaultMinRows, ShareLimit: drift.DefaultShareLimit},
		Progress: func(rows int64) { m.r.Progress(of.String()+" drift", rows) },
	}
	if s := m.settings(of.Service); s != nil {
		if err := m.choose(&r, s, of); err != nil {
			return err
		}
		if s.FailOn != nil {
			r.Options.ShareLimit = *s.FailOn
		}
		setThresholds(&r.Options, s.Drift, driftColumns(set.Lock))
	}
	key, err := json.Marshal([]any{set.Lock.Name, set.Lock.Created, r.Service, r.Model, r.Window, r.By, r.Options})
	if err != nil {
		return err
	}
	c := m.compared[string(key)]
	if c == nil {
		if c, err = m.p.driftFrom(ctx, r, set); err != nil {
			return fmt.Errorf("drift of %s: %w", of.Watched, err)
		}
		m.compared[string(key)] = c
	}
	of.drifted(c)
	return nil
}

// choose says which rows are compared, as a service's definition has it.
func (m *monitoring) choose(r *DriftRequest, s *fstore.Monitor, of *MonitoredModel) (err error) {
	if s.Current != fstore.MonitorServed {
		return nil
	}
	r.Current, r.Window = DriftServed, time.Duration(s.Window)
	if r.Model = (fstore.ModelRef{Name: of.Model, Version: of.Version}); of.Model == "" {
		r.Service = of.Service
	}
	if r.Window > 0 {
		r.To = &m.out.At // if nobody asks any more, there is too little to judge
	}
	if s.By != "" {
		r.By, err = drift.ParsePeriod(s.By)
	}
	return err
}

// setThresholds sets thresholds of a service's definition. A training set of another version of the service may lack some of the features.
func setThresholds(o *drift.Options, all map[string]fstore.DriftThreshold, columns []drift.Column) {
	for key, t := range all {
		feature, check := fstore.SplitDriftKey(key)
		if feature == "" || slices.ContainsFunc(columns, func(c drift.Column) bool { return c.Name == feature }) {
			o.Set(feature, check, t)
		}
	}
}

// settings returns monitor of a service as head has it; nil if it says nothing.
func (m *monitoring) settings(service string) *fstore.Monitor {
	for _, s := range m.rev.Services() {
		if s.Ref.Name == service {
			return s.Service.Monitor
		}
	}
	return nil
}

// reference returns the training set that a model is compared with; nil if there is none, and NoDrift then says why.
func (m *monitoring) reference(ctx context.Context, of *MonitoredModel) (*LockedSet, error) {
	if s := m.settings(of.Service); s != nil && s.Reference != "" && (of.Model != "" || !m.pinned(of.Service)) {
		set, err := m.p.recordedSet(ctx, s.Reference)
		if err != nil {
			return nil, fmt.Errorf("monitor.reference of feature_service %s: %w", of.Service, err)
		}
		return set, nil
	}
	if of.Model == "" {
		switch {
		case of.Service != "" && !m.pinned(of.Service):
			of.NoDrift = "no model is pinned to it, and it has no monitor.reference"
		case of.Service != "":
			of.NoDrift = "its models are compared"
		}
		return nil, nil
	}
	v, err := m.rev.Model(fstore.ModelRef{Name: of.Model, Version: of.Version})
	if err != nil {
		return nil, err
	}
	record, err := m.db.PinnedSet(ctx, m.p.Settings.Project, v)
	if err != nil {
		return nil, err
	}
	if record == nil {
		of.NoDrift = "it is pinned to a service and not to a training set, and the service has no monitor.reference"
		return nil, nil
	}
	return m.p.lockedRecord(ctx, m.db, record)
}

// pinned reports whether a model has its features from a service.
func (m *monitoring) pinned(service string) bool {
	return slices.ContainsFunc(m.rev.Models(), func(v *registry.ModelVersion) bool { return v.Service.Name == service })
}

// drifted notes how a comparison came out.
func (of *MonitoredModel) drifted(c *drift.Comparison) {
	of.Comparison = c
	of.Drift = &MonitoredDrift{
		Reference: c.Reference.Name, Current: c.Current.Name, Rows: c.Current.Rows, From: c.Current.From, To: c.Current.To, Verdict: c.Verdict, Share: c.Share, ShareLimit: c.ShareLimit, Counts: c.Counts,
		Features: []DriftedFeature{},
	}
	lacks := 0
	for i := range c.Features {
		f := &c.Features[i]
		if f.Missing {
			lacks++
		}
		if f.Role == drift.RoleFeature && f.Verdict == drift.Drifted {
			of.Drift.Features = append(of.Drift.Features, worst(f))
		}
	}
	slices.SortStableFunc(of.Drift.Features, func(a, b DriftedFeature) int { return compareExcess(b, a) })
	of.Drift.Features = of.Drift.Features[:min(len(of.Drift.Features), MaxFiring)]
	switch {
	case c.Verdict == drift.Drifted:
		of.driftWhy = DriftSummary(c)
	case lacks > 0:
		of.driftWhy = fmt.Sprintf("what is current lacks %d of the features of training set %s", lacks, c.Reference.Name)
	}
	if of.driftWhy != "" {
		of.fire(DriftFound, of.String(), of.driftWhy)
	}
}

// worst returns the score of a drifted feature that is most over its threshold.
func worst(f *drift.Feature) DriftedFeature {
	out := DriftedFeature{}
	for _, c := range f.Checks {
		if !c.Over {
			continue
		}
		x := DriftedFeature{f.Name, f.View, c.Name, *c.Value, *c.Threshold}
		if out.Feature == "" || compareExcess(x, out) > 0 {
			out = x
		}
	}
	return out
}

// compareExcess orders scores by how many times their threshold they are.
func compareExcess(a, b DriftedFeature) int {
	excess := func(f DriftedFeature) float64 {
		if f.Threshold == 0 {
			return math.Inf(1)
		}
		return f.Score / f.Threshold
	}
	return cmp.Compare(excess(a), excess(b))
}
