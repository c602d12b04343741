package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/mlflow/mlflowtest"
	"github.com/fstore-dev/fstore/internal/schematest"
	"github.com/fstore-dev/fstore/internal/terminal"
)

const schemasOfOutput = "../../docs/commands/schema/"

// TestTheJSONIsAsItsSchemaSays runs every command with --output json and checks what it prints against the command's
// schema in docs/commands/schema. Every member that a schema names must be printed by one of the runs or be rare.
func TestTheJSONIsAsItsSchemaSays(t *testing.T) {
	sh := newRepo(t, "apply --yes", "materialize --to 2025-12-01",
		"training-set create quick --features 'customer_orders.*' --labels data/labels.parquet --out quick.parquet")
	sh.run("fstore model pin fraud 1 --service churn && fstore model alias fraud champion 1")
	sh.run("sed -i.old 's/ttl: 30d/ttl: 60d/' customer.yaml; sed -i.old 's/delay: 30m/delay: 40m/' activity.yaml; sed -i.old 's/as: last_large_order/as: large/' services.yaml; rm *.old")
	sh.run("cat >> services.yaml << 'END'\n" + parcels + "END")
	sh.run("printf 'customer_id,event_timestamp,weight\\n12003,2025-06-01,0\\n' > sent.csv") // midnight, and by zero
	sh.run("printf 'country\\nAtlantis\\nFrance\\n' > unseen.csv")
	t.Setenv("MLFLOW_TRACKING_URI", mlflowtest.New(t, map[string]*mlflowtest.Model{"fraud": {
		Versions: map[string]map[string]string{"1": {"fstore.pin": "0123"}, "2": {}, "3": {}},
		Aliases:  map[string]string{"champion": "2", "8th": "1"},
	}}).URL)
	server := startServer(t, sh.dir)
	schemas := schematest.New()
	for _, run := range []struct{ schema, command string }{
		{"init", "init other"},
		{"init", "init proposed --from data"},
		{"validate", "validate"},
		{"plan", "plan --check-leaks"},
		{"list", "list"},
		{"list_entities", "list entities"},
		{"list_sources", "list sources"},
		{"list_views", "list views"},
		{"list_services", "list services"},
		{"list_on_demand_views", "list on_demand_views"},
		{"list_commits", "list commits"},
		{"list_models", "list models"},
		{"show", "show view/shop"},
		{"show", "show customer_orders"},
		{"show", "show customer_profile"},
		{"show", "show churn"},
		{"show", "show recommend"},
		{"show", "show customer"},
		{"show", "show lines"},
		{"query", "query customer_orders --limit 2"},
		{"training-set_preview", "training-set preview --service churn --labels data/labels.parquet --out preview.parquet"},
		{"training-set_create", "training-set create quick --features customer_orders.* --labels data/labels.parquet --out quick.parquet"},
		{"training-set_list", "training-set list"},
		{"training-set_show", "training-set show quick"},
		{"training-set_create", "training-set create again --service churn --labels data/labels.parquet --out again.parquet"},
		{"training-set_verify", "training-set verify quick"},
		{"training-set_rebuild", "training-set rebuild quick --out quick_again.parquet"},
		{"training-set_diff", "training-set diff quick again"},
		{"apply", "apply --yes --breaking --message changed"},
		{"apply", "apply --yes"},
		{"list", "list"},
		{"list_services", "list services"},
		{"list_on_demand_views", "list on_demand_views"},
		{"training-set_create", "training-set create sent --features parcel.* --labels sent.csv --out sent.parquet"},
		{"training-set_diff", "training-set diff quick sent"},
		{"show", "show parcel"},
		{"show", "show parcels"},
		{"model_pin", "model pin parcels 1 --service parcels"},
		{"model_show", "model show parcels@1"},
		{"materialize", "materialize --to 2025-12-01"},
		{"get", "get --service churn --entity customer_id=12003 --entity customer_id=99999 --event-timestamps"},
		{"get", "get --model fraud@champion --entity customer_id=12003"},
		{"get", "get --service payment --entity customer_id=12003,cart_value=250"},
		{"model_pin", "model pin fraud 2 --training-set again"},
		{"model_list", "model list"},
		{"model_show", "model show fraud@1"},
		{"model_show", "model show fraud"},
		{"model_pin", "model pin models:/fraud@champion --training-set again"},
		{"model_sync", "model sync --dry-run"},
		{"model_sync", "model sync"},
		{"model_alias", "model alias fraud champion 2"},
		{"model_unpin", "model unpin fraud 1"},
		{"training-set_create", "training-set create again --replace --service churn --labels data/labels.parquet --out new.parquet"},
		{"training-set_list", "training-set list"},
		{"training-set_diff", "training-set diff quick again"},
		{"freshness", "freshness"},
		{"drift", "drift --reference quick --current quick --min-rows 20 --window 90d --by month --threshold auto"},
		{"drift", "drift --reference quick --current quick --threshold auto"},
		{"notify", "notify"},
		{"drift", "drift --reference again --current store --min-rows 20"},
		{"drift", "drift --reference again --current unseen.csv --min-rows 1"},
		{"check", "check"},
		{"check", "check --history"},
		{"monitor", "monitor"},
		{"monitor", "monitor --history"},
		{"verify", "verify"},
		{"verify", "verify --causal"},
		{"verify", "verify --model fraud@champion --sample 5"},
		{"gc", "gc --dry-run --grace 0s"},
		{"gc", "gc --grace 0s"},
		{"token_create", "token create one --tokens .fstore/tokens.yaml --grant online:read@shop --expires 90d"},
		{"token_list", "token list --tokens .fstore/tokens.yaml"},
		{"bench", "bench --grpc " + server + " --service churn --duration 200ms --warmup 0s --fail-errors 100%"},
		{"bench", "bench --grpc " + server + " --model fraud@champion --duration 200ms --warmup 0s --rate 100"},
		{"bench", "bench --grpc " + server + " --features customer_orders.* --duration 200ms --warmup 0s"},
		{"doctor", "doctor"},
		{"version", "version"},
	} {
		clock := ""
		if slices.Contains([]string{"doctor", "freshness", "monitor"}, run.schema) {
			clock = "2025-12-01T00:30:00Z" // nothing is late then
		}
		t.Setenv("CLOCK", clock)
		for line := range bytes.Lines(sh.json(run.command)) {
			var v any
			if err := json.Unmarshal(line, &v); err != nil {
				t.Fatalf("%s: %v in %s", run.command, err, line)
			}
			if wrong := schemas.Violations(schemasOfOutput+run.schema+".json", v); len(wrong) > 0 {
				t.Errorf("fstore %s is not as docs/commands/schema/%s.json says:\n%s", run.command, run.schema, strings.Join(wrong, "\n"))
			}
		}
	}
	for _, file := range pages(t, schemasOfOutput+"*.json") {
		for _, member := range schemas.Unmet(file) {
			if !slices.Contains(rare, member) && !slices.Contains([]string{"serve.json", "messages.json"}, filepath.Base(file)) {
				t.Errorf("no command printed %s of %s: run one that does, or add it to rare", member, filepath.Base(file))
			}
		}
	}
}

// startServer starts a server of a repo, which ends with the test, and returns its address of gRPC.
func startServer(t *testing.T, dir string) string {
	t.Helper()
	cmd := exec.Command("fstore", "serve", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--stop-on-eof")
	cmd.Dir = dir
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "grpc ")
	if err != nil || !ok {
		t.Fatalf("serve printed %q: %v", line, err)
	}
	return address
}

// parcels adds an on-demand view and a service of it to a repo.
const parcels = `
---
kind: on_demand_view
name: parcel
request:
  - {name: weight, type: float64, description: Of the parcel, default: 1, log: false}
uses: [{ref: customer_orders.order_value, as: last}]
features:
  - {name: value_by_weight, type: float64, expression: "last.order_value / weight", default: 0, description: In pounds by kilogram}
  - {name: parcels_per_box, type: int64, expression: "30 / int64(weight)"}
  - {name: hour, type: int64, expression: hour(at)}
description: A parcel that is about to be sent
owner: parcels@example.com
tags: {tier: gold}
---
kind: feature_service
name: parcels
request: {weight: kilograms}
features: [parcel.value_by_weight]
`

// rare are members that take a failure, an interruption or a rare state to print. Where scripts print them, main checks
// them too.
var rare = []string{
	"bench.failures", "bench.failures.example", "bench.failures.kind", "bench.failures.requests", "bench.stopped", "bench.unfinished",
	"causality.hint", "check.checks.results.sample", "check.unchecked", "causality.leak", "causality.problem", "column_difference.rows", "commit.dirty", "commit.git_revision", "doctor.checks.hint", "freshness.views.late_seconds", "gc.kept", "gc.leases", "gc.snapshots",
	"get.clock", "get.replayed", "get.versions.stale", "init.missing", "input.found", "input.kept", "listed_entity.owner", "listed_entity.tags", "listed_service.tags",
	"listed_source.owner", "listed_source.tags", "listed_view.offline", "materialize.accepted", "materialize.causality", "materialize.error", "materialize.finished", "materialize.left", "materialize.refused",
	"materialize.seconds.check", "materialize.seconds.finish", "materialize.skipped", "materialize.warning", "model.set_retired", "model_pin.aliases", "model_pin.set_retired",
	"plan.causality", "plan.forgotten", "plan.models.keeps", "plan.warnings", "problem.hint", "problem.message", "problem.position", "position.col",
	"position.file", "position.line", "rebuild.build_changed", "rebuild.lock_file", "rebuild.out", "rebuild.settings", "show.entity.owner", "show.entity.tags",
	"feature_ref.keys", "on_demand_input.on_demand", "on_demand_view.features.owner", "on_demand_view.features.tags", "show.service.service.tags", "training-set_create.dropped_rows", "training-set_create.dvc_file",
	"training-set_diff.definitions.old", "training-set_diff.inputs.from", "training-set_rebuild.build_changed", "training-set_rebuild.settings", "training-set_show.retired",
	"token_list.certificate", "token_list.expired", "training-set_show.service", "training-set_verify.causality.hint", "training-set_verify.causality.problem", "training-set_verify.problem", "verify.views.differences", "verify.views.hint", "verify.views.problem",
	"verify.views.run_at",
	"monitor.skipped", "monitor.models.errors", "monitor.models.more", "monitor.history.rounds.errors", "monitor.history.rounds.more",
	"monitor_drift.features.check", "monitor_drift.features.feature", "monitor_drift.features.score", "monitor_drift.features.threshold", "monitor_drift.features.view", "monitor_drift.from", "monitor_drift.to",
	"monitor_firing.event", "monitor_firing.subject", "monitor_firing.summary", // monitor.txtar
	"show.service.service.max_staleness", "show.service.service.monitor", // max_staleness.txtar, monitor.txtar
	"notify.ok", "notify.tests", "notify.targets.events", "notify.targets.format", "notify.targets.host", "notify.targets.name",
	"notify.alerts.at", "notify.alerts.details", "notify.alerts.event", "notify.alerts.found_by", "notify.alerts.id", "notify.alerts.link", "notify.alerts.project", "notify.alerts.since", "notify.alerts.state", "notify.alerts.subject", "notify.alerts.summary", "notify.alerts.targets", // TestNotify
	"skew.ok", "skew.logged", "skew.compared", "skew.not_compared", "skew.unreadable_files", "skew.unreadable", "skew.values", "skew.views", "skew.differences", "skew.not_provable", // skew.txtar
	"outcomes_join.name", "outcomes_join.out", "outcomes_join.lock_file", "outcomes_join.rows", "outcomes_join.labels", "outcomes_join.views", "outcomes_join.seconds", "outcomes_join.served", // outcomes.txtar
	"outcomes_performance.task", "outcomes_performance.label", "outcomes_performance.prediction", "outcomes_performance.timestamp", "outcomes_performance.threshold", "outcomes_performance.min_rows", "outcomes_performance.by", "outcomes_performance.current", "outcomes_performance.reference", "outcomes_performance.difference", "outcomes_performance.windows", // performance.txtar
	"outcomes_join.request", "outcomes_join.existing", "outcomes_join.dvc_file", // outcomes.txtar
	"side.served_log", "served_log.lists", "served_log.samples", "served_log.other_versions", "served_log.unreadable_files", "served_log.unreadable", "served_log.lost_rows", // drift_served.txtar
	"feature.look_ups", "feature.windows.look_ups", "look_ups.not_found", "look_ups.outside_max_age",
}

// checkedMain is main, but it also checks every JSON document that a command prints against the command's schema, in
// every test and script. If one does not match, the program exits with status 99.
func checkedMain() {
	if at, err := fstore.ParseTime(os.Getenv("CLOCK")); err == nil { // every command of a script begins then
		began := time.Now()
		clock = func() time.Time { return at.Add(time.Since(began)) }
	}
	if patience, err := time.ParseDuration(os.Getenv("TRACE_PATIENCE")); err == nil {
		tracePatience = patience
	}
	var printed bytes.Buffer
	stdout := io.MultiWriter(os.Stdout, &printed)
	if terminal.IsTerminal(os.Stdout) { // fstore must see that it is one
		stdout = os.Stdout
	}
	status := run(os.Args[1:], os.Stdin, stdout, os.Stderr)
	if schema := schemaOf(os.Args[1:]); schema != "" {
		_, here, _, _ := runtime.Caller(0)
		path := filepath.Join(filepath.Dir(here), schemasOfOutput, schema+".json")
		schemas, decoder := schematest.New(), json.NewDecoder(&printed)
		for {
			var v any
			if err := decoder.Decode(&v); err != nil {
				break // the end; or output that was cut off, which its own test looks at
			}
			if wrong := schemas.Violations(path, v); len(wrong) > 0 {
				fmt.Fprintf(os.Stderr, "%q prints what %s.json does not allow:\n%s\n", os.Args[1:], schema, strings.Join(wrong, "\n"))
				status = 99
			}
		}
	}
	os.Exit(status)
}

// schemaOf returns the name of the schema of what a command prints; "" if it prints no JSON.
func schemaOf(args []string) string {
	a := &app{lookup: os.LookupEnv}
	root := a.command()
	cmd, rest, err := root.Find(args)
	if err != nil || cmd.ParseFlags(rest) != nil || a.output != "json" || cmd.HasSubCommands() {
		return ""
	}
	name := strings.ReplaceAll(strings.TrimPrefix(cmd.CommandPath(), "fstore "), " ", "_")
	if kinds := cmd.Flags().Args(); name == "list" && len(kinds) > 0 {
		name += "_" + kinds[0]
	}
	if model := cmd.Flags().Args(); name == "show" && len(model) > 0 && strings.HasPrefix(model[0], "model/") {
		name = "model_show"
	}
	return name
}
