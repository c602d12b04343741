package main

import (
	"os"
	"strconv"

	"github.com/fstore-dev/fstore/monitor/drift"
	"github.com/fstore-dev/fstore/project"
)

// monitored records a round of monitoring. Definitions and pins bound the number of series. The freshness gauges have names of their
// own, not those of servers: they are as of the round, and a rule on the servers' would take a publication since then for missing.
func (b *batch) monitored(m *project.Monitored) {
	if b == nil {
		return
	}
	if m.Skipped != "" {
		b.silent = true // what the last round wrote stays
		return
	}
	b.keep = false
	if m.Checks != nil {
		b.checked(m.Checks.Checks)
	}
	b.fresh(m.Freshness)
	by := []string{"service", "model", "version"}
	last := b.gauge("fstore_monitor_last_run_timestamp_seconds", "When everything about a model was last looked at; 0 if never.", by...)
	failed := b.gauge("fstore_monitor_failed", "1 if the last round could not look at everything about a model, else 0.", by...)
	firing := b.gauge("fstore_monitor_firing", "1 if something is wrong with a model, else 0, by event: check_failed, drift or late.", append(by, "event")...)
	share := b.gauge("fstore_drifted_features_share", "The share of a model's judged features that drifted, 0 to 1.", by...)
	limit := b.gauge("fstore_drifted_features_limit", "The share of a model's features above which their drift is an alarm.", by...)
	of := append(by, "view", "feature")
	result := b.gauge("fstore_drift_result", "1 if a feature drifted from what its model was trained on, else 0. Those that could not be judged have none.", of...)
	nulls := b.gauge("fstore_drift_null_rate", "The share of a feature's current values that are null or NaN.", of...)
	score := b.gauge("fstore_drift_score", "A score of drift of a feature, by metric.", append(of, "metric")...)
	for _, of := range m.Models {
		labels := []string{of.Service, of.Model, of.Version}
		last.WithLabelValues(labels...).Set(0)
		if !of.Last.IsZero() {
			last.WithLabelValues(labels...).Set(seconds(of.Last))
		}
		failed.WithLabelValues(labels...).Set(truth(len(of.Errors) > 0))
		for _, event := range project.MonitorEvents {
			if of.Watches(event) {
				firing.WithLabelValues(append(labels, string(event))...).Set(truth(of.Fires(event)))
			}
		}
		if of.Comparison == nil {
			continue
		}
		if of.Drift.Counts.Drifted+of.Drift.Counts.Stable > 0 {
			share.WithLabelValues(labels...).Set(of.Drift.Share)
		}
		limit.WithLabelValues(labels...).Set(of.Drift.ShareLimit)
		for i := range of.Comparison.Features {
			f := &of.Comparison.Features[i]
			if f.Role != drift.RoleFeature || f.Current == nil {
				continue
			}
			labels := append(labels[:3:3], f.View.Name, f.Name)
			nulls.WithLabelValues(labels...).Set(f.Current.Missing())
			if f.Verdict == drift.Drifted || f.Verdict == drift.Stable {
				result.WithLabelValues(labels...).Set(truth(f.Verdict == drift.Drifted))
			}
			for _, c := range f.Checks {
				if c.Value != nil {
					score.WithLabelValues(append(labels, string(c.Name))...).Set(*c.Value)
				}
			}
		}
	}
}

// keepsFile keeps what the last round wrote, if there is a file, until a round says something of the models: without their series, what
// fires would count as over, and nothing would be overdue.
func (b *batch) keepsFile() {
	if b == nil {
		return
	}
	_, err := os.Lstat(b.file)
	b.keep = err == nil
}

// fresh records how fresh the view versions were.
func (b *batch) fresh(f *project.Freshness) {
	if f == nil {
		return
	}
	result := b.gauge("fstore_freshness_result", "1 if a live view version was late or not published in the last round, else 0.", "view", "version")
	published := b.gauge("fstore_freshness_published_timestamp_seconds", "The published instant of a view version in the last round.", "view", "version")
	for i := range f.Views {
		v := &f.Views[i]
		name, version := v.View.Name, strconv.Itoa(v.View.Version)
		result.WithLabelValues(name, version).Set(truth(v.State == project.Late || v.State == project.NotPublished))
		if !v.Published.IsZero() {
			published.WithLabelValues(name, version).Set(seconds(v.Published))
		}
	}
}
