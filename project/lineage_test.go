package project_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/schematest"
	"github.com/fstore-dev/fstore/project"
	"github.com/fstore-dev/fstore/project/scaffold"
)

// lineageServer keeps the events that it gets.
type lineageServer struct {
	mu     sync.Mutex
	events []lineageEvent
	text   strings.Builder

	schemas *schematest.Schemas
	wrong   []string
}

type lineageEvent struct {
	Type string `json:"eventType"`
	Job  struct {
		Namespace, Name string
	}
	Run struct {
		ID     string `json:"runId"`
		Facets struct {
			Parent struct{ Job struct{ Name string } }
			Error  struct{ Message string } `json:"errorMessage"`
		}
	}
	Inputs, Outputs []struct{ Namespace, Name string }
}

func (s *lineageServer) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	var all any
	if err := json.Unmarshal(text, &all); err != nil {
		panic(err)
	}
	var e lineageEvent
	if err := json.Unmarshal(text, &e); err != nil {
		panic(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
	s.text.Write(text)
	s.wrong = append(s.wrong, s.schemas.Violations("../internal/openlineage/testdata/event.json", all)...)
}

// take returns what was reported since the last call: the states of each job, its inputs and its outputs.
func (s *lineageServer) take(dir string) (states, inputs, outputs []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		line := e.Type + " " + e.Job.Name
		if p := e.Run.Facets.Parent.Job.Name; p != "" {
			line += " in " + p
		}
		if m := e.Run.Facets.Error.Message; m != "" {
			line += ": " + m
		}
		states = append(states, line)
		for _, d := range e.Inputs {
			inputs = append(inputs, d.Namespace+" "+strings.TrimPrefix(d.Name, dir+"/"))
		}
		for _, d := range e.Outputs {
			outputs = append(outputs, d.Namespace+" "+strings.TrimPrefix(d.Name, dir+"/"))
		}
	}
	s.events = nil
	for _, list := range []*[]string{&inputs, &outputs} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return states, inputs, outputs
}

func TestApplyTrainingSetAndMaterializeAreReported(t *testing.T) {
	dir, server := t.TempDir(), &lineageServer{schemas: schematest.New()}
	if err := scaffold.Example(dir); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server)
	t.Cleanup(web.Close)
	variables := map[string]string{"OPENLINEAGE_URL": web.URL, "OPENLINEAGE_NAMESPACE": "prod"}
	var warnings []string
	p, err := project.Open(t.Context(), dir, project.Options{
		Lookup: func(name string) (string, bool) { v, ok := variables[name]; return v, ok },
		Notify: func(n project.Notice) { warnings = append(warnings, n.Text) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	expect := func(what string, want, wantInputs, wantOutputs []string) {
		t.Helper()
		states, inputs, outputs := server.take(dir)
		if d := cmp.Diff(want, states); d != "" {
			t.Errorf("%s (-want +got):\n%s", what, d)
		}
		for _, c := range []struct{ want, got []string }{{wantInputs, inputs}, {wantOutputs, outputs}} {
			for _, name := range c.want {
				if !slices.Contains(c.got, name) {
					t.Errorf("%s: there is no %q in %q", what, name, c.got)
				}
			}
		}
	}
	lines, orders := "file data/lines", "prod shop.customer_orders@1"

	plan, err := p.Plan(t.Context())
	check(err)
	_, err = p.Apply(t.Context(), plan, project.ApplyOptions{})
	check(err)
	expect("apply", []string{"START shop.apply", "COMPLETE shop.apply"}, []string{lines, "file data/customers.parquet"}, []string{orders})

	request := project.TrainingSetRequest{
		Name: "churn", Selection: project.Selection{Service: "churn"}, Labels: filepath.Join(dir, "data/labels.parquet"), Out: filepath.Join(dir, "churn.parquet"),
	}
	_, err = p.CreateTrainingSet(t.Context(), request)
	check(err)
	inputs, outputs := []string{"file data/labels.parquet", lines, orders}, []string{"file churn.parquet"}
	expect("create", []string{"START shop.training_set.churn", "COMPLETE shop.training_set.churn"}, inputs, outputs)
	request.Selection = project.Selection{Features: []string{"customer_orders.*"}}
	if _, err = p.CreateTrainingSet(t.Context(), request); !errors.Is(err, fstore.ErrConflict) {
		t.Fatal(err)
	}
	expect("a conflict", []string{"START shop.training_set.churn", "FAIL shop.training_set.churn: conflict: see the output of fstore"}, inputs[:1], outputs)

	_, err = p.Materialize(t.Context(), project.MaterializeRequest{Views: []string{"customer_orders"}, To: time.Date(2025, 12, 1, 0, 0, 0, 0, time.UTC)})
	check(err)
	job := "shop.materialize.customer_orders@1 in shop.materialize"
	expect("materialize", []string{"START shop.materialize", "START " + job, "COMPLETE " + job, "COMPLETE shop.materialize"}, []string{lines}, []string{orders})

	if err := os.Remove(filepath.Join(dir, "data/customers.parquet")); err != nil {
		t.Fatal(err)
	}
	if _, err = p.Materialize(t.Context(), project.MaterializeRequest{Views: []string{"customer_profile"}, To: time.Date(2025, 12, 1, 0, 0, 0, 0, time.UTC)}); err == nil {
		t.Fatal("a missing file is no error")
	}
	job = "shop.materialize.customer_profile@1 in shop.materialize"
	const missing = ": not found: see the output of fstore"
	expect("a failure", []string{"START shop.materialize", "START " + job, "FAIL " + job + missing, "FAIL shop.materialize" + missing}, nil, nil)

	if len(server.wrong) > 0 {
		t.Errorf("events are not as internal/openlineage/testdata/event.json says:\n%s", strings.Join(server.wrong, "\n"))
	}
	if unmet := server.schemas.Unmet("../internal/openlineage/testdata/event.json"); len(unmet) > 0 {
		t.Errorf("no event had %q", unmet)
	}
	for _, value := range []string{"12003", "United Kingdom"} { // a key, and a value of a column
		if strings.Contains(server.text.String(), value) {
			t.Errorf("%s was reported", value)
		}
	}
	if len(warnings) > 0 {
		t.Errorf("warnings: %q", warnings)
	}
}

// What is wrong with reporting is a warning, without secrets.
func TestReportingNeverFailsACommand(t *testing.T) {
	dir := t.TempDir()
	check(os.WriteFile(filepath.Join(dir, "fstore.yaml"), []byte("project: shop\n"), 0o600))
	gone := httptest.NewServer(nil)
	gone.Close()
	for name, c := range map[string]struct{ url, want string }{
		"gone":     {strings.Replace(gone.URL, "//", "//me:secret@", 1), "2 of 2 events did not reach OpenLineage at http://me:xxxxx@"},
		"mistyped": {"localhost:5000", "nothing is reported to OpenLineage: OPENLINEAGE_URL is not the URL of a server"},
	} {
		var warnings, secrets []string
		p, err := project.Open(t.Context(), dir, project.Options{
			Lookup: func(name string) (string, bool) {
				return map[string]string{"OPENLINEAGE_URL": c.url, "OPENLINEAGE_API_KEY": "hidden"}[name], true
			},
			Notify: func(n project.Notice) { warnings = append(warnings, n.Text) },
			Secret: func(s string) { secrets = append(secrets, s) },
		})
		check(err)
		plan, err := p.Plan(t.Context())
		check(err)
		if _, err := p.Apply(t.Context(), plan, project.ApplyOptions{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(warnings) != 1 || !strings.HasPrefix(warnings[0], c.want) {
			t.Errorf("%s: warnings %q", name, warnings)
		}
		if name == "gone" && (!slices.Contains(secrets, "secret") || !slices.Contains(secrets, "hidden")) {
			t.Errorf("%s: secrets %q", name, secrets)
		}
		check(p.Close())
	}
}
