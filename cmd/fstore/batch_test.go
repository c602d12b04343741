package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// measured runs a command and returns its stderr and exit status.
func (s *shell) measured(args ...string) (stderr string, status int) {
	cmd := exec.Command("fstore", args...)
	cmd.Dir = s.dir
	var messages bytes.Buffer
	cmd.Stderr = &messages
	_ = cmd.Run()
	return messages.String(), cmd.ProcessState.ExitCode()
}

// metric returns the value of a series in a text of Prometheus, or "".
func metric(text, series string) string {
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(series) + ` (.*)$`).FindStringSubmatch(text)
	if m == nil {
		return ""
	}
	return m[1]
}

func TestMetricsOfBatchCommandsInAFile(t *testing.T) {
	sh := newRepo(t, "apply --yes")
	path := filepath.Join(sh.dir, "fstore.prom")
	materialize := func(wantStatus int, args ...string) string {
		t.Helper()
		stderr, status := sh.measured(append([]string{"materialize", "--leak-check", "off", "--metrics-file", "fstore.prom"}, args...)...)
		if status != wantStatus || strings.Contains(stderr, "warning: ") {
			t.Fatalf("%q: exit status %d\n%s", args, status, stderr)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	const labels = `{command="materialize",project="shop"}`
	of := func(view string) string { return `{command="materialize",project="shop",` + view + `}` }

	first := materialize(statusDone, "--to", "2025-12-01")
	success := metric(first, lastSuccess+labels)
	if success == "" || success != metric(first, "fstore_batch_last_run_timestamp_seconds"+labels) || metric(first, "fstore_batch_last_exit_status"+labels) != "0" {
		t.Errorf("after a success:\n%s", first)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("%v, %v: others must be able to read the file", info.Mode(), err)
	}
	orders := of(`version="1",view="customer_orders"`)
	keys := metric(first, "fstore_materialize_last_keys"+orders)
	if keys == "" || keys == "0" || keys != metric(first, "fstore_materialize_last_written_records"+orders) || metric(first, "fstore_materialize_last_failed"+orders) != "0" {
		t.Errorf("of customer_orders:\n%s", first)
	}
	for _, stage := range []string{"check", "finish", "compute", "write", "publish", "clean"} {
		if metric(first, "fstore_materialize_last_stage_duration_seconds"+of(`stage="`+stage+`",version="1",view="customer_orders"`)) == "" {
			t.Errorf("stage %s is missing", stage)
		}
	}

	second := materialize(statusFailed, "--to", "2025-11-01", "customer_orders") // before the published instant
	if metric(second, lastSuccess+labels) != success || metric(second, "fstore_batch_last_exit_status"+labels) != "1" ||
		metric(second, "fstore_materialize_last_failed"+orders) != "1" || metric(second, "fstore_materialize_last_keys"+orders) != "" {
		t.Errorf("after a failure:\n%s\nwant the last success %s", second, success)
	}
	if third := materialize(statusFailed, "nothing"); metric(third, lastSuccess+labels) != success {
		t.Errorf("after a second failure:\n%s", third)
	}
	sh.run("mv fstore.yaml aside.yaml && echo 'nope: 1' > fstore.yaml")
	if fourth := materialize(statusDefinition); metric(fourth, lastSuccess+labels) != success || metric(fourth, "fstore_batch_last_exit_status"+labels) != "3" {
		t.Errorf("after settings that cannot be used:\n%s", fourth)
	}
	sh.run("mv aside.yaml fstore.yaml")
	if left, err := filepath.Glob(path + "?*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
	if stderr, status := sh.measured("verify", "--metrics-file", "nowhere/x.prom"); status != statusDone || !strings.Contains(stderr, "warning: the metrics of this run are not in nowhere/x.prom: ") {
		t.Errorf("a file that cannot be written: exit status %d\n%s", status, stderr)
	}
	if stderr, status := sh.measured("gc", "--metrics-file", "data"); status != statusDone || !strings.Contains(stderr, "not a regular file") {
		t.Errorf("a folder: exit status %d\n%s", status, stderr)
	}
}

// pushed is a request that a gateway got.
type pushed struct{ method, path, body, user string }

// inGroup reports whether a request names the group of a command. The labels of a group have no order.
func (p pushed) inGroup(command string) bool {
	group, ok := strings.CutPrefix(p.path, "/metrics/job/fstore")
	return ok && (group == "/project/shop/command/"+command || group == "/command/"+command+"/project/shop")
}

func TestMetricsOfBatchCommandsArePushed(t *testing.T) {
	answers, got := make(chan int, 1), make(chan pushed, 1)
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		var text strings.Builder
		families := expfmt.NewDecoder(bytes.NewReader(body), expfmt.ResponseFormat(r.Header))
		out := expfmt.NewEncoder(&text, expfmt.NewFormat(expfmt.TypeTextPlain))
		for f := new(dto.MetricFamily); families.Decode(f) == nil; f = new(dto.MetricFamily) {
			if err := out.Encode(f); err != nil {
				t.Error(err)
			}
		}
		user, password, _ := r.BasicAuth()
		got <- pushed{r.Method, r.URL.Path, text.String(), user + ":" + password}
		w.WriteHeader(<-answers)
		_, _ = io.WriteString(w, strings.Repeat("no\n", 1<<20))
	}))
	defer gateway.Close()
	url := strings.Replace(gateway.URL, "http://", "http://me:s3cret@", 1)
	sh := newRepo(t, "apply --yes")
	run := func(answer, want int, args ...string) (string, pushed) {
		t.Helper()
		answers <- answer
		stderr, status := sh.measured(append(args, "--pushgateway", url)...)
		if status != want || strings.Contains(stderr, "s3cret") || len(stderr) > 8<<10 {
			t.Fatalf("%q: exit status %d\n%.9000s", args, status, stderr)
		}
		return stderr, <-got
	}

	_, success := run(http.StatusOK, statusDone, "materialize", "--leak-check", "off", "--to", "2025-12-01")
	if success.method != http.MethodPut || !success.inGroup("materialize") || success.user != "me:s3cret" {
		t.Errorf("a success: %+v", success)
	}
	if metric(success.body, lastSuccess) == "" || metric(success.body, "fstore_batch_last_exit_status") != "0" || metric(success.body, `fstore_materialize_last_failed{version="1",view="shop"}`) != "0" {
		t.Errorf("a success:\n%s", success.body)
	}
	_, failure := run(http.StatusAccepted, statusFailed, "materialize", "--to", "2025-11-01")
	if failure.method != http.MethodPost || !failure.inGroup("materialize") || metric(failure.body, lastSuccess) != "" || metric(failure.body, "fstore_batch_last_exit_status") != "1" {
		t.Errorf("a failure: %+v", failure)
	}
	if _, set := run(http.StatusOK, statusDone, "training-set", "create", "one", "--service", "churn", "--labels", "data/labels.parquet", "--out", "one.parquet"); !set.inGroup("training-set_create") {
		t.Errorf("a training set: %s", set.path)
	}
	if stderr, _ := run(http.StatusInternalServerError, statusDone, "gc"); !strings.Contains(stderr, "warning: the metrics of this run did not reach the Pushgateway at http://me:xxxxx@") || !strings.Contains(stderr, "status code 500") {
		t.Errorf("a gateway that refuses: %.500s", stderr)
	}
	gateway.Close()
	if stderr, status := sh.measured("gc", "--pushgateway", url); status != statusDone || !strings.Contains(stderr, "warning: the metrics of this run did not reach the Pushgateway at ") || strings.Contains(stderr, "s3cret") {
		t.Errorf("a gateway that is away: exit status %d\n%s", status, stderr)
	}
	if stderr, status := sh.measured("gc", "--pushgateway", "gateway:9091"); status != statusUsage || !strings.Contains(stderr, "http://pushgateway:9091") {
		t.Errorf("no URL: exit status %d\n%s", status, stderr)
	}
}
