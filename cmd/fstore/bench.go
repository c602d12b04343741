package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/fstore-dev/fstore/internal/connect"
	"github.com/fstore-dev/fstore/internal/load"
	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/project"
	"github.com/spf13/cobra"
)

// bench is what to ask, how, and what the result must be.
type bench struct {
	selection
	server connect.Flags
	files  []string // --entities

	keys        int // --keys-per-request
	connections int
	concurrency int
	rate        float64
	arrivals    string
	inFlight    int // --max-in-flight
	seed        uint64
	texts       struct{ duration, warmup, failP99, failErrors string } // as given
	duration    time.Duration
	warmup      time.Duration
	limits      limits
}

// limits are what the result must keep; nil: anything.
type limits struct {
	p99    *time.Duration
	errors *float64 // the share of requests that fail
}

// The values of --arrivals.
const (
	arrivalsPoisson  = "poisson"
	arrivalsConstant = "constant"
)

// maxRate is more requests per second than one process can send.
const maxRate = 1_000_000

// mostOfEach bounds the flags that are counts.
const mostOfEach = 100_000

// maxKeys is how many different keys of the state folder are asked for.
const maxKeys = 100_000

func (a *app) benchCommand() *cobra.Command {
	var b bench
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Put a server under load, and measure its answers",
		Long: `Ask a running server over gRPC for features of many keys, and show how many answers it gives a second, how long they take,
what fails and which statuses the values have. Look-ups change nothing, but they take the server's time from its other callers.

Without --rate, the load is a closed loop: --concurrency clients ask again as soon as they have their answer. This shows how
much the server can take. With --rate, it is an open loop: so many requests are due each second, at random or regular instants,
whether or not earlier ones are answered. A request's time counts from when it was due, so a stall shows in full. This shows how
long callers wait at that rate. If bench itself cannot keep to the rate, it says so.

The keys come from --entities (Parquet, CSV or JSON, by the rules of labels; a row that stands there twice is asked for twice
as often), or else from the state folder: up to 100,000 keys that fstore materialize wrote, drawn at random.

A request without an answer within --timeout (5s) fails, and its time counts as waited. Requests are not tried again. Ctrl-C ends
the load early and shows the figures so far. The exit status is 4 if --fail-p99 or --fail-errors is exceeded or cannot be judged,
and 6 if no server answers.`,
		Example: `  fstore bench --grpc 127.0.0.1:6566 --service churn
  fstore bench --grpc 127.0.0.1:6566 --service churn --rate 500 --duration 1m --fail-p99 10ms --fail-errors 0.1%
  fstore bench --grpc features.example.com:6566 --tls --token-file token --model fraud@champion --entities data/labels.parquet --keys-per-request 100`,
		Args: usage.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := b.check(cmd, a); err != nil {
				return err
			}
			return a.with(cmd.Context(), func(p *project.Project) error { return a.bench(cmd.Context(), p, &b) })
		},
	}
	b.selection.flags(a, cmd)
	flags := cmd.Flags()
	flags.StringArrayVar(&b.files, "entities", nil, "file with rows of keys: Parquet, CSV or JSON, by its name (repeatable)")
	flags.IntVar(&b.keys, "keys-per-request", 1, "rows of keys in each request")
	flags.IntVar(&b.connections, "connections", 8, "connections to the server, which requests take in turn")
	flags.IntVar(&b.concurrency, "concurrency", 8, "clients of the closed loop, each with one request in flight")
	flags.Float64Var(&b.rate, "rate", 0, "requests due each second in an open loop")
	flags.StringVar(&b.arrivals, "arrivals", arrivalsPoisson, "with --rate: poisson (at random) or constant (equally far apart)")
	flags.IntVar(&b.inFlight, "max-in-flight", 10_000, "with --rate: requests in flight beyond which others wait, while their time counts")
	flags.StringVar(&b.texts.duration, "duration", "10s", "how long to measure")
	flags.StringVar(&b.texts.warmup, "warmup", "1s", "how long to ask before measuring")
	flags.Uint64Var(&b.seed, "seed", 1, "number that decides which keys are asked for, and the random instants of --rate")
	flags.StringVar(&b.texts.failP99, "fail-p99", "", "exit with 4 if the 99th percentile is longer than this, such as 5ms")
	flags.StringVar(&b.texts.failErrors, "fail-errors", "", "exit with 4 if a larger share of the requests fails, such as 0.1%")
	b.server.Add(flags, "address of the server")
	_ = cmd.RegisterFlagCompletionFunc("service", a.completeServices)
	_ = cmd.RegisterFlagCompletionFunc("arrivals", cobra.FixedCompletions([]string{arrivalsPoisson, arrivalsConstant}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.MarkFlagFilename("entities", "parquet", "csv", "tsv", "gz", "json", "jsonl", "ndjson")
	return cmd
}

// check reads the flags, and refuses those that contradict each other or have no effect.
func (b *bench) check(cmd *cobra.Command, a *app) error {
	if err := b.selection.check(cmd); err != nil {
		return err
	}
	if b.server.Address == "" {
		return usage.Errorf(cmd, "--grpc is missing: name the server to put under load").WithHint("for example --grpc 127.0.0.1:6566")
	}
	if err := b.server.Check(cmd, a.lookup, project.IsAddress); err != nil {
		return err
	}
	open := cmd.Flags().Changed("rate")
	switch given := cmd.Flags().Changed; {
	case open && given("concurrency"):
		return usage.Errorf(cmd, "--concurrency has no effect with --rate")
	case !open && given("arrivals"):
		return usage.Errorf(cmd, "--arrivals has no effect without --rate")
	case !open && given("max-in-flight"):
		return usage.Errorf(cmd, "--max-in-flight has no effect without --rate")
	case open && !(b.rate > 0 && b.rate <= maxRate):
		return usage.Errorf(nil, "--rate %v: give a number above 0 and up to %d", b.rate, maxRate)
	case b.arrivals != arrivalsPoisson && b.arrivals != arrivalsConstant:
		return usage.Errorf(nil, "--arrivals %q: poisson or constant", b.arrivals)
	}
	for _, c := range []struct {
		flag string
		n    int
	}{{"keys-per-request", b.keys}, {"connections", b.connections}, {"concurrency", b.concurrency}, {"max-in-flight", b.inFlight}} {
		if c.n < 1 || c.n > mostOfEach {
			return usage.Errorf(nil, "--%s %d: give a number from 1 to %d", c.flag, c.n, mostOfEach)
		}
	}
	return b.checkTexts()
}

// checkTexts reads the flags whose values are not numbers.
func (b *bench) checkTexts() error {
	var p99 time.Duration
	if err := errors.Join(usage.Duration("--duration", b.texts.duration, &b.duration), usage.Duration("--warmup", b.texts.warmup, &b.warmup),
		usage.Duration("--fail-p99", b.texts.failP99, &p99)); err != nil {
		return err
	}
	if b.duration == 0 {
		return usage.Errorf(nil, "--duration %s leaves nothing to measure", b.texts.duration)
	}
	if b.texts.failP99 != "" {
		b.limits.p99 = &p99
	}
	if b.texts.failErrors == "" {
		return nil
	}
	number, percent := strings.CutSuffix(b.texts.failErrors, "%")
	share, err := strconv.ParseFloat(number, 64)
	if err != nil || !percent || !(share >= 0 && share <= 100) {
		return usage.Errorf(nil, "--fail-errors %q is not a percentage", b.texts.failErrors).WithHint("for example 0.1%%, or 0%% for none")
	}
	share /= 100
	b.limits.errors = &share
	return nil
}

// bench makes the load and prints what was measured.
func (a *app) bench(ctx context.Context, p *project.Project, b *bench) error {
	rows, err := b.rows(ctx, p)
	if err != nil {
		return err
	}
	asking, err := newAsking(b, rows, a.now)
	if err != nil {
		return err
	}
	defer asking.close()
	if err := asking.connect(ctx); err != nil {
		return err
	}
	progress := a.progress()
	result := load.Run(ctx, load.Plan{
		Call: asking.call, Warmup: b.warmup, Duration: b.duration, Timeout: b.server.Timeout(), Concurrency: b.concurrency,
		Rate: b.rate, Constant: b.arrivals == arrivalsConstant, Seed: b.seed, MaxInFlight: b.inFlight, Clock: load.Machine{Time: a.now},
		Progress: func(done time.Duration) { progress.Percent("bench", done.Seconds()/(b.warmup+b.duration).Seconds()) },
	})
	progress.Clear()
	report := newBenchReport(asking, result, a.mask)
	if a.json() {
		err = a.printJSON(report)
	} else {
		a.printBench(report)
	}
	if !report.keptUp() {
		a.warn(generatorIsLate)
	}
	switch {
	case err != nil:
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case result.Answered == 0 && result.Failed() > 0:
		return fmt.Errorf("no request was answered: %w", asking.example(report.Failures[0].Kind))
	case !report.passed():
		return exitCode(statusCheck)
	}
	return nil
}

// rows returns the rows of keys that requests are drawn from.
func (b *bench) rows(ctx context.Context, p *project.Project) (*project.KeyRows, error) {
	list, also, err := p.Serving(ctx, b.selected)
	if err != nil {
		return nil, err
	}
	rows := project.NewKeyRows(list, also)
	if err := readKeyFiles(ctx, p, b.files, rows); err != nil {
		return nil, err
	}
	switch {
	case len(rows.Columns) == 0 && b.keys > 1:
		err = usage.Errorf(nil, "--keys-per-request: these features have no keys")
	case len(rows.Columns) == 0:
	case len(b.files) == 0:
		err = p.SampleKeys(ctx, rows, list, maxKeys, rand.New(rand.NewPCG(b.seed, 0))) //nolint:gosec // G404: a load that can be made again
	case rows.Columns[0].Len == 0:
		err = usage.Errorf(nil, "--entities: there are no rows of keys in %s", strings.Join(b.files, ", "))
	}
	return rows, err
}
