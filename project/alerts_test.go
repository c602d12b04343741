package project

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/monitor/notify"
)

const alertRepo = usersAndEvents + `kind: feature_view
name: v
entities: [user]
source: events
publish: {every: 1d}
features: [{name: x, type: float64, expect: [{between: [0, 1000]}]}]
`

// world is a repo whose alerts arrive at a receiver.
type world struct {
	t        *testing.T
	dir      string
	receiver *httptest.Server

	mu       sync.Mutex
	now      time.Time
	status   int
	got      []string // state, finder and summary of each message
	warnings []string
}

// pathSecret is in the receiver's URL.
const pathSecret = "/hook/pathsecret0123456789"

var alertDay = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), now: alertDay.Add(12 * time.Hour), status: http.StatusOK}
	w.receiver = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.mu.Lock()
		defer w.mu.Unlock()
		rw.WriteHeader(w.status)
		var m struct{ Data notify.Message }
		if err := json.Unmarshal(body, &m); err != nil {
			t.Error(err)
		}
		if strings.Contains(string(body), "987654") {
			t.Errorf("a value of a row leaves the machine: %s", body)
		}
		if w.status == http.StatusOK {
			w.got = append(w.got, string(m.Data.State)+" "+m.Data.By+": "+m.Data.Summary)
		}
	}))
	t.Cleanup(w.receiver.Close)
	w.write("fstore.yaml", "project: p\nnotify: {url: "+w.receiver.URL+pathSecret+"}\n")
	w.write("d.yaml", alertRepo)
	w.source(5)
	p := w.open()
	applyAll(w.t, p)
	return w
}

func (w *world) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// open opens the repo as one more process.
func (w *world) open() *Project {
	w.t.Helper()
	p, err := Open(w.t.Context(), w.dir, Options{
		Lookup: func(string) (string, bool) { return "", false },
		Clock: func() time.Time {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.now = w.now.Add(time.Millisecond)
			return w.now
		},
		Notify: func(n Notice) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if n.Warning {
				w.warnings = append(w.warnings, n.Text)
			}
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { p.Close() })
	return p
}

// source writes a row for each of 200 users, the last of which has this value.
func (w *world) source(value float64) {
	w.t.Helper()
	var rows []event
	for id := range int64(200) {
		x := float64(id)
		if id == 199 {
			x = value
		}
		rows = append(rows, event{id, alertDay.Add(-time.Hour), &x})
	}
	w.rows(rows)
}

func (w *world) rows(rows []event) {
	w.t.Helper()
	if err := os.MkdirAll(filepath.Join(w.dir, "data"), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := parquet.WriteFile(filepath.Join(w.dir, "data", "events.parquet"), rows); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) check(p *Project, r CheckRequest) {
	w.t.Helper()
	if _, err := p.Check(w.t.Context(), r); err != nil {
		w.t.Error(err)
	}
}

func (w *world) materialize(p *Project, r MaterializeRequest) {
	w.t.Helper()
	r.LeakCheck = "off"
	if _, err := p.Materialize(w.t.Context(), r); err != nil && !errors.Is(err, fstore.ErrCheck) {
		w.t.Error(err)
	}
}

// want checks the messages since the last call, in any order, and that nobody was warned.
func (w *world) want(what string, want ...string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.Sort(w.got)
	if !slices.Equal(w.got, want) {
		w.t.Errorf("%s: got %q, want %q", what, w.got, want)
	}
	if len(w.warnings) > 0 {
		w.t.Errorf("%s: warnings %q", what, w.warnings)
	}
	w.got, w.warnings = nil, nil
}

func (w *world) later(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) answer(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status = status
}

const (
	checkFires    = "firing check: 1 expectation of v@1 failed"
	checkResolved = "resolved check: v@1 is as expected"
	runRefused    = "firing materialize: v@1 was not published; what was published before serves"
)

// What has found a condition resolves it, and nothing else does.
func TestAlertsOfRunsAndOfChecks(t *testing.T) {
	w := newWorld(t)
	p := w.open()
	w.materialize(p, MaterializeRequest{})
	w.check(p, CheckRequest{})
	w.want("all is well")
	w.source(987654)
	w.later(24 * time.Hour)
	w.check(p, CheckRequest{})
	w.want("a check finds a value", checkFires)
	w.materialize(p, MaterializeRequest{})
	w.want("a run is refused", runRefused)
	w.check(p, CheckRequest{})
	w.materialize(p, MaterializeRequest{})
	w.want("nothing has changed")
	w.check(p, CheckRequest{To: alertDay.Add(-2 * time.Hour)}) // there were no rows then
	w.want("older data is as expected")
	w.source(5)
	w.check(p, CheckRequest{})
	w.want("a check passes", checkResolved)
	w.materialize(p, MaterializeRequest{})
	w.want("a run publishes", "resolved materialize: v@1 is published at 2026-03-03T00:00:00Z")
}

// A run that asks before it deletes most keys is refused, too, and resolved by the run that is told to go on.
func TestAlertsOfARunThatAsks(t *testing.T) {
	w := newWorld(t)
	p := w.open()
	w.materialize(p, MaterializeRequest{})
	w.later(24 * time.Hour)
	x := 1.0
	w.rows([]event{{1, alertDay, &x}})
	done, err := p.Materialize(t.Context(), MaterializeRequest{LeakCheck: "off"})
	if !errors.Is(err, fstore.ErrCheck) {
		t.Fatal(err)
	}
	w.want("a run asks", runRefused)
	w.materialize(p, MaterializeRequest{Accept: []string{done.Views[0].Refused.Accept}})
	w.want("it goes on", "resolved materialize: v@1 is published at 2026-03-03T00:00:00Z")
}

func TestAlertsOfFreshness(t *testing.T) {
	w := newWorld(t)
	p := w.open()
	fresh := func() {
		t.Helper()
		if _, err := p.Freshness(t.Context()); err != nil {
			t.Error(err)
		}
	}
	fresh()
	w.want("not published", "firing freshness: v@1 is not published: look-ups of it are refused")
	w.materialize(p, MaterializeRequest{})
	fresh()
	w.want("published", "resolved freshness: v@1 is fresh")
	w.later(24 * time.Hour)
	fresh()
	w.want("late", "firing freshness: v@1 is late by 12h")
	w.later(24 * time.Hour)
	fresh()
	w.want("later still")
}

// Several processes find the same at once: one message.
func TestOneOfManyRunsTells(t *testing.T) {
	w := newWorld(t)
	w.source(987654)
	var wait sync.WaitGroup
	for range 4 {
		p := w.open()
		wait.Go(func() { w.check(p, CheckRequest{}) })
	}
	wait.Wait()
	w.want("four checks", checkFires)
}

func TestAReceiverThatFails(t *testing.T) {
	w := newWorld(t)
	p := w.open()
	w.source(987654)
	w.answer(http.StatusForbidden)
	w.check(p, CheckRequest{})
	host := strings.TrimPrefix(w.receiver.URL, "http://")
	warning := "1 alert did not reach json (" + host + "): it answers with status 403: check the URL and the secret; the next run sends again"
	if len(w.warnings) != 1 || w.warnings[0] != warning {
		t.Errorf("got %q, want %q", w.warnings, warning)
	}
	w.warnings = nil
	w.answer(http.StatusOK)
	if _, err := p.Freshness(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.want("the next run", checkFires, "firing freshness: v@1 is not published: look-ups of it are refused")
}

// A command that is stopped sends nothing more, but what it found is kept.
func TestAStoppedRunLeavesItsAlerts(t *testing.T) {
	w := newWorld(t)
	p := w.open()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	subject := notify.Subject{Kind: "feature_view", Name: "v", Version: "1"}
	p.Alert(ctx, []notify.Alert{{Event: notify.CheckFailed, By: "check", Subject: subject, State: notify.Firing, Summary: "bad"}})
	w.want("stopped")
	p.Alert(t.Context(), nil)
	w.want("the next run", "firing check: bad")
}

// A signal while a message is on its way ends the wait for the receiver. The next run sends again.
func TestASignalEndsSending(t *testing.T) {
	w := newWorld(t)
	ctx, stop := context.WithCancel(t.Context())
	arrived, end := make(chan struct{}), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		stop()
		select {
		case <-end:
		case <-r.Context().Done():
		}
		close(arrived)
	}))
	defer slow.Close()
	defer close(end)
	w.write("fstore.yaml", "project: p\nnotify: {url: "+slow.URL+"}\n")
	subject := notify.Subject{Kind: "feature_view", Name: "v", Version: "1"}
	w.open().Alert(ctx, []notify.Alert{{Event: notify.CheckFailed, By: "check", Subject: subject, State: notify.Firing, Summary: "bad"}})
	<-arrived // the connection has ended; nobody waited for an answer
	if len(w.warnings) != 1 || !strings.Contains(w.warnings[0], "context canceled; the next run sends again") {
		t.Errorf("got %q", w.warnings)
	}
	w.warnings = nil
	w.write("fstore.yaml", "project: p\nnotify: {url: "+w.receiver.URL+pathSecret+"}\n")
	w.open().Alert(t.Context(), nil)
	w.want("the next run", "firing check: bad")
}

// A call sends each target at most 50 messages, in however many rounds. The next one sends the others.
func TestACallSendsSoMuch(t *testing.T) {
	w := newWorld(t)
	p := w.open()
	var found []notify.Alert
	for i := range 60 {
		s := notify.Subject{Kind: "feature_view", Name: "v", Version: "1"}
		found = append(found, notify.Alert{Event: notify.CheckFailed, By: strconv.Itoa(i), Subject: s, State: notify.Firing, Summary: "bad"})
	}
	for _, want := range []int{50, 10} {
		p.Alert(t.Context(), found)
		w.mu.Lock()
		if len(w.got) != want {
			t.Errorf("%d messages, want %d", len(w.got), want)
		}
		w.got = nil
		w.mu.Unlock()
	}
}

// What nothing looks at any more is resolved: an alert must not stay for ever.
func TestAlertsOfWhatIsGone(t *testing.T) {
	subjects := map[string]notify.Subject{
		"v@7 is not live any more":                {Kind: "feature_view", Name: "v", Version: "7"},
		"source gone is not defined any more":     {Kind: "source", Name: "gone"},
		"source events expects nothing any more":  {Kind: "source", Name: "events"},
		"fraud@1 is not pinned any more":          {Kind: "model", Name: "fraud", Version: "1"},
		"no_such_service is not defined any more": {Kind: "feature_service", Name: "no_such_service"},
	}
	w := newWorld(t)
	p := w.open()
	var found []notify.Alert
	var fired, resolved []string
	for summary, s := range subjects {
		found = append(found, notify.Alert{Event: notify.CheckFailed, By: "check", Subject: s, State: notify.Firing, Summary: s.String()})
		fired, resolved = append(fired, "firing check: "+s.String()), append(resolved, "resolved check: "+summary)
	}
	slices.Sort(fired)
	slices.Sort(resolved)
	p.Alert(t.Context(), found)
	w.want("they fire", fired...)
	p.Alert(t.Context(), found)
	w.want("whoever finds them knows them")
	p.Alert(t.Context(), nil)
	w.want("nobody finds them", resolved...)

	// The same for a view that is there, and whose expectation is removed.
	w.source(987654)
	w.check(p, CheckRequest{})
	w.want("a check", checkFires)
	w.write("d.yaml", strings.ReplaceAll(alertRepo, ", expect: [{between: [0, 1000]}]", ""))
	applyAll(w.t, p)
	w.check(p, CheckRequest{})
	w.want("without the expectation", "resolved check: v@1 expects nothing any more")
}

// Without a target, nothing is kept and the registry is not even opened.
func TestNobodyIsNotified(t *testing.T) {
	w := newWorld(t)
	w.write("fstore.yaml", "project: p\n")
	p := w.open()
	w.source(987654)
	w.check(p, CheckRequest{})
	all, err := p.Alerts(t.Context())
	if err != nil || len(all.Alerts)+len(all.Targets) != 0 {
		t.Error(all, err)
	}
	w.want("no target")
}

// The registry, which people copy and open, has no secret of a target.
func TestNoSecretIsKept(t *testing.T) {
	w := newWorld(t)
	w.write("fstore.yaml", "project: p\nnotify: {url: "+w.receiver.URL+pathSecret+", secret: c2lnbmluZ3NlY3JldHNpZ25pbmdzZWNyZXQ=}\n")
	p := w.open()
	w.source(987654)
	w.check(p, CheckRequest{})
	w.want("a check", checkFires)
	files, err := filepath.Glob(filepath.Join(w.dir, ".fstore", "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // a folder
		}
		for _, secret := range []string{"pathsecret", "c2lnbmluZ3", "signingsecret"} {
			if strings.Contains(string(text), secret) {
				t.Errorf("%s has %s", file, secret)
			}
		}
	}
}
