package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/fstore-dev/fstore/internal/terminal"
	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/regular"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/push"
	"github.com/spf13/cobra"
)

// The bounds of metrics that leave the program.
const (
	pushPatience = 5 * time.Second        // for a Pushgateway
	pushFarewell = 300 * time.Millisecond // likewise once the program is to stop: less than patience
	maxMetrics   = 16 << 20               // bytes of the file that a run before has written
	maxReply     = 4 << 10                // bytes of a Pushgateway's answer
)

// batch is the run of a command that writes metrics about itself when it ends. A nil batch measures nothing.
type batch struct {
	file    string   // --metrics-file
	gateway *url.URL // --pushgateway; nil: none

	project, command string // labels; project is empty until the repo is open
	success          bool
	silent           bool // nothing is written when the command ends
	keep             bool // the file stays as it is; a Pushgateway keeps by itself what a failure does not replace
	all              []prometheus.Collector
}

const lastSuccess = "fstore_batch_last_success_timestamp_seconds"

// measured adds --metrics-file and --pushgateway to a command.
func (a *app) measured(cmd *cobra.Command) *cobra.Command {
	var file, gateway string
	cmd.Flags().StringVar(&file, "metrics-file", "", "write metrics of the run to this file, FILE.prom, for the textfile collector of node_exporter")
	cmd.Flags().StringVar(&gateway, "pushgateway", "", "push metrics of the run to the Prometheus Pushgateway at this URL")
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if file == "" && gateway == "" {
			return run(cmd, args)
		}
		b := &batch{file: file, command: strings.ReplaceAll(strings.TrimPrefix(cmd.CommandPath(), "fstore "), " ", "_")}
		if gateway != "" {
			u, err := url.Parse(gateway)
			if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
				return usage.Errorf(nil, "--pushgateway is not the URL of a server").WithHint("for example http://pushgateway:9091")
			}
			password, _ := u.User.Password()
			a.addSecret(password)
			b.gateway = u
		}
		a.batch = b
		began := a.now()
		err := run(cmd, args)
		a.writeMetrics(cmd.Context(), began, err)
		return err
	}
	return cmd
}

// writeMetrics writes and pushes the metrics of a command, or of a round of one that goes on, unless it is silent. Afterwards it is.
func (a *app) writeMetrics(ctx context.Context, began time.Time, err error) {
	b := a.batch
	if b == nil || b.silent {
		return
	}
	b.ended(began, a.now(), status(err))
	for _, lost := range b.publish(ctx) {
		a.warn(terminal.InCell(lost.Error()))
	}
	b.all, b.silent = nil, true
}

// gauge adds a metric with the values of its labels.
func (b *batch) gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	b.all = append(b.all, g)
	return g
}

// ended records how the run went.
func (b *batch) ended(began, now time.Time, exit int) {
	b.success = exit == statusDone
	b.gauge("fstore_batch_last_run_timestamp_seconds", "When the last run ended.").WithLabelValues().Set(seconds(now))
	b.gauge("fstore_batch_last_duration_seconds", "How long the last run took.").WithLabelValues().Set(now.Sub(began).Seconds())
	b.gauge("fstore_batch_last_exit_status", "The exit status of the last run; 0 is success.").WithLabelValues().Set(float64(exit))
	success, at := seconds(now), b.success
	if !b.success {
		success, at = b.earlierSuccess()
	}
	if at {
		b.gauge(lastSuccess, "When the last run that succeeded ended.").WithLabelValues().Set(success)
	}
}

func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

// materialized records what a run of materialize did to each view.
func (b *batch) materialized(views []materialize.Summary) {
	if b == nil {
		return
	}
	by := []string{"view", "version"}
	failed := b.gauge("fstore_materialize_last_failed", "1 if the last run of the view failed, else 0.", by...)
	refused := b.gauge("fstore_materialize_last_refused", "1 if the last run of the view computed a result and refused to publish it, else 0.", by...)
	accepted := b.gauge("fstore_materialize_last_accepted", "1 if the last run of the view published a result that --accept named, else 0.", by...)
	keys := b.gauge("fstore_materialize_last_keys", "Keys of the view as of the published instant.", by...)
	written := b.gauge("fstore_materialize_last_written_records", "Records that the last run wrote.", by...)
	deleted := b.gauge("fstore_materialize_last_deleted_records", "Records that the last run deleted.", by...)
	size := b.gauge("fstore_materialize_last_written_bytes", "Bytes of the keys and records that the last run wrote.", by...)
	stages := b.gauge("fstore_materialize_last_stage_duration_seconds", "How long each stage of the last run took.", append(by, "stage")...)
	for i := range views {
		s := &views[i]
		view, version := s.View.Name, strconv.Itoa(s.View.Version)
		failed.WithLabelValues(view, version).Set(truth(s.Error != ""))
		refused.WithLabelValues(view, version).Set(truth(s.Refused != nil))
		accepted.WithLabelValues(view, version).Set(truth(s.Accepted != ""))
		written.WithLabelValues(view, version).Set(float64(s.Written))
		deleted.WithLabelValues(view, version).Set(float64(s.Deleted))
		size.WithLabelValues(view, version).Set(float64(s.Bytes))
		if !s.Published.IsZero() {
			keys.WithLabelValues(view, version).Set(float64(s.Keys))
		}
		for stage, took := range map[string]float64{
			"check": s.Seconds.Check, "finish": s.Seconds.Finish, "compute": s.Seconds.Compute,
			"write": s.Seconds.Write, "publish": s.Seconds.Publish, "clean": s.Seconds.Clean,
		} {
			stages.WithLabelValues(view, version, stage).Set(took)
		}
	}
}

// truth is 1 if a condition holds, else 0.
func truth(holds bool) float64 {
	if holds {
		return 1
	}
	return 0
}

// publish writes the metrics and pushes them. It returns what could not be done.
func (b *batch) publish(ctx context.Context) (lost []error) {
	if b.file != "" && !b.keep {
		if err := b.write(); err != nil {
			lost = append(lost, fmt.Errorf("the metrics of this run are not in %s: %w", b.file, err))
		}
	}
	if b.gateway != nil {
		if err := b.push(ctx); err != nil {
			lost = append(lost, fmt.Errorf("the metrics of this run did not reach the Pushgateway at %s: %w", b.gateway.Redacted(), err))
		}
	}
	return lost
}

// write replaces the file by a rename, so that a collector always reads a whole one.
func (b *batch) write() error {
	if info, err := os.Lstat(b.file); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("it is not a regular file")
	}
	registry := prometheus.NewRegistry()
	prometheus.WrapRegistererWith(prometheus.Labels{"project": b.project, "command": b.command}, registry).MustRegister(b.all...)
	return prometheus.WriteToTextfile(b.file, registry)
}

// earlierSuccess returns the last success that an earlier run has written to the file. A Pushgateway keeps it by itself.
// If the repo could not be opened, the file says of which project it is.
func (b *batch) earlierSuccess() (at float64, ok bool) {
	if b.file == "" {
		return 0, false
	}
	f, err := regular.Open(b.file, maxMetrics)
	if err != nil {
		return 0, false
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		return 0, false
	}
	series := regexp.MustCompile(`(?m)^` + lastSuccess + `\{command="` + b.command + `",project="([^"\\]+)"\} (.+)$`)
	for _, m := range series.FindAllStringSubmatch(string(text), -1) {
		if b.project == "" || b.project == m[1] {
			b.project = m[1]
			at, err = strconv.ParseFloat(m[2], 64)
			return at, err == nil
		}
	}
	return 0, false
}

// push sends the metrics to the group of the project and the command. A success replaces the group. A failure replaces
// only metrics that it has, so the last success stays.
func (b *batch) push(ctx context.Context) error {
	if b.project == "" {
		return fmt.Errorf("the repo could not be opened, so the project is not known")
	}
	limit := pushPatience
	if ctx.Err() != nil {
		limit = pushFarewell
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	bare := *b.gateway
	bare.User = nil // an error names the URL
	pusher := push.New(bare.String(), "fstore").Grouping("project", b.project).Grouping("command", b.command).Client(bounded{})
	if b.gateway.User != nil {
		password, _ := b.gateway.User.Password()
		pusher.BasicAuth(b.gateway.User.Username(), password)
	}
	for _, c := range b.all {
		pusher.Collector(c)
	}
	if b.success {
		return pusher.PushContext(ctx)
	}
	return pusher.AddContext(ctx)
}

// bounded is a client of HTTP that reads little of an answer and follows no redirect.
type bounded struct{}

// Do implements push.HTTPDoer.
func (bounded) Do(req *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(req)
	if err == nil {
		answer.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(answer.Body, maxReply), answer.Body}
	}
	return answer, err
}
