package registry

import (
	"context"
	"encoding/json"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/record"
)

// putExpected keeps what a definition expects beside the version that it has: the version itself never changes, and a later
// version leaves it with these.
func putExpected(ctx context.Context, tx record.Tx, o object) error {
	var x fstore.Expectations
	switch d := o.definition.(type) {
	case fstore.Source:
		if len(d.Expect) > 0 {
			x.Sources = map[string][]fstore.Expectation{d.Name: d.Expect}
		}
	case *fstore.ViewVersion:
		x = fstore.ExpectationsOf(d)
	case *fstore.OnDemandVersion:
		x.Drift = fstore.DriftRulesOf(d.View.Drift, d.View.Features)
	default:
		return nil
	}
	r := &record.Expected{Kind: string(o.kind), Name: o.name, Version: o.version}
	if x.Empty() {
		return tx.Delete(ctx, r)
	}
	encoded, err := json.Marshal(x)
	if err != nil {
		return fstore.Errorf(fstore.ErrCorrupt, "encode the expectations of %s %s: %s", o.kind, o.name, err)
	}
	r.Expectations = string(encoded)
	return tx.Put(ctx, r)
}

// readExpected gives sources and versions of views their expectations and rules of drift.
func (s *state) readExpected(ctx context.Context, tx record.Tx) error {
	for r, err := range records[record.Expected](ctx, tx) {
		if err != nil {
			return err
		}
		ref := fstore.ViewRef{Name: r.Name, Version: r.Version}
		var x fstore.Expectations
		if err := json.Unmarshal([]byte(r.Expectations), &x); err != nil {
			return corrupt("the expectations of %s %s: %s", r.Kind, r.Name, err)
		}
		view := s.views[ref]
		source, isSource := s.sources[r.Name]
		switch {
		case Kind(r.Kind) == KindSource && isSource:
			source.Expect = x.Sources[r.Name]
			s.sources[r.Name] = source
		case Kind(r.Kind) == KindView && view != nil:
			s.views[ref] = x.With(view)
			if s.head[KindView][r.Name] == r.Version {
				s.headViews[r.Name] = x.With(s.headViews[r.Name])
			}
		case Kind(r.Kind) == KindOnDemand && s.onDemand[ref] != nil:
			s.onDemand[ref] = withDrift(s.onDemand[ref], x.Drift)
			if s.head[KindOnDemand][r.Name] == r.Version {
				s.headOnDemand[r.Name] = withDrift(s.headOnDemand[r.Name], x.Drift)
			}
		default:
			return corrupt("there are expectations of %s %s, which is not there", r.Kind, ref)
		}
	}
	return nil
}

// withDrift returns a copy of a version of an on-demand view with rules of drift.
func withDrift(v *fstore.OnDemandVersion, rules *fstore.DriftRules) *fstore.OnDemandVersion {
	out := *v
	out.View.Drift, out.View.Features = rules.OfView(), rules.With(v.View.Features)
	return &out
}

// Checks are the outcome of one run of checks of a source or of a version of a view.
type Checks struct {
	Time   time.Time       `json:"time"`
	At     time.Time       `json:"at,omitzero"` // the instant as of which the rows were checked; zero: all rows
	By     string          `json:"by"`          // the command, such as materialize
	OK     bool            `json:"ok"`
	Result json.RawMessage `json:"results"`
}

// MaxChecks is how many runs of checks are kept of each source and of each version of a view.
const MaxChecks = 20

// AddChecks keeps the outcome of checks and drops the oldest beyond MaxChecks. A source has version 0.
func (r *Store) AddChecks(ctx context.Context, project string, kind Kind, ref fstore.ViewRef, c Checks) error {
	err := r.backend.Write(ctx, project, func(tx record.Tx) error {
		kept := &record.Checked{Kind: string(kind), Name: ref.Name, Version: ref.Version}
		all, err := readChecks(ctx, tx, kept)
		if err != nil {
			return err
		}
		all = append([]Checks{c}, all[:min(len(all), MaxChecks-1)]...)
		encoded, err := json.Marshal(all)
		if err != nil {
			return err
		}
		kept.History = string(encoded)
		return tx.Put(ctx, kept)
	})
	return wrap("keep the results of the checks of "+ref.Name, err)
}

// Checks returns what is kept of the checks of a source or of a version of a view, the newest first.
func (r *Store) Checks(ctx context.Context, project string, kind Kind, ref fstore.ViewRef) (out []Checks, err error) {
	err = r.backend.Read(ctx, project, func(tx record.Tx) (err error) {
		out, err = readChecks(ctx, tx, &record.Checked{Kind: string(kind), Name: ref.Name, Version: ref.Version})
		return err
	})
	return out, wrap("read the results of the checks of "+ref.Name, err)
}

func readChecks(ctx context.Context, tx record.Tx, r *record.Checked) (out []Checks, err error) {
	if known, err := tx.Get(ctx, r); err != nil || !known {
		return nil, err
	}
	if err := json.Unmarshal([]byte(r.History), &out); err != nil {
		return nil, corrupt("the results of the checks of %s %s: %s", r.Kind, r.Name, err)
	}
	return out, nil
}
