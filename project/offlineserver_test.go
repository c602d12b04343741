package project

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/server/flight"
)

// setsOf returns the training sets of a repo without data, made by a program that is a shell script.
func setsOf(t *testing.T, script string) *offlineSets {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "program")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	p := &Project{
		Settings: &Settings{Dir: dir, Project: "shop", State: dir, Offline: OfflineSettings{TrainingSets: filepath.Join(dir, "sets")}},
		options:  Options{Settings: map[string]Setting{"online": {Value: "redis://elsewhere"}}},
	}
	p.options.defaults()
	labels := &labelStore{dir: filepath.Join(dir, "labels")}
	if err := os.Mkdir(labels.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return &offlineSets{p: p, labels: labels, program: program}
}

// Whatever a caller sends becomes part of a flag of the command, and never a flag.
func TestValuesAreNoFlags(t *testing.T) {
	sets := setsOf(t, "")
	sample := int64(-5)
	evil := "--repo=/etc"
	args, err := sets.creation(&flight.Creation{
		Name: "churn", Label: []string{evil, "-o"}, Replace: true, Snapshot: true,
		Request: flight.Request{
			Service: evil, Features: []string{evil, evil}, Model: evil, LabelsSQL: evil, Timestamp: evil, Sample: &sample, Seed: &sample, AsOf: evil,
			LeakCheck: evil,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	known := []string{"out", "service", "features", "model", "labels-sql", "timestamp", "label", "sample", "sample-seed", "as-of", "leak-check", "replace", "snapshot"}
	for _, arg := range args {
		flag, _, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		if words := []string{"create", "churn"}; !slices.Contains(known, flag) && !slices.Contains(words, arg) || arg == evil {
			t.Errorf("argument %q", arg)
		}
	}
	if _, err := sets.creation(&flight.Creation{Name: "churn", Request: flight.Request{Labels: strings.Repeat("0", 64)}}); !errors.Is(err, fstore.ErrNotFound) {
		t.Errorf("labels that are not there: %v", err)
	}
}

// The command's messages go to the caller, its JSON is the summary, and its error has the kind that it says. It is not traced.
func TestCreateIsTheCommand(t *testing.T) {
	t.Setenv("OTEL_TRACES_EXPORTER", "otlp")
	sets := setsOf(t, `
		echo '{"progress":{"stage":"join","done":1,"total":2}}' >&2
		echo "not a message" >&2
		printf '{\n  "online": "%s", "traces": "%s"\n}\n' "$FSTORE_ONLINE" "$OTEL_TRACES_EXPORTER"`)
	var said []string
	say := func(line []byte) error { said = append(said, string(line)); return nil }
	summary, err := sets.Create(t.Context(), &flight.Creation{Name: "churn", Request: flight.Request{LabelsSQL: "select 1"}}, say)
	if string(summary) != `{"online":"redis://elsewhere","traces":"none"}` || err != nil || len(said) != 1 {
		t.Errorf("%s, %v, %q", summary, err, said)
	}
	for kind, want := range map[string]error{"conflict": fstore.ErrConflict, "check": fstore.ErrCheck, "usage": fstore.ErrInvalid, "not_found": fstore.ErrNotFound} {
		sets := setsOf(t, `echo '{"error":{"kind":"`+kind+`","message":"it is taken","hints":["take another"]}}' >&2; exit 5`)
		_, err := sets.Create(t.Context(), &flight.Creation{Name: "churn", Request: flight.Request{LabelsSQL: "select 1"}}, say)
		if message, hints := fstore.Explain(err); !errors.Is(err, want) || message != "it is taken" || !slices.Equal(hints, []string{"take another"}) {
			t.Errorf("%s: %v", kind, err)
		}
	}
	sets = setsOf(t, `echo "panic: no" >&2; exit 2`)
	if _, err := sets.Create(t.Context(), &flight.Creation{Name: "churn", Request: flight.Request{LabelsSQL: "select 1"}}, say); err == nil || !strings.Contains(err.Error(), "panic: no") {
		t.Errorf("a panic: %v", err)
	}
}

// A caller that goes away stops the command.
func TestCreateEndsWithItsCaller(t *testing.T) {
	const waits = `echo '{"note":{"message":"begun"}}' >&2; exec sleep 600`
	ctx, cancel := context.WithCancel(t.Context())
	_, err := setsOf(t, waits).Create(ctx, &flight.Creation{Name: "churn", Request: flight.Request{LabelsSQL: "select 1"}}, func([]byte) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	gone := errors.New("nobody reads")
	_, err = setsOf(t, waits).Create(t.Context(), &flight.Creation{Name: "churn", Request: flight.Request{LabelsSQL: "select 1"}}, func([]byte) error { return gone })
	if !errors.Is(err, gone) {
		t.Errorf("the caller is gone: %v", err)
	}
}
