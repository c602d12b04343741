package definition

import (
	"maps"
	"slices"
	"strconv"

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
	if out.Reference == "" && out.FailOn == nil && out.Drift == nil {
		return nil
	}
	return out
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
	if m.FailOn != nil {
		l.silent("monitor.fail_on", strconv.FormatFloat(100**m.FailOn, 'g', 4, 64)+"%", why)
	}
	for _, key := range slices.Sorted(maps.Keys(m.Drift)) {
		l.silent("monitor.drift."+key, m.Drift[key].String(), why)
	}
}
