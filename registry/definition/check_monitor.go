package definition

import (
	"strconv"

	"github.com/fstore-dev/fstore"
)

// monitor reads how a service is monitored; nil if the definition says nothing about it.
func (c *checker) monitor(spec *MonitorSpec) *fstore.Monitor {
	if spec == nil {
		return nil
	}
	out := &fstore.Monitor{}
	if spec.Reference.Value != "" && c.name(spec.Reference) {
		out.Reference = spec.Reference.Value
	}
	if spec.FailOn.Value != "" {
		share := c.share(spec.FailOn, "fail_on")
		if share == 1 {
			c.problems.add(spec.FailOn.Pos, "below 100%, for example 50%", "fail_on is %s: no more than all features can drift, so nothing would ever fail", spec.FailOn.Value)
			share = 0
		}
		out.FailOn = &share
	}
	if *out == (fstore.Monitor{}) {
		return nil
	}
	return out
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
}
