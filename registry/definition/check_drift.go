package definition

import "github.com/fstore-dev/fstore"

// thresholds returns the thresholds of each check.
func (s *DriftSpec) thresholds() map[fstore.DriftCheck]Text {
	return map[fstore.DriftCheck]Text{
		fstore.DriftNullRate: s.NullRate, fstore.DriftUnseen: s.Unseen, fstore.DriftOutOfRange: s.OutOfRange,
		fstore.DriftWasserstein: s.Wasserstein, fstore.DriftPSI: s.PSI, fstore.DriftJS: s.JS, fstore.DriftKS: s.KS, fstore.DriftCosine: s.Cosine,
	}
}

const howToSayDrift = "off, auto, or thresholds by check: {psi: 0.25, null_rate: 5%}"

// driftRule reads when drift is an alarm, of a feature of type t, or of the features of a view with Invalid. It returns nil if spec
// says nothing.
func (c *checker) driftRule(spec *DriftSpec, t fstore.Type) *fstore.DriftRule {
	if spec == nil {
		return nil
	}
	out := &fstore.DriftRule{}
	switch mode := fstore.DriftMode(spec.All.Value); {
	case mode == fstore.DriftOff, mode == fstore.DriftAuto:
		out.All = mode
	case spec.All.Value != "":
		c.problems.add(spec.All.Pos, howToSayDrift, "drift: %q is neither off nor auto", spec.All.Value)
	}
	written, given := spec.thresholds(), spec.All.given() || spec.Unknown
	for _, check := range fstore.DriftChecks() {
		text := written[check]
		given = given || text.given()
		switch {
		case text.Value == "":
			continue
		case check.OfNumbers() && (t == fstore.Bool || t == fstore.String || t == fstore.Bytes):
			c.problems.add(text.Pos, "categories have null_rate, unseen, psi and js", "drift: %s is for numbers, not for %s", check, t.WithArticle())
			continue
		case check == fstore.DriftCosine && t != fstore.Invalid && !t.IsList():
			c.problems.add(text.Pos, "remove it", "drift: cosine is for lists of numbers, not for %s", t.WithArticle())
			continue
		}
		threshold, err := fstore.ParseDriftThreshold(check, text.Value)
		if err != nil {
			c.problems.addError(text.Pos, err)
			continue
		}
		if out.Checks == nil {
			out.Checks = map[fstore.DriftCheck]fstore.DriftThreshold{}
		}
		out.Checks[check] = threshold
	}
	if !given {
		c.problems.add(spec.Pos, howToSayDrift, "drift is empty")
	}
	if names, _ := out.Given(); names == nil {
		return nil
	}
	return out
}

// drift lists thresholds of drift as plan shows them.
func (l *Fields) drift(prefix string, r *fstore.DriftRule) {
	names, values := r.Given()
	for i := range names {
		l.silent(prefix+"drift."+names[i], values[i], "a threshold of drift changes no value")
	}
}
