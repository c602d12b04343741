package deploy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore/internal/certfile/certtest"
	"github.com/fstore-dev/fstore/online/redis/redistest"
	"github.com/fstore-dev/fstore/tracing/tracingtest"
)

// Prometheus scrapes two jobs of servers. One has all that a server can have, and serves views whose next run is long overdue. Nothing is
// published in the other, so it fails every look-up. The alerts tell them apart. A third job has what the run left behind, as a node_exporter
// would, and a fourth what a round of monitor left. Every query of the dashboards has data, and exemplars name the traces of look-ups.
func TestPrometheusSeesLateViewsAndFailedLookups(t *testing.T) {
	prometheus := need(t, "prometheus", getPrometheus)
	late := newLateShop(t)
	fresh := newShop(t).serve()
	p := startPrometheus(t, prometheus, map[string]string{"fstore": late.metrics, "fstore-new": fresh.metrics, "node": serveFile(t, late.batch), "monitor": serveFile(t, late.round)})
	over := make(chan struct{})
	asking := make(chan struct{})
	go func() {
		defer close(asking)
		for {
			late.lookup(t, http.StatusOK)
			ask(t, "http://"+fresh.http, "", http.StatusConflict)
			select {
			case <-over:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	defer func() { close(over); <-asking }()

	want := []string{
		"FstoreCertificateExpires fstore", // certificates of tests are valid for an hour
		"FstoreErrorBudgetBurns fstore-new", "FstoreErrorBudgetBurnsFast fstore-new",
		"FstoreViewLate fstore customer_activity@1", "FstoreViewLate fstore customer_totals@1", "FstoreViewLate fstore shop@1",
	}
	eventually(t, "the alerts fire", func() error {
		got, err := p.firing()
		if err == nil && !slices.Equal(got, want) {
			err = fmt.Errorf("got %q", got)
		}
		return err
	})
	for _, d := range dashboards(t) {
		for _, panel := range d.Panels {
			for _, q := range panel.Targets {
				eventually(t, fmt.Sprintf("query %s of %q in %s has data: %s", q.RefID, panel.Title, d.UID, q.Expr), func() error { return p.has(q.Expr) })
			}
		}
	}
	eventually(t, "Prometheus has the exemplar of a trace", func() error { return p.names(late.traces) })
	if got, err := p.firing(); err != nil || !slices.Equal(got, want) {
		t.Errorf("at the end these alerts fire: %q %v", got, err)
	}
}

// lateShop is a server, a token for it, and the files of metrics that a run and a round of monitor before it have written.
type lateShop struct {
	*server
	token, batch, round string
	traces              *tracingtest.Collector
}

// newLateShop serves a shop that was published as of a day in 2025, over TLS, from Redis, with a cache, tokens, an audit log
// and traces.
func newLateShop(t *testing.T) lateShop {
	t.Helper()
	r := newShop(t, "FSTORE_ONLINE="+redistest.New(t).URL, "FSTORE_SERVE_CACHE=1MB", "FSTORE_SERVE_AUDIT=audit.jsonl")
	batch := filepath.Join(r.dir, "fstore.prom")
	r.must("materialize", "--leak-check", "off", "--to", "2025-12-01", "--metrics-file", batch)
	round := filepath.Join(r.dir, "monitor.prom")
	r.must("training-set", "create", "churn_2025", "--leak-check", "off", "--service", "churn", "--labels", "data/labels.parquet", "--out", "churn.parquet")
	r.must("model", "pin", "fraud", "1", "--training-set", "churn_2025")
	r.exits(4, "monitor", "--metrics-file", round) // its views are late
	token := strings.TrimSpace(r.must("token", "create", "test", "--tokens", "tokens.yaml", "--grant", "online:read@shop"))
	traces := tracingtest.Start(t)
	r.env = append(r.env, "FSTORE_SERVE_AUTH_TOKENS=tokens.yaml", "OTEL_EXPORTER_OTLP_ENDPOINT="+traces.URL, "OTEL_BSP_SCHEDULE_DELAY=500")
	pair := certtest.New(t, "ca", time.Now()).Issue(t, "server")
	return lateShop{r.serve("--tls-certificate", pair.Certificate, "--tls-key", pair.Key), token, batch, round, traces}
}

// serveFile serves a file at every path, and returns the address.
func serveFile(t *testing.T, path string) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, path) }))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func (s lateShop) lookup(t *testing.T, want int) { ask(t, "https://"+s.http, s.token, want) }

// ask looks up two customers of whom one does not exist, and fails the test if the status of the answer is another.
func ask(t *testing.T, address, token string, want int) {
	req, err := http.NewRequest(http.MethodPost, address+"/v1/online-features", strings.NewReader(`{"service":"churn","entities":{"customer_id":[12003,99999]}}`))
	if err != nil {
		t.Error(err)
		return
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := web.Do(req)
	if err != nil {
		t.Error(err)
		return
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != want {
		t.Errorf("a look-up got the status %d, want %d: %v %s", resp.StatusCode, want, err, text)
	}
}

// prometheus is a running one.
type prometheus struct{ url string }

// startPrometheus begins one that scrapes an address of each job every second and evaluates the rules as often.
func startPrometheus(t *testing.T, command string, jobs map[string]string) prometheus {
	t.Helper()
	rulesPath, err := filepath.Abs(rules)
	if err != nil {
		t.Fatal(err)
	}
	var config strings.Builder
	fmt.Fprintf(&config, "global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [%q]\nscrape_configs:\n", rulesPath)
	for name, address := range jobs {
		fmt.Fprintf(&config, "  - {job_name: %s, static_configs: [{targets: [%q]}]}\n", name, address)
	}
	dir := t.TempDir()
	write(t, dir, map[string]string{"prometheus.yml": config.String()})
	p := prometheus{"http://" + listening(t, exec.Command(command, "--config.file", filepath.Join(dir, "prometheus.yml"),
		"--storage.tsdb.path", filepath.Join(dir, "data"), "--enable-feature", "exemplar-storage"))}
	eventually(t, "Prometheus is ready", func() error {
		_, err := get(p.url + "/-/ready")
		return err
	})
	return p
}

// listensOn is the line of the log of Prometheus' programs that has the address.
var listensOn = regexp.MustCompile(`msg="Listening on" .*address=(\S+)`)

// listening starts a program of Prometheus on a free port of loopback and returns its address.
func listening(t *testing.T, cmd *exec.Cmd) (address string) {
	t.Helper()
	cmd.Args = append(cmd.Args, "--web.listen-address", "127.0.0.1:0")
	process := start(t, cmd)
	eventually(t, cmd.Path+" listens", func() error {
		ended := false
		select {
		case <-process.done:
			ended = true
		default:
		}
		log := process.log.String()
		if line := listensOn.FindStringSubmatch(log); line != nil {
			address = line[1]
			return nil
		}
		if ended {
			t.Fatalf("%s has ended; its log:\n%s", cmd.Path, log)
		}
		return errors.New("its log has no address")
	})
	return address
}

// answer asks Prometheus' API and decodes the data of its answer.
func (p prometheus) answer(path string, into any) error {
	text, err := get(p.url + path)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(text), &struct{ Data any }{into})
}

// firing returns the alerts that fire, in order: with their job, and their view if they have one.
func (p prometheus) firing() (names []string, err error) {
	var data struct {
		Alerts []struct {
			State  string
			Labels struct{ Alertname, Job, View, Version string }
		}
	}
	if err := p.answer("/api/v1/alerts", &data); err != nil {
		return nil, err
	}
	for _, a := range data.Alerts {
		if a.State != "firing" {
			continue
		}
		name := a.Labels.Alertname + " " + a.Labels.Job
		if a.Labels.View != "" {
			name += " " + a.Labels.View + "@" + a.Labels.Version
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

// names returns an error unless an exemplar of the latency names a trace that a collector got.
func (p prometheus) names(traces *tracingtest.Collector) error {
	var data []struct {
		Exemplars []struct{ Labels map[string]string }
	}
	now := time.Now().Unix()
	query := fmt.Sprintf("/api/v1/query_exemplars?query=fstore_request_duration_seconds_bucket&start=%d&end=%d", now-60, now+60)
	if err := p.answer(query, &data); err != nil {
		return err
	}
	known := map[string]bool{}
	for _, s := range traces.Named("GetOnlineFeatures") {
		known[s.Trace] = true
	}
	for _, series := range data {
		for _, e := range series.Exemplars {
			if known[e.Labels["trace_id"]] {
				return nil
			}
		}
	}
	return fmt.Errorf("%d series have exemplars, none of the %d traces", len(data), len(known))
}

// grafana are the variables that Grafana replaces in a query.
var grafana = strings.NewReplacer("$job", ".+", "$__rate_interval", "1m")

var unreplaced = regexp.MustCompile(`\$\w+`)

// has returns an error unless a panel's query returns numbers.
func (p prometheus) has(query string) error {
	query = grafana.Replace(query)
	if v := unreplaced.FindString(query); v != "" {
		return fmt.Errorf("Grafana would not know the variable %s", v)
	}
	var data struct {
		Result []struct{ Value [2]any }
	}
	if err := p.answer("/api/v1/query?query="+url.QueryEscape(query), &data); err != nil {
		return err
	}
	for _, sample := range data.Result {
		if n, err := strconv.ParseFloat(fmt.Sprint(sample.Value[1]), 64); err == nil && !math.IsNaN(n) {
			return nil
		}
	}
	return errors.New("no data")
}
