package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/registry"
	"github.com/spf13/cobra"
)

func (a *app) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Check the set-up, and say what to run",
		Long: `Check the settings, the environment, the definitions, the registry, the state and temporary folders, and the online
store with what is published in it. For each problem, doctor says what to run. The exit status is 4 if something needs
repair; warnings alone do not count.`,
		Example: "  fstore doctor\n  fstore doctor --output json",
		Args:    args(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.doctor(cmd.Context()) },
	}
}

// checked is the outcome of one check.
type checked struct {
	Name    string `json:"name"`
	Status  string `json:"status"` // ok, warning or failed
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// examination collects the outcomes.
type examination struct {
	app    *app
	checks []checked
	failed bool
	asked  map[string]bool // variables of the environment that settings and definitions have looked up
}

func (e *examination) ok(name, format string, args ...any) {
	e.add(checked{Name: name, Status: "ok", Message: fmt.Sprintf(format, args...)})
}

func (e *examination) warn(name, hint, format string, args ...any) {
	e.add(checked{Name: name, Status: "warning", Message: fmt.Sprintf(format, args...), Hint: hint})
}

func (e *examination) bad(name, hint, format string, args ...any) {
	e.failed = true
	e.add(checked{Name: name, Status: "failed", Message: fmt.Sprintf(format, args...), Hint: hint})
}

// wrong records an error with its own hint.
func (e *examination) wrong(name string, err error) {
	message, hints := explain(err)
	if len(hints) == 0 && errors.Is(err, fstore.ErrUnavailable) {
		hints = []string{"see that it runs and can be reached, or set another in fstore.yaml"}
	}
	e.bad(name, strings.Join(hints, "; "), "%s", message)
}

func (e *examination) add(c checked) {
	c.Message, c.Hint = e.app.mask(c.Message), e.app.mask(c.Hint)
	e.checks = append(e.checks, c)
}

func (a *app) doctor(ctx context.Context) error {
	e := &examination{app: a, asked: map[string]bool{}}
	lookup := a.lookup
	a.lookup = func(name string) (string, bool) {
		e.asked[name] = true
		return lookup(name)
	}
	s, err := a.settings()
	if err != nil {
		e.wrong("settings", err)
		e.environment()
		return a.printExamination(e)
	}
	e.ok("settings", "%s, project %s", filepath.Join(s.Dir, settingsFile), s.Project)
	e.folder("state folder", "state", s.State)
	e.folder("temporary folder", "offline.temp_dir", s.TempDir)
	defs := e.definitions(ctx, s)
	snap := e.registry(ctx, s, defs)
	store := e.store(ctx, s)
	if store != nil {
		defer store.Close()
	}
	if snap != nil && store != nil {
		e.published(ctx, s, snap, store)
	}
	if snap != nil {
		e.serving(snap)
	}
	if snap != nil && store != nil {
		e.models(ctx, snap, store)
	}
	e.environment()
	return a.printExamination(e)
}

// environment warns of variables that look like settings but are none, nor ${…} in the repo.
func (e *examination) environment() {
	known := maps.Clone(e.asked)
	known["FSTORE_REPO"] = true
	for _, k := range settingKeys {
		known[envName(k.name)] = true
	}
	for _, v := range e.app.environ() {
		name, value, _ := strings.Cut(v, "=")
		if strings.HasPrefix(name, "FSTORE_") && !known[name] && value != "" {
			key := strings.ToLower(strings.TrimPrefix(name, "FSTORE_"))
			e.warn("environment", "unset it, if it was meant as a setting"+suggestion(key), "%s is set, but it is not a setting", name)
		}
	}
}

// folder checks that a folder can be written, or made.
func (e *examination) folder(name, setting, dir string) {
	for at := dir; ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if errors.Is(err, os.ErrNotExist) && at != filepath.Dir(at) {
			continue // materialize makes it: what counts is the folder above
		}
		if err == nil && !info.IsDir() {
			err = fmt.Errorf("%s is a file", at)
		}
		if err == nil {
			var probe *os.File
			if probe, err = os.CreateTemp(at, ".fstore-doctor-*"); err == nil {
				err = errors.Join(probe.Close(), os.Remove(probe.Name()))
			}
		}
		if err != nil {
			e.bad(name, "set "+setting+" to a folder that can be written", "%s cannot be written: %v", dir, underlying(err))
			return
		}
		e.ok(name, "%s can be written", dir)
		return
	}
}

func (e *examination) definitions(ctx context.Context, s *Settings) *registry.Definitions {
	defs, err := e.app.definitions(ctx, s)
	var problems registry.Problems
	switch {
	case errors.As(err, &problems):
		e.bad("definitions", "run fstore validate", "%s found, the first is %s: %s", count(len(problems), "mistake"), problems[0].Pos, problems[0].Message)
	case err != nil:
		e.wrong("definitions", err)
	case len(defs.Warnings) > 0:
		e.warn("definitions", "run fstore validate", "right, with %s", count(len(defs.Warnings), "warning"))
	default:
		e.ok("definitions", "%s, %s", count(len(defs.Views), "feature view"), count(len(defs.Services), "feature service"))
	}
	return defs
}

// registry checks that the registry can be read and holds what is defined.
func (e *examination) registry(ctx context.Context, s *Settings, defs *registry.Definitions) *registry.Snapshot {
	db, err := registry.OpenReadOnly(ctx, s.Registry.reveal())
	if err != nil {
		e.wrong("registry", err)
		return nil
	}
	defer db.Close()
	snap, err := db.Snapshot(ctx, s.Project)
	if err != nil {
		e.wrong("registry", err)
		return nil
	}
	if snap.Revision == 0 {
		e.bad("registry", "run fstore apply", "nothing was applied to project %s at %s yet", s.Project, s.Registry)
		return nil
	}
	if defs != nil {
		p, err := db.Plan(ctx, s.Project, defs)
		if err != nil {
			e.wrong("registry", err)
			return snap
		}
		if !p.Empty() {
			e.warn("registry", "run fstore plan, then fstore apply", "%s at revision %d; %s not applied yet",
				s.Registry, snap.Revision, count(len(p.Changes), "change"))
			return snap
		}
	}
	e.ok("registry", "%s at revision %d", s.Registry, snap.Revision)
	return snap
}

func (e *examination) store(ctx context.Context, s *Settings) *online.Store {
	store, err := openStore(s)
	if err != nil {
		e.wrong("online store", err)
		return nil
	}
	warning, err := store.Check(ctx)
	if err != nil {
		e.wrong("online store", err)
		_ = store.Close()
		return nil
	}
	if warning != "" {
		e.warn("online store", "", "%s", warning)
	} else {
		e.ok("online store", "%s can be used", s.Online)
	}
	return store
}

// published compares what the store says of itself with the live versions and the state folder.
func (e *examination) published(ctx context.Context, s *Settings, snap *registry.Snapshot, store *online.Store) {
	live := snap.Live()
	pointers, err := livePointers(ctx, live, store)
	if err != nil {
		e.wrong("published", err)
		return
	}
	right := 0
	for _, v := range live {
		ref := v.Ref
		run := "run fstore materialize " + ref.String()
		p, ok := pointers[ref]
		if !ok {
			e.bad("published", run, "%s was never materialized", ref)
			continue
		}
		if p.Damaged != "" {
			e.bad("published", run+" --full", "the store's pointer of %s cannot be read", ref)
			continue
		}
		if p.Fingerprint != v.Fingerprint {
			e.bad("published", "give each registry its own project or its own online store, then "+run, "the store holds another definition of %s, from another registry", ref)
			continue
		}
		header, ok, err := store.Header(ctx, ref, p.Generation)
		_, noState := os.Stat(filepath.Join(s.State, s.Project, ref.String()))
		switch {
		case err != nil:
			e.wrong("published", err)
		case !ok:
			e.bad("published", run, "the store has lost what it knew of %s", ref)
		case !header.Complete:
			e.warn("published", run, "a run of %s for %s was interrupted or is under way", ref, fstore.FormatTime(header.RunAt))
		case noState != nil:
			e.warn("published", run, "the state folder knows nothing of %s: the next run writes all of it anew", ref)
		default:
			right++
		}
	}
	if right > 0 {
		e.ok("published", "%d of %s", right, count(len(live), "live view version"))
	}
}

// serving says which services do not answer from head.
func (e *examination) serving(snap *registry.Snapshot) {
	right := 0
	for _, s := range snap.Services() {
		switch s.Serving {
		case s.Ref.Version:
			right++
		case 0:
			e.bad("serving", "run fstore materialize", "%s is not served yet", s.Ref)
		default:
			e.warn("serving", "run fstore materialize", "%s is served; %s waits for its views", fstore.ViewRef{Name: s.Ref.Name, Version: s.Serving}, s.Ref)
		}
	}
	if right > 0 {
		e.ok("serving", "%s from head", count(right, "feature service"))
	}
}

// models says which pinned models are not served because what is pinned to them is not published.
func (e *examination) models(ctx context.Context, snap *registry.Snapshot, store *online.Store) {
	models := snap.Models()
	var refs []fstore.ViewRef
	for _, m := range models {
		refs = append(refs, usedViews(m)...)
	}
	pointers, err := store.Pointers(ctx, refs)
	if err != nil {
		e.wrong("models", err)
		return
	}
	served := 0
	for _, m := range models {
		var missing []fstore.ViewRef
		for _, ref := range usedViews(m) {
			if p, ok := pointers[ref]; !ok || p.Fingerprint != snap.View(ref).Fingerprint {
				missing = append(missing, ref)
			}
		}
		if missing != nil {
			e.bad("models", "run fstore materialize "+joined(missing), "%s is not served: not everything pinned to it is published", m.Ref)
			continue
		}
		served++
	}
	if served > 0 {
		e.ok("models", "%s served from what is pinned to them", count(served, "model version"))
	}
}

func (a *app) printExamination(e *examination) error {
	if a.json() {
		err := a.printJSON(struct {
			OK     bool      `json:"ok"`
			Checks []checked `json:"checks"`
		}{!e.failed, e.checks})
		if err != nil {
			return err
		}
	} else {
		for _, c := range e.checks {
			color := map[string]string{"ok": green, "warning": yellow, "failed": red}[c.Status]
			a.paint(color, fmt.Sprintf("%-7s", c.Status))
			fmt.Fprintf(a.stdout, "  %-16s  %s\n", c.Name, c.Message)
			if c.Hint != "" {
				fmt.Fprintf(a.stdout, "%27s%s\n", "", c.Hint)
			}
		}
	}
	if e.failed {
		return exitCode(statusCheck)
	}
	return nil
}
