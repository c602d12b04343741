package definition

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/fstore-dev/fstore"
)

// monitor reads how a service is monitored, once its outputs are known; nil if the definition says nothing about it.
func (b *serviceBuilder) monitor(spec *MonitorSpec) *fstore.Monitor {
	if spec == nil {
		return nil
	}
	c, out := b.c, &fstore.Monitor{}
	if spec.Reference.Value != "" && c.name(spec.Reference) {
		out.Reference = spec.Reference.Value
	}
	b.monitorCurrent(spec, out)
	if spec.FailOn.Value != "" {
		share := c.share(spec.FailOn, "fail_on")
		if share == 1 {
			c.problems.add(spec.FailOn.Pos, "below 100%, for example 50%", "fail_on is %s: no more than all features can drift, so nothing would ever fail", spec.FailOn.Value)
		}
		out.FailOn = &share
	}
	for _, pair := range spec.Drift {
		if t, ok := b.monitorDrift(pair); ok {
			if out.Drift == nil {
				out.Drift = map[string]fstore.DriftThreshold{}
			}
			out.Drift[pair.Key.Value] = t
		}
	}
	if out.Reference == "" && out.Current == "" && out.FailOn == nil && out.Drift == nil {
		return nil
	}
	return out
}

// periods are the lengths of windows in which the values of a served log can be compared.
var periods = []string{"hour", "day", "week", "month"}

// monitorCurrent reads what is compared with the reference. Only answers have instants, by which they can be chosen.
func (b *serviceBuilder) monitorCurrent(spec *MonitorSpec, out *fstore.Monitor) {
	c := b.c
	switch current := spec.Current.Value; current {
	case "", fstore.MonitorStore, fstore.MonitorServed:
		out.Current = current
	default:
		c.problems.add(spec.Current.Pos, "store: what is published; served: what servers answered", "monitor.current is %q", current)
		return
	}
	if out.Current != fstore.MonitorServed {
		for _, t := range []Text{spec.Window, spec.By} {
			if t.Value != "" {
				c.problems.add(t.Pos, "current: served", "monitor.window and monitor.by choose answers by their time, and what is published has one value for each key")
			}
		}
		return
	}
	if spec.Window.Value != "" {
		if length := c.duration(spec.Window); length != nil && *length == 0 {
			c.problems.add(spec.Window.Pos, "for example 7d; leave it out for all answers", "monitor.window is 0")
		} else if length != nil {
			out.Window = *length
		}
	}
	if out.By = spec.By.Value; out.By != "" && !slices.Contains(periods, out.By) {
		c.problems.add(spec.By.Pos, strings.Join(periods, ", "), "monitor.by is %q", out.By)
	}
}

// monitorDrift reads a threshold: CHECK: 0.2, FEATURE.CHECK: off, or FEATURE: auto.
func (b *serviceBuilder) monitorDrift(pair Pair) (fstore.DriftThreshold, bool) {
	key, c := pair.Key, b.c
	if pair.Value.Value == "" {
		return fstore.DriftThreshold{}, false // reported
	}
	feature, check := fstore.SplitDriftKey(key.Value)
	if _, output := b.names[feature]; feature != "" && !output {
		known, what := slices.Sorted(maps.Keys(b.names)), "not an output of the service"
		if check == "" {
			what = "neither a check nor an output of the service"
			for _, name := range fstore.DriftChecks() {
				known = append(known, string(name))
			}
		}
		c.problems.add(key.Pos, fstore.DidYouMean(feature, known), "monitor.drift: %s is %s", feature, what)
		return fstore.DriftThreshold{}, false
	}
	if check == "" {
		mode := fstore.DriftMode(pair.Value.Value)
		if mode != fstore.DriftOff && mode != fstore.DriftAuto {
			c.problems.add(pair.Value.Pos, key.Value+".psi: "+pair.Value.Value+" is for one check", "monitor.drift: %s is for all checks of a feature, so it is off or auto", key.Value)
			return fstore.DriftThreshold{}, false
		}
		return fstore.DriftThreshold{Mode: mode}, true
	}
	t, err := fstore.ParseDriftThreshold(check, pair.Value.Value)
	if err != nil {
		c.problems.addError(pair.Value.Pos, err)
	}
	return t, err == nil
}

// monitor lists the fields of monitor.
func (l *Fields) monitor(m *fstore.Monitor) {
	if m == nil {
		return
	}
	const why = "it says how the models are watched and changes no value"
	l.silent("monitor.reference", m.Reference, why)
	l.silent("monitor.current", m.Current, why)
	if m.Window > 0 {
		l.silent("monitor.window", m.Window.String(), why)
	}
	l.silent("monitor.by", m.By, why)
	if m.FailOn != nil {
		l.silent("monitor.fail_on", strconv.FormatFloat(100**m.FailOn, 'g', 4, 64)+"%", why)
	}
	for _, key := range slices.Sorted(maps.Keys(m.Drift)) {
		l.silent("monitor.drift."+key, m.Drift[key].String(), why)
	}
}
