package project

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/monitor/expect"
	"github.com/fstore-dev/fstore/registry"
)

// CheckHistory is what the registry keeps of the checks of a source or of a view version.
type CheckHistory struct {
	Kind    registry.Kind     `json:"kind"`
	Name    string            `json:"name"`
	Version int               `json:"version,omitempty"`
	Runs    []registry.Checks `json:"runs"` // the newest first
}

// CheckHistory returns what is kept of the checks of sources and view versions, by the names of CheckRequest, and without names of
// everything in head and every live view version. What was checked is found even if nothing is expected of it any longer, or if it
// has left head.
func (p *Project) CheckHistory(ctx context.Context, names []string) ([]CheckHistory, error) {
	db, rev, err := p.openApplied(ctx)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	out := []CheckHistory{}
	add := func(kind registry.Kind, ref fstore.ViewRef) error {
		h := CheckHistory{Kind: kind, Name: ref.Name, Version: ref.Version}
		if slices.ContainsFunc(out, func(o CheckHistory) bool { return o.Kind == kind && o.Name == h.Name && o.Version == h.Version }) {
			return nil
		}
		if h.Runs, err = db.Checks(ctx, p.Settings.Project, kind, ref); err == nil && len(h.Runs) > 0 {
			out = append(out, h)
		}
		return err
	}
	subjects := func(sources []fstore.Source, views []*fstore.ViewVersion) error {
		for _, s := range sources {
			if err := add(registry.KindSource, fstore.ViewRef{Name: s.Name}); err != nil {
				return err
			}
		}
		for _, v := range views {
			if err := add(registry.KindView, v.Ref); err != nil {
				return err
			}
		}
		return nil
	}
	if len(names) == 0 {
		err := subjects(rev.Sources(), allViews(rev))
		return out, err
	}
	for _, name := range names {
		ref, err := fstore.ParseRef(name)
		if err != nil {
			return nil, usage(err)
		}
		before := len(out)
		if ref.Version > 0 {
			err = add(registry.KindView, ref)
		} else {
			err = errors.Join(add(registry.KindSource, ref), subjects(nil, rev.Versions(name)))
		}
		if err != nil {
			return nil, err
		}
		if len(out) == before {
			if _, _, err := namedSubjects(rev, name); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// HistoryText says how kept checks came out: the outcome, and what did not hold.
func HistoryText(run registry.Checks) (outcome, note string, err error) {
	var results []expect.Result
	if err := json.Unmarshal(run.Result, &results); err != nil {
		return "", "", fstore.Errorf(fstore.ErrCorrupt, "the registry is damaged: the results of checks: %s", err).WithHint("restore it from a backup")
	}
	outcome = "passed"
	var notes []string
	for i := range results {
		switch r := &results[i]; {
		case r.Blocks():
			outcome = "failed"
			notes = append(notes, r.Expectation+": "+r.Why)
		case r.Warns():
			notes = append(notes, "warning: "+r.Expectation+": "+r.Why)
		}
	}
	return outcome, strings.Join(notes, "; "), nil
}
