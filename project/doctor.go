package project

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/registry/definition"
	"github.com/fstore-dev/fstore/regular"
)

// Diagnosis is what Doctor found.
type Diagnosis struct {
	OK     bool    `json:"ok"` // nothing needs repair; warnings do not count
	Checks []Check `json:"checks"`
}

// Check is the result of one check of Doctor.
type Check struct {
	Name    string `json:"name"`
	Status  string `json:"status"` // ok, warning or failed
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// Doctor checks everything that a repo needs: the settings and the environment, the definitions, the registry, the
// folders, the online store and what is published in it. It works in any state of the repo. dir is that of Open.
func Doctor(ctx context.Context, dir string, o Options) *Diagnosis {
	o.defaults()
	asked, lookup := map[string]bool{}, o.Lookup
	o.Lookup = func(name string) (string, bool) {
		asked[name] = true
		return lookup(name)
	}
	e := &examination{out: &Diagnosis{OK: true}}
	p, err := Open(ctx, dir, o)
	if err != nil {
		e.wrong("settings", err)
	} else {
		defer p.Close()
		e.p = p
		e.all(ctx)
	}
	e.environment(&o, asked)
	return e.out
}

// Doctor checks everything that the repo needs. The function Doctor also works if the settings cannot be read.
func (p *Project) Doctor(ctx context.Context) *Diagnosis {
	e := &examination{p: p, out: &Diagnosis{OK: true}}
	e.all(ctx)
	return e.out
}

// examination collects the results.
type examination struct {
	p   *Project
	out *Diagnosis
}

func (e *examination) all(ctx context.Context) {
	s := e.p.Settings
	e.ok("settings", "%s, project %s", filepath.Join(s.Dir, SettingsFile), s.Project)
	e.folder("state folder", "state", s.State)
	e.folder("temporary folder", "offline.temp_dir", s.TempDir)
	e.certificates()
	e.callers(ctx)
	e.auditable()
	e.addresses()
	defs := e.definitions(ctx)
	rev := e.registry(ctx, defs)
	store := e.store(ctx)
	if rev != nil && store != nil {
		e.published(ctx, rev, store)
	}
	if rev != nil {
		e.serving(rev)
	}
	if rev != nil && store != nil {
		e.models(ctx, rev, store)
	}
}

func (e *examination) ok(name, format string, args ...any) {
	e.add(Check{Name: name, Status: "ok", Message: fmt.Sprintf(format, args...)})
}

func (e *examination) warn(name, hint, format string, args ...any) {
	e.add(Check{Name: name, Status: "warning", Message: fmt.Sprintf(format, args...), Hint: hint})
}

func (e *examination) bad(name, hint, format string, args ...any) {
	e.out.OK = false
	e.add(Check{Name: name, Status: "failed", Message: fmt.Sprintf(format, args...), Hint: hint})
}

// wrong records an error with its hint.
func (e *examination) wrong(name string, err error) {
	message, hints := fstore.Explain(err)
	if len(hints) == 0 && errors.Is(err, fstore.ErrUnavailable) {
		hints = []string{"check that it runs and can be reached, or name another in fstore.yaml"}
	}
	e.bad(name, strings.Join(hints, "; "), "%s", message)
}

func (e *examination) add(c Check) { e.out.Checks = append(e.out.Checks, c) }

// environment warns of variables that look like settings, but are neither settings nor read by ${…} in the repo.
func (e *examination) environment(o *Options, asked map[string]bool) {
	known := maps.Clone(asked)
	for _, name := range append([]string{repoVariable}, clientVariables...) {
		known[name] = true
	}
	for _, k := range settingKeys {
		known[envName(k.name)] = true
	}
	for _, v := range o.Environ() {
		name, value, _ := strings.Cut(v, "=")
		if strings.HasPrefix(name, "FSTORE_") && !known[name] && value != "" {
			key := strings.ToLower(strings.TrimPrefix(name, "FSTORE_"))
			e.warn("environment", "unset it, or correct its name"+suggestion(key), "%s is set, but it is not a setting", name)
		}
	}
}

// clientVariables are read where a command asks a running server.
var clientVariables = []string{"FSTORE_TOKEN", "FSTORE_TLS", "FSTORE_TLS_CA", "FSTORE_TLS_CERTIFICATE", "FSTORE_TLS_KEY", "FSTORE_TLS_SERVER_NAME"}

// folder checks that a folder can be written or created.
func (e *examination) folder(name, setting, dir string) {
	for at := dir; ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if errors.Is(err, os.ErrNotExist) && at != filepath.Dir(at) {
			continue // materialize creates it, so the parent folder counts
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
			e.bad(name, "set "+setting+" to a folder that can be written", "%s cannot be written: %v", dir, regular.Cause(err))
			return
		}
		e.ok(name, "%s can be written", dir)
		return
	}
}

func (e *examination) definitions(ctx context.Context) *definition.Definitions {
	defs, err := e.p.Definitions(ctx)
	var problems definition.Problems
	switch {
	case errors.As(err, &problems):
		e.bad("definitions", "run fstore validate", "%s found, the first is %s: %s", english.Count(len(problems), "mistake"), problems[0].Pos, problems[0].Message)
	case err != nil:
		e.wrong("definitions", err)
	case len(defs.Warnings) > 0:
		e.warn("definitions", "run fstore validate", "valid, with %s", english.Count(len(defs.Warnings), "warning"))
	default:
		e.ok("definitions", "%s, %s, %s", english.Count(len(defs.Views), "feature view"), english.Count(len(defs.OnDemand), "on-demand view"), english.Count(len(defs.Services), "feature service"))
	}
	return defs
}

// registry checks that the registry can be read and is up to date with the definitions.
func (e *examination) registry(ctx context.Context, defs *definition.Definitions) *registry.Revision {
	s := e.p.Settings
	db, err := readRegistry(ctx, s.Registry)
	if err != nil {
		e.wrong("registry", err)
		return nil
	}
	defer db.Close()
	rev, err := db.Revision(ctx, s.Project)
	if err != nil {
		e.wrong("registry", err)
		return nil
	}
	if rev.Number == 0 {
		e.bad("registry", "run fstore apply", "nothing has been applied to project %s at %s yet", s.Project, s.Registry)
		return nil
	}
	if defs != nil {
		plan, err := db.Plan(ctx, s.Project, defs)
		if err != nil {
			e.wrong("registry", err)
			return rev
		}
		if !plan.Empty() {
			e.warn("registry", "run fstore plan, then fstore apply", "%s at revision %d; %s not applied yet",
				s.Registry, rev.Number, english.Count(len(plan.Changes), "change"))
			return rev
		}
	}
	e.ok("registry", "%s at revision %d", s.Registry, rev.Number)
	return rev
}

func (e *examination) store(ctx context.Context) *online.Store {
	store, err := e.p.openedStore()
	if err != nil {
		e.wrong("online store", err)
		return nil
	}
	warnings, err := store.Check(ctx)
	if err != nil {
		e.wrong("online store", err)
		return nil
	}
	degraded := false
	for _, w := range warnings {
		if errors.Is(w, online.ErrDegraded) {
			degraded = true
			e.wrong("online store", w)
			continue
		}
		e.warn("online store", "", "%v", w)
	}
	if !degraded && e.written(ctx, store) && len(warnings) == 0 {
		e.ok("online store", "%s can be used", e.p.Settings.Online)
	}
	return store
}

// written checks that the store can be written, by a write that leaves nothing behind: Redis tells some reasons to refuse one only
// then. In a SQLite store that does not exist yet, it would leave the file.
func (e *examination) written(ctx context.Context, store *online.Store) bool {
	if e.p.Settings.Online.scheme() == "sqlite" {
		return true
	}
	switch err := store.CheckWrite(ctx); {
	case errors.Is(err, fstore.ErrInvalid): // right for a user of fstore serve
		message, _ := fstore.Explain(err)
		e.warn("online store", "name a user who may write where fstore materialize runs", "it can be read; %s", message)
		return false
	case err != nil:
		e.wrong("online store", err)
		return false
	}
	return true
}

// published compares the store with the live versions and the state folder.
func (e *examination) published(ctx context.Context, rev *registry.Revision, store *online.Store) {
	live := rev.Live()
	pointers, err := livePointers(ctx, live, store)
	if err != nil {
		e.wrong("published", err)
		return
	}
	right := 0
	for _, v := range live {
		pointer, ok := pointers[v.Ref]
		if e.publishedView(ctx, store, v, pointer, ok) {
			right++
		}
	}
	if right > 0 {
		e.ok("published", "%d of %s", right, english.Count(len(live), "live view version"))
	}
	e.freshness(live, pointers)
}

// publishedView checks one view version, with its pointer if it was found, and reports whether all is well.
func (e *examination) publishedView(ctx context.Context, store *online.Store, v *fstore.ViewVersion, pointer fstore.Pointer, found bool) bool {
	ref := v.Ref
	run := "run fstore materialize " + ref.String()
	switch {
	case !found:
		e.bad("published", run, "%s is not published in this store", ref)
		return false
	case pointer.Damaged != "":
		e.bad("published", run+" --full", "the store's pointer of %s cannot be read", ref)
		return false
	case !pointer.Serves(v):
		e.bad("published", "give each registry its own project or its own online store, then "+run, "the store holds another definition of %s, from another registry", ref)
		return false
	}
	header, found, err := store.Header(ctx, ref, pointer.Generation)
	fence, fenced, fenceErr := store.Fence(ctx, ref, pointer.Generation)
	lost, lostErr := materialize.Lost(e.p.stateDir(), e.p.Settings.Online.String(), ref, pointer)
	err = errors.Join(err, lostErr)
	_, noState := os.Stat(filepath.Join(e.p.stateDir(), ref.String()))
	switch {
	case err != nil:
		e.wrong("published", err)
	case !found:
		e.bad("published", run, "the store has lost the header of %s", ref)
	case lost != "":
		e.bad("published", run, "%s: %s", ref, lost)
	case fenceErr != nil, pointer.Partitions > 0 && !(fenced && fence.Fits(&pointer)):
		e.bad("published", run, "look-ups of %s are refused: the store's fence beside its records is missing, damaged or of another run", ref)
	case !header.Complete:
		e.warn("published", run, "a run of %s for %s is interrupted or in progress", ref, fstore.FormatTime(header.RunAt))
	case noState != nil:
		e.warn("published", run, "the state folder has nothing about %s: the next run writes all of it again", ref)
	default:
		return true
	}
	return false
}

// serving reports on-demand views and services that are not served from head.
func (e *examination) serving(rev *registry.Revision) {
	onDemand, services := map[fstore.ViewRef]int{}, map[fstore.ViewRef]int{}
	for _, v := range rev.OnDemand() {
		onDemand[v.Ref] = v.Serving
	}
	for _, s := range rev.Services() {
		services[s.Ref] = s.Serving
	}
	e.servingFromHead("on-demand view", onDemand)
	e.servingFromHead("feature service", services)
}

// servingFromHead reports versions in head that are not served. serving has the versions that are.
func (e *examination) servingFromHead(kind string, serving map[fstore.ViewRef]int) {
	right := 0
	for _, ref := range slices.SortedFunc(maps.Keys(serving), fstore.ViewRef.Compare) {
		switch serving[ref] {
		case ref.Version:
			right++
		case 0:
			e.bad("serving", "run fstore materialize", "%s is not served yet", ref)
		default:
			e.warn("serving", "run fstore materialize", "%s is served; %s waits for its views", fstore.ViewRef{Name: ref.Name, Version: serving[ref]}, ref)
		}
	}
	if right > 0 {
		e.ok("serving", "%s from head", english.Count(right, kind))
	}
}

// models reports pinned models that are not served because a version pinned to them is not published.
func (e *examination) models(ctx context.Context, rev *registry.Revision, store *online.Store) {
	models := rev.Models()
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
			if !pointers[ref].Serves(rev.View(ref)) {
				missing = append(missing, ref)
			}
		}
		if missing != nil {
			e.bad("models", "run fstore materialize "+Joined(missing), "%s is not served: some of the versions pinned to it are not published", m.Ref)
			continue
		}
		served++
	}
	if served > 0 {
		e.ok("models", "%s served from the versions pinned to them", english.Count(served, "model version"))
	}
}

// Joined joins references with spaces, as arguments of a command.
func Joined(refs []fstore.ViewRef) string {
	parts := make([]string, len(refs))
	for i, r := range refs {
		parts[i] = r.String()
	}
	return strings.Join(parts, " ")
}
