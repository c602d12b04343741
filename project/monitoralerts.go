package project

import (
	"fmt"

	"github.com/fstore-dev/fstore/monitor/drift"
	"github.com/fstore-dev/fstore/monitor/notify"
	"github.com/fstore-dev/fstore/registry"
)

const byMonitor = "monitor"

// alerts are those of a round: of its checks and of freshness as their own commands have them, and of drift.
func (m *monitoring) alerts() []notify.Alert {
	var out []notify.Alert
	if m.out.Checks != nil {
		out = checkAlerts(m.out.Checks.Checks)
	}
	if m.out.Freshness != nil {
		out = append(out, freshnessAlerts(m.out.Freshness)...)
	}
	for _, of := range m.out.Models {
		if a := of.driftAlert(); a != nil {
			out = append(out, *a)
		}
	}
	return out
}

// driftAlert is the alert of a model's drift. It is nil if the round says nothing about it: the comparison failed, or there was too little to judge.
func (of *MonitoredModel) driftAlert() *notify.Alert {
	a := &notify.Alert{Event: notify.Drift, By: byMonitor, Subject: notify.Subject{Kind: subjectModel, Name: of.Model, Version: of.Version}}
	if of.Model == "" {
		a.Subject = notify.Subject{Kind: string(registry.KindService), Name: of.Service}
	}
	switch {
	case of.NoDrift != "":
		a.State, a.Summary = notify.Resolved, of.String()+" is compared with nothing any more: "+of.NoDrift
	case of.Drift == nil:
		return nil
	case of.driftWhy != "":
		a.State, a.Summary = notify.Firing, of.String()+": "+of.driftWhy
		for _, f := range of.Drift.Features {
			a.Details = append(a.Details, notify.Detail{Name: f.Feature, Value: fmt.Sprintf("%s %.3g, threshold %.3g", f.Check, f.Score, f.Threshold)})
		}
	case of.Drift.Verdict == drift.TooFew:
		return nil
	default:
		a.State, a.Summary = notify.Resolved, of.String()+": "+DriftSummary(of.Comparison)
	}
	return a
}
