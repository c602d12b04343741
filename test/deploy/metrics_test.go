package deploy

import (
	"encoding/json"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// batches are the commands that leave metrics behind, with arguments that let them succeed after the first.
var batches = [][]string{
	{"materialize", "--leak-check", "off", "--to", "2025-12-01"},
	{"verify"},
	{"gc"},
	{"training-set", "create", "churn_2025", "--service", "churn", "--labels", "data/labels.parquet", "--out", "churn.parquet"},
}

// promtool finds nothing to mend in what a server and the commands write: names, units, types and help.
func TestPromtoolAcceptsTheMetrics(t *testing.T) {
	promtool := need(t, "promtool", getPrometheus)
	r := newShop(t, "FSTORE_SERVE_CACHE=1MB", "FSTORE_SERVE_AUDIT=audit.jsonl")
	texts := map[string]string{}
	for _, command := range batches {
		file := filepath.Join(r.dir, "fstore.prom")
		r.must(append(command, "--metrics-file", file)...)
		texts[command[0]] = read(t, file)
	}
	s := r.serve()
	ask(t, "http://"+s.http, "", http.StatusOK)
	metrics, err := get("http://" + s.metrics + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	texts["serve"] = metrics
	texts["a counter without _total"] = "# HELP fstore_runs Runs.\n# TYPE fstore_runs counter\nfstore_runs 1\n"
	for name, text := range texts {
		cmd := exec.Command(promtool, "check", "metrics")
		cmd.Stdin = strings.NewReader(text)
		out, err := cmd.CombinedOutput()
		if accepted := err == nil; accepted != (name != "a counter without _total") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// A Pushgateway keeps the metrics of each command in a group of its own, takes them again from a later run, and shows what it would show
// to Prometheus.
func TestAPushgatewayTakesTheMetrics(t *testing.T) {
	gateway := need(t, "prometheus-pushgateway", getPrometheus)
	// Debian's keeps its metrics in a file that all gateways of a machine share, unless it is told another.
	address := listening(t, exec.Command(gateway, "--persistence.file", filepath.Join(t.TempDir(), "metrics")))
	eventually(t, "the Pushgateway is ready", func() error {
		_, err := get("http://" + address + "/-/ready")
		return err
	})
	r := newShop(t)
	for _, command := range append(batches[:3:3], batches[2]) { // gc twice
		r.must(append(command, "--pushgateway", "http://"+address)...)
	}
	text, err := get("http://" + address + "/api/v1/metrics")
	if err != nil {
		t.Fatal(err)
	}
	var groups struct {
		Data []struct {
			Labels map[string]string `json:"labels"`
			Pushed bool              `json:"last_push_successful"`
			Status struct {
				Metrics []struct{ Value string }
			} `json:"fstore_batch_last_exit_status"`
		}
	}
	if err := json.Unmarshal([]byte(text), &groups); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, g := range groups.Data {
		if g.Labels["job"] == "fstore" && g.Labels["project"] == "shop" && g.Pushed && len(g.Status.Metrics) == 1 {
			got[g.Labels["command"]] = g.Status.Metrics[0].Value
		}
	}
	if len(groups.Data) != 3 || got["materialize"] != "0" || got["verify"] != "0" || got["gc"] != "0" {
		t.Errorf("%d groups, with the exit statuses %v\n%.2000s", len(groups.Data), got, text)
	}
}
