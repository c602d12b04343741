package deploy

import (
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// getPrometheus says how to get what the tests of rules and dashboards need.
const getPrometheus = "run make test-deploy, which installs it, or apt-get install prometheus"

const rules = folder + "/prometheus/fstore.rules.yml"

// ruleFile is what the tests read of a file of rules.
type ruleFile struct {
	Groups []struct {
		Rules []struct {
			Record, Alert, Expr string
			Labels, Annotations map[string]string
		}
	}
}

// alertTests is what the tests read of a file of tests for promtool.
type alertTests struct {
	Tests []struct {
		Alerts []struct {
			Name     string `yaml:"alertname"`
			Expected []any  `yaml:"exp_alerts"`
		} `yaml:"alert_rule_test"`
	}
}

func readYAML(t testing.TB, path string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(read(t, path)), into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func TestPromtoolAcceptsTheRules(t *testing.T) {
	promtool := need(t, "promtool", getPrometheus)
	for _, args := range [][]string{{"check", "rules", rules}, {"test", "rules", strings.TrimSuffix(rules, ".yml") + "_test.yml"}} {
		if out, err := exec.Command(promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// Each alert has a test in which it fires and one in which it does not, and says what is wrong and what to do.
func TestEveryAlertIsTested(t *testing.T) {
	var file ruleFile
	readYAML(t, rules, &file)
	var tests alertTests
	readYAML(t, strings.TrimSuffix(rules, ".yml")+"_test.yml", &tests)
	fires, quiet := map[string]bool{}, map[string]bool{}
	for _, test := range tests.Tests {
		for _, a := range test.Alerts {
			if len(a.Expected) > 0 {
				fires[a.Name] = true
			} else {
				quiet[a.Name] = true
			}
		}
	}
	alerts := 0
	for _, group := range file.Groups {
		for _, r := range group.Rules {
			if r.Alert == "" {
				continue
			}
			alerts++
			if !fires[r.Alert] || !quiet[r.Alert] {
				t.Errorf("%s: a test in which it fires: %t, and one in which it does not: %t", r.Alert, fires[r.Alert], quiet[r.Alert])
			}
			if r.Annotations["summary"] == "" || r.Annotations["description"] == "" || !slices.Contains([]string{"warning", "critical"}, r.Labels["severity"]) {
				t.Errorf("%s lacks a summary, a description or a severity", r.Alert)
			}
		}
	}
	if alerts < 15 {
		t.Errorf("%d alerts were found", alerts)
	}
}

// Rules and dashboards name only metrics that docs/operations.md and docs/monitoring.md list, or that the rules record, or that Prometheus and its client
// library have in every process.
func TestRulesAndDashboardsNameDocumentedMetrics(t *testing.T) {
	known := []string{"up", "process_cpu_seconds_total", "process_resident_memory_bytes", "process_start_time_seconds", "go_goroutines"}
	documented := read(t, "../../docs/operations.md") + read(t, "../../docs/monitoring.md")
	for _, m := range regexp.MustCompile("`(fstore_[a-z_]+)`").FindAllStringSubmatch(documented, -1) {
		known = append(known, m[1], m[1]+"_bucket")
	}
	var file ruleFile
	readYAML(t, rules, &file)
	queries := map[string]string{} // by where they are
	for _, group := range file.Groups {
		for _, r := range group.Rules {
			known = append(known, r.Record)
			queries[r.Record+r.Alert] = r.Expr
		}
	}
	for _, d := range dashboards(t) {
		for _, p := range d.Panels {
			for _, q := range p.Targets {
				queries[fmt.Sprintf("%s, panel %q, query %s", d.UID, p.Title, q.RefID)] = q.Expr
			}
		}
	}
	for where, query := range queries {
		names := metricNames(query)
		if len(names) == 0 {
			t.Errorf("%s: no metric was found in %s", where, query)
		}
		for _, name := range names {
			if !slices.Contains(known, name) {
				t.Errorf("%s: there is no metric %s", where, name)
			}
		}
	}
}

// The documentation of metrics names only alerts that there are.
func TestDocumentedAlertsExist(t *testing.T) {
	var file ruleFile
	readYAML(t, rules, &file)
	alerts := map[string]bool{}
	for _, group := range file.Groups {
		for _, r := range group.Rules {
			alerts[r.Alert] = true
		}
	}
	named := regexp.MustCompile("`(Fstore[A-Za-z]+)`").FindAllStringSubmatch(read(t, "../../docs/operations.md")+read(t, "../../docs/monitoring.md"), -1)
	if len(named) < 8 {
		t.Errorf("%d alerts are named", len(named))
	}
	for _, m := range named {
		if !alerts[m[1]] {
			t.Errorf("there is no alert %s", m[1])
		}
	}
}

var (
	quoted   = regexp.MustCompile(`"[^"]*"`)
	selector = regexp.MustCompile(`\{[^}]*\}|\[[^\]]*\]|\b(by|on|ignoring)\s*\([^)]*\)`)
	word     = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*`)
	language = strings.Fields(`absent and avg_over_time bool changes count group_left histogram_quantile increase last_over_time max min or rate sum time`)
)

// metricNames returns the names of metrics in a query: the words that are not PromQL's own and not names of labels.
func metricNames(query string) (names []string) {
	query = selector.ReplaceAllString(quoted.ReplaceAllString(query, `""`), " ")
	for _, w := range word.FindAllString(query, -1) {
		if !slices.Contains(language, w) {
			names = append(names, w)
		}
	}
	return names
}
