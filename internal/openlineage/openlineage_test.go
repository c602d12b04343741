package openlineage

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var now = time.Date(2025, 12, 1, 2, 30, 0, 1500, time.UTC)

// server answers every event with a status, and keeps what it got.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*http.Request
	events   []map[string]any
}

func newServer(t *testing.T, status int) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var e map[string]any
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.requests, s.events = append(s.requests, r), append(s.events, e)
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
	}))
	t.Cleanup(s.Close)
	return s
}

// client returns a client with variables of the environment.
func client(t *testing.T, variables map[string]string) *Client {
	t.Helper()
	config, err := FromEnvironment(lookup(variables))
	if err != nil {
		t.Fatal(err)
	}
	return New(config, "v1.2.3", func() time.Time { return now })
}

func lookup(variables map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := variables[name]; return v, ok }
}

// at follows a path of members in JSON; a number is an index.
func at(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			l, _ := v.([]any)
			if p >= len(l) {
				return nil
			}
			v = l[p]
		}
	}
	return v
}

func TestARunIsReportedFromStartToEnd(t *testing.T) {
	s := newServer(t, http.StatusCreated)
	c := client(t, map[string]string{
		"OPENLINEAGE_URL": s.URL, "OPENLINEAGE_API_KEY": "key", "OPENLINEAGE_NAMESPACE": "prod",
		"OPENLINEAGE_PARENT_ID": "airflow://host/dag.task/0198f0a2-1111-7222-8333-123456789abc",
	})
	r := c.Begin("shop.materialize", nil)
	r.Reads(File("/data/lines"))
	r.Start()
	child := r.Child("shop.materialize.orders@1")
	child.Writes(Dataset{Name: "shop.orders@1"})
	child.Writes(Dataset{Name: "shop.orders@1", Version: "abc", Columns: []Column{{"value", "float64", ""}}, Store: &Store{"redis", "redis://h:6379/0"}, Written: &Written{3, 40}})
	child.End(Fail, "conflict")
	r.End(Complete, "")
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	var types []string
	for i, e := range s.events {
		types = append(types, e["eventType"].(string))
		for _, member := range []string{"eventTime", "producer", "schemaURL", "run", "job", "inputs", "outputs"} {
			if e[member] == nil {
				t.Errorf("event %d has no %s: %v", i, member, e)
			}
		}
		if id, _ := at(e, "run", "runId").(string); !isUUID(id) || id[14] != '7' {
			t.Errorf("event %d: run %v", i, id)
		}
	}
	if d := cmp.Diff([]string{"START", "START", "FAIL", "COMPLETE"}, types); d != "" {
		t.Fatal(d)
	}
	first, failed := s.events[0], s.events[2]
	for _, c := range []struct {
		got, want any
	}{
		{s.requests[0].Method + " " + s.requests[0].URL.Path, "POST /api/v1/lineage"},
		{s.requests[0].Header.Get("Authorization"), "Bearer key"},
		{s.requests[0].Header.Get("Content-Type"), "application/json"},
		{first["eventTime"], "2025-12-01T02:30:00.000001Z"},
		{at(first, "job", "namespace"), "prod"},
		{at(first, "job", "name"), "shop.materialize"},
		{at(first, "inputs", 0, "namespace"), "file"},
		{at(first, "inputs", 0, "name"), "/data/lines"},
		{at(first, "inputs", 0, "facets", "dataSource", "uri"), "file:///data/lines"},
		{at(first, "run", "facets", "parent", "job", "namespace"), "airflow://host"},
		{at(first, "run", "facets", "parent", "job", "name"), "dag.task"},
		{at(first, "run", "facets", "parent", "run", "runId"), "0198f0a2-1111-7222-8333-123456789abc"},
		{at(first, "run", "facets", "processing_engine", "version"), "v1.2.3"},
		{at(s.events[3], "run", "runId"), at(first, "run", "runId")},
		{at(failed, "run", "facets", "parent", "run", "runId"), at(first, "run", "runId")},
		{at(failed, "run", "facets", "parent", "job", "name"), "shop.materialize"},
		{at(failed, "run", "facets", "errorMessage", "message"), "conflict"},
		{len(at(failed, "outputs").([]any)), 1},
		{at(failed, "outputs", 0, "namespace"), "prod"},
		{at(failed, "outputs", 0, "facets", "version", "datasetVersion"), "abc"},
		{at(failed, "outputs", 0, "facets", "schema", "fields", 0, "type"), "float64"},
		{at(failed, "outputs", 0, "outputFacets", "outputStatistics", "rowCount"), 3.0},
	} {
		if c.got != c.want {
			t.Errorf("got %v, want %v", c.got, c.want)
		}
	}
}

// An unsuccessful answer is an error that names the server, but neither its password nor the key.
func TestWhatWasNotDeliveredIsCounted(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	for name, c := range map[string]struct {
		url, want string
	}{
		"refused":    {gone.URL, "connection refused"},
		"no_success": {newServer(t, http.StatusUnauthorized).URL, "it answered 401 Unauthorized"},
		"redirect":   {newServer(t, http.StatusFound).URL, "it answered 302 Found"},
	} {
		client := client(t, map[string]string{"OPENLINEAGE_URL": strings.Replace(c.url, "//", "//me:secret@", 1), "OPENLINEAGE_API_KEY": "hidden"})
		client.Begin("job", nil).End(Complete, "")
		err := client.Close(t.Context())
		if err == nil || !strings.HasPrefix(err.Error(), "2 of 2 events did not reach OpenLineage at http://me:xxxxx@") || !strings.HasSuffix(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && (strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "hidden")) {
			t.Errorf("%s tells a secret: %v", name, err)
		}
	}
}

// A server that takes an event and never answers costs a program no more than its patience.
func TestAServerThatHangsIsLeft(t *testing.T) {
	hung := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hung:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(s.Close)
	t.Cleanup(func() { close(hung) })
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for name, ctx := range map[string]context.Context{"patience": t.Context(), "stopped": stopped} {
		c := client(t, map[string]string{"OPENLINEAGE_URL": s.URL})
		c.patience, c.farewell = time.Millisecond, time.Millisecond
		if ctx == stopped {
			c.patience = time.Hour
		}
		c.Begin("job", nil).End(Abort, "")
		if err := c.Close(ctx); err == nil || !strings.Contains(err.Error(), "2 of 2 events") || !strings.HasSuffix(err.Error(), "it did not answer in time") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Reporting never waits for room.
func TestTooManyEventsAreLostAndCounted(t *testing.T) {
	config := Config{URL: &url.URL{Scheme: "http", Host: "h"}}
	done := make(chan struct{})
	close(done)
	c := &Client{config: config, now: time.Now, queue: make(chan []byte, 3), done: done, cancel: func() {}}
	for range 3 {
		c.Begin("job", nil).End(Complete, "")
	}
	if err := c.Close(t.Context()); err == nil || err.Error() != "3 of 6 events did not reach OpenLineage at http://h: too many wait to be sent" {
		t.Error(err)
	}
}

func TestWithoutAServerNothingIsReported(t *testing.T) {
	for name, variables := range map[string]map[string]string{
		"unset":    {},
		"empty":    {"OPENLINEAGE_URL": " "},
		"disabled": {"OPENLINEAGE_URL": "http://h", "OPENLINEAGE_DISABLED": "True"},
	} {
		c := client(t, variables)
		if c != nil {
			t.Fatalf("%s: there is a client", name)
		}
		r := c.Begin("job", nil)
		r.Reads(File("/x"))
		r.Writes(File("/x"))
		r.Child("child").Start()
		r.End(Complete, "")
		if err := c.Close(t.Context()); err != nil {
			t.Error(name, err)
		}
	}
}

func TestTheEnvironmentIsReadAsOtherClientsReadIt(t *testing.T) {
	for _, c := range []struct{ base, endpoint, want string }{
		{"http://h:5000", "", "http://h:5000/api/v1/lineage"},
		{"http://h:5000/", "", "http://h:5000/api/v1/lineage"},
		{"https://h/base/", "", "https://h/base/api/v1/lineage"},
		{"https://h/base", "", "https://h/api/v1/lineage"},
		{"https://h", "/lineage?tenant=1", "https://h/lineage?tenant=1"},
	} {
		got, err := FromEnvironment(lookup(map[string]string{"OPENLINEAGE_URL": c.base, "OPENLINEAGE_ENDPOINT": c.endpoint}))
		if err != nil || got.URL.String() != c.want || got.Namespace != "default" {
			t.Errorf("%s and %q: %v %v, want %s", c.base, c.endpoint, got, err, c.want)
		}
	}
	for name, variables := range map[string]map[string]string{
		"no_scheme":     {"OPENLINEAGE_URL": "localhost:5000"},
		"other_scheme":  {"OPENLINEAGE_URL": "kafka://h"},
		"no_url":        {"OPENLINEAGE_URL": "http://[::1"},
		"bad_endpoint":  {"OPENLINEAGE_URL": "http://h", "OPENLINEAGE_ENDPOINT": ":"},
		"parent_no_id":  {"OPENLINEAGE_URL": "http://h", "OPENLINEAGE_PARENT_ID": "ns/job/1"},
		"parent_no_job": {"OPENLINEAGE_URL": "http://h", "OPENLINEAGE_PARENT_ID": "0198f0a2-1111-7222-8333-123456789abc"},
	} {
		if got, err := FromEnvironment(lookup(variables)); err == nil || got.URL != nil {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
}
