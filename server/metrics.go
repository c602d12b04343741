package server

import (
	"context"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"google.golang.org/grpc/codes"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/cache"
	"github.com/fstore-dev/fstore/server/access"
	"github.com/fstore-dev/fstore/server/admission"
)

// buckets of latencies, in seconds: from 50 µs, what a look-up in memory takes, to the default deadline and beyond.
var buckets = []float64{
	50e-6, 100e-6, 200e-6, 300e-6, 500e-6, 750e-6, 1e-3, 1.5e-3, 2e-3, 3e-3, 5e-3, 7.5e-3,
	10e-3, 20e-3, 30e-3, 50e-3, 100e-3, 250e-3, 500e-3, 1, 2.5, 5, 10,
}

// metrics are what /metrics shows.
type metrics struct {
	registry   *prometheus.Registry
	roundTrips prometheus.Counter
	store      prometheus.Histogram
	rows       prometheus.Counter
	records    prometheus.Counter
	wentBack   prometheus.Counter
	hits       prometheus.Counter // of the cache; nil: there is none
	misses     prometheus.Counter
	refused    map[Limit]prometheus.Counter

	kinds   *series[requestKind, requestMetrics]
	views   *series[fstore.ViewRef, *[len(statuses)]prometheus.Counter] // by status; the versions that have answered
	lookups *series[lookupKind, prometheus.Counter]
}

// requestKind is the labels of a request.
type requestKind struct {
	method Method
	code   codes.Code
}

// lookupKind is the labels of a look-up. The service and the model exist, so definitions bound them.
type lookupKind struct {
	service string
	model   fstore.ModelRef
	code    codes.Code
}

// requestMetrics are those of a kind.
type requestMetrics struct {
	count   prometheus.Counter
	seconds prometheus.Observer
	traced  prometheus.ExemplarObserver // the same
}

var statuses = [...]online.Status{online.Present, online.NullValue, online.NotFound, online.OutsideMaxAge}

func newMetrics(registry *prometheus.Registry, version string) *metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		registry.MustRegister(c)
		return c
	}
	m := &metrics{
		registry: registry, refused: newRefused(registry),
		store: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "fstore_store_duration_seconds", Buckets: buckets,
			Help: "Time a look-up spent in the online store, all its round trips together.",
		}),
		roundTrips: counter("fstore_store_round_trips_total", "Round trips to the online store."),
		rows:       counter("fstore_keys_requested_total", "Rows of keys that requests asked for."),
		records:    counter("fstore_records_fetched_total", "Distinct records that look-ups fetched."),
		wentBack:   counter("fstore_store_went_back_total", "Times that the online store showed an earlier publication of a view version than before."),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "fstore_build_info", Help: "1; the labels say which build this is.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	})
	build.Set(1)
	m.label(registry)
	registry.MustRegister(m.store, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// label makes the metrics that have labels.
func (m *metrics) label(registry *prometheus.Registry) {
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		registry.MustRegister(c)
		return c
	}
	requests := counters("fstore_requests_total", "Requests answered, by transport (grpc, http), method and code.", "transport", "method", "code")
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "fstore_request_duration_seconds", Buckets: buckets,
		Help: "Time from a request's arrival to its answer, by transport, method and code.",
	}, []string{"transport", "method", "code"})
	registry.MustRegister(seconds)
	m.kinds = newSeries(func(k requestKind) requestMetrics {
		labels := []string{k.method.Transport, k.method.Name, codeName(k.code)}
		took := seconds.WithLabelValues(labels...)
		return requestMetrics{requests.WithLabelValues(labels...), took, took.(prometheus.ExemplarObserver)}
	})
	lookups := counters("fstore_lookups_total", "Look-ups of the online store by code, and by the service or the model version that they named; neither for a list of features. An answer that is then too large to send counts as OK here.",
		"service", "model", "model_version", "code")
	m.lookups = newSeries(func(k lookupKind) prometheus.Counter {
		return lookups.WithLabelValues(k.service, k.model.Name, k.model.Version, codeName(k.code))
	})
	values := counters("fstore_feature_values_total", "Values answered, by the version of the view or the on-demand view and by status.", "view", "version", "status")
	m.views = newSeries(func(ref fstore.ViewRef) *[len(statuses)]prometheus.Counter {
		out := &[len(statuses)]prometheus.Counter{}
		for i, s := range statuses {
			out[i] = values.WithLabelValues(ref.Name, strconv.Itoa(ref.Version), s.String())
		}
		return out
	})
}

// breakerOpen is the metric of the store's circuit breaker.
func breakerOpen(open func() bool) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "fstore_store_breaker_open",
		Help: "1 while the circuit breaker refuses all reads of the online store, because it fails or may have lost records.",
	}, func() float64 {
		if open() {
			return 1
		}
		return 0
	})
}

// credentials registers whether the sources of credentials can be read.
func (m *metrics) credentials(c *access.Control) {
	for source := range c.Failing() {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "fstore_auth_source_failing", ConstLabels: prometheus.Labels{"source": source},
			Help: "1 while the tokens file (tokens) or the keys of JWTs (jwks) cannot be used: what was read before stays in service.",
		}, func() float64 {
			if c.Failing()[source] {
				return 1
			}
			return 0
		}))
	}
}

// request counts a request. trace is the id of its trace, which becomes an exemplar; empty: it has none.
func (m *metrics) request(by Method, code codes.Code, took time.Duration, trace string) {
	of := m.kinds.of(requestKind{by, code})
	of.count.Inc()
	if trace == "" {
		of.seconds.Observe(took.Seconds())
		return
	}
	of.traced.ObserveWithExemplar(took.Seconds(), prometheus.Labels{"trace_id": trace})
}

// lookedUp counts a look-up of a list.
func (m *metrics) lookedUp(ctx context.Context, list *fstore.FeatureList, err error) {
	kind := lookupKind{service: list.Service.Name, model: list.Model}
	if err != nil {
		kind.code = Refuse(ctx, err).Code
	}
	m.lookups.of(kind).Inc()
}

func codeName(code codes.Code) string {
	for i := range classes {
		if classes[i].code == code {
			return classes[i].name
		}
	}
	if code == codes.OK {
		return "OK"
	}
	return internal.name
}

// admissions registers what is known of admission when it is scraped.
func (m *metrics) admissions(c *admission.Control) {
	for name, gauge := range map[string]struct {
		help  string
		value func(admission.Stats) float64
	}{
		"fstore_concurrency_limit": {"Requests that may run at a time.", func(s admission.Stats) float64 { return float64(s.Limit) }},
		"fstore_requests_running":  {"Requests that run.", func(s admission.Stats) float64 { return float64(s.Running) }},
		"fstore_requests_waiting":  {"Requests that wait for their turn.", func(s admission.Stats) float64 { return float64(s.Waiting) }},
	} {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: gauge.help},
			func() float64 { return gauge.value(c.Stats()) }))
	}
}

// caches registers what is known of the cache of records.
func (m *metrics) caches(c *cache.Cache) {
	m.hits = prometheus.NewCounter(prometheus.CounterOpts{Name: "fstore_cache_hits_total", Help: "Look-ups answered from the cache, without a round trip."})
	m.misses = prometheus.NewCounter(prometheus.CounterOpts{Name: "fstore_cache_misses_total", Help: "Look-ups that read the online store although there is a cache."})
	m.registry.MustRegister(m.hits, m.misses, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "fstore_cache_bytes", Help: "Memory that the records in the cache take.",
	}, func() float64 { return float64(c.Bytes()) }))
}

// lookup takes in what a look-up did; it is the store's Observe.
func (m *metrics) lookup(s *online.Stats) {
	m.roundTrips.Add(float64(s.RoundTrips))
	if s.RoundTrips > 0 {
		m.store.Observe(s.BackendTime.Seconds())
	}
	switch {
	case m.hits == nil:
	case s.Cached:
		m.hits.Inc()
	case s.RoundTrips > 0:
		m.misses.Inc()
	}
	m.rows.Add(float64(s.Rows))
	m.records.Add(float64(s.Keys))
	for i := range s.Views {
		of := m.views.of(s.Views[i].Ref)
		for state, n := range s.Views[i].Values {
			if n > 0 {
				of[state].Add(float64(n))
			}
		}
	}
}

// publications is a collector of what is known when it is scraped: when the catalog was read and each live view was published.
type publications struct {
	follower *follower
	store    *online.Store
	panicked func(Method, any)

	mu       sync.Mutex // guards pointers
	pointers map[fstore.ViewRef]fstore.Pointer
}

// scrapeTimeout bounds the one round trip of a scrape; after it the instants of the last scrape are used.
const scrapeTimeout = time.Second

var (
	viewInstant = prometheus.NewDesc("fstore_view_published_timestamp_seconds",
		"The instant as of which the values of a live view version are, once it is published.", viewLabels, nil)
	viewMaxEvent = prometheus.NewDesc("fstore_view_max_event_timestamp_seconds",
		"The greatest event time of the values of a live view version. Windowed views and static tables have none.", viewLabels, nil)
	viewDue = prometheus.NewDesc("fstore_view_due_timestamp_seconds",
		"When the next publication of a live view version with a schedule should be servable. Once it has passed, the version is late.", viewLabels, nil)
	viewPublished = prometheus.NewDesc("fstore_view_published",
		"1 where a live view version is published, 0 where it is not yet.", viewLabels, nil)
	catalogRevision = prometheus.NewDesc("fstore_catalog_revision", "The registry revision that is served.", nil, nil)
	catalogChecked  = prometheus.NewDesc("fstore_catalog_checked_timestamp_seconds",
		"When the registry was last read: a few seconds ago, unless it is away.", nil, nil)
)

var viewLabels = []string{"view", "version"}

// Describe implements prometheus.Collector.
func (a *publications) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{viewInstant, viewMaxEvent, viewDue, viewPublished, catalogRevision, catalogChecked} {
		out <- d
	}
}

// Collect implements prometheus.Collector. It runs in a goroutine of the registry's, where a panic would end the process.
func (a *publications) Collect(out chan<- prometheus.Metric) {
	defer func() {
		if p := recover(); p != nil {
			a.panicked(Method{"http", "/metrics"}, p)
		}
	}()
	catalog := a.follower.current.Load()
	if catalog == nil {
		return
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(catalogRevision, float64(catalog.revision.Number))
	gauge(catalogChecked, unix(fstore.FromMicros(a.follower.checked.Load())))
	live := catalog.names.Live()
	refs := make([]fstore.ViewRef, len(live))
	for i, v := range live {
		refs[i] = v.Ref
	}
	pointers := a.read(refs)
	for _, v := range live {
		name, number := v.Ref.Name, strconv.Itoa(v.Ref.Version)
		p := pointers[v.Ref]
		if !p.Serves(v) { // look-ups refuse it
			gauge(viewPublished, 0, name, number)
			continue
		}
		gauge(viewPublished, 1, name, number)
		gauge(viewInstant, unix(p.Published), name, number)
		if !p.MaxEvent.IsZero() {
			gauge(viewMaxEvent, unix(p.MaxEvent), name, number)
		}
		if due := v.View.Publish.Due(p.Published); !due.IsZero() {
			gauge(viewDue, unix(due), name, number)
		}
	}
}

// unix returns an instant in seconds since the Unix epoch, as Prometheus wants it.
func unix(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

// read returns the pointers of view versions, as the last scrape knew them where the store is away.
func (a *publications) read(refs []fstore.ViewRef) map[fstore.ViewRef]fstore.Pointer {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	pointers, err := a.store.Pointers(ctx, refs)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil {
		a.pointers = pointers
	}
	return a.pointers
}
