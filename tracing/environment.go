package tracing

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"golang.org/x/net/http/httpguts"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/certfile"
)

// Config says which spans are recorded and where they go. The zero value records none.
type Config struct {
	Endpoint *url.URL          // of the collector; nil: trace nothing
	GRPC     bool              // OTLP over gRPC; else over HTTP, to the whole URL
	TLS      *tls.Config       // nil: plain text
	Header   map[string]string // sent with every batch; may have credentials
	Gzip     bool              // over HTTP
	Timeout  time.Duration     // of a batch, with all attempts to send it

	Service    string            // service.name
	Resource   map[string]string // further attributes of the resource
	Sampler    sdktrace.Sampler
	Propagates bool // take the trace from a request's headers

	Queue int           // spans that may wait
	Batch int           // spans that are sent together
	Delay time.Duration // before a batch that is not full is sent

	Warnings []string // variables that are ignored, and why
	secrets  []string // that no message may repeat
}

// The variables. Those of an exporter also have a form for traces alone, with TRACES_ after the prefix.
const (
	exporterPrefix = "OTEL_EXPORTER_OTLP_"
	disabled       = "OTEL_SDK_DISABLED"
	exporter       = "OTEL_TRACES_EXPORTER"
	serviceName    = "OTEL_SERVICE_NAME"
	resourceList   = "OTEL_RESOURCE_ATTRIBUTES"
	sampler        = "OTEL_TRACES_SAMPLER"
	samplerArg     = "OTEL_TRACES_SAMPLER_ARG"
	propagators    = "OTEL_PROPAGATORS"
	queueSize      = "OTEL_BSP_MAX_QUEUE_SIZE"
	batchSize      = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"
	scheduleDelay  = "OTEL_BSP_SCHEDULE_DELAY"
)

// The bounds of values.
const (
	maxQueue   = 1 << 16
	maxMillis  = 10 * 60 * 1000
	maxEntries = 64 // of a list
	maxList    = 16 << 10

	leastSecret = 8 // bytes of a header that may be a credential; hiding a shorter text would garble messages
)

// FromEnvironment reads the variables of OpenTelemetry. Without an endpoint, or if they turn traces off, it returns the zero
// Config. A variable that fstore does not support is ignored, with a warning. The error names every variable that is wrong and without which
// spans might go elsewhere or to nobody; its kind is ErrDefinition. secret receives what no message may repeat.
func FromEnvironment(lookup func(string) (string, bool), secret func(string)) (Config, error) {
	e := &environment{lookup: lookup}
	_, endpoint := e.exporter("ENDPOINT")
	if endpoint == "" || e.off() {
		return Config{Warnings: e.warnings}, errors.Join(e.errs...)
	}
	c := Config{Resource: e.list(resourceList)}
	c.Service = cmp.Or(e.value(serviceName), c.Resource["service.name"], "fstore")
	c.GRPC = e.protocol() == "grpc"
	e.collector(&c)
	for _, s := range c.secrets {
		secret(s)
	}
	c.Gzip = e.choice(exporterPrefix+"COMPRESSION", "none", "none", "gzip") == "gzip"
	if name, _ := e.exporter("COMPRESSION"); c.Gzip && c.GRPC {
		c.Gzip = false
		e.warn(name, "gzip: fstore compresses over http/protobuf only", "")
	}
	name, _ := e.exporter("TIMEOUT")
	c.Timeout = time.Duration(e.number(name, 10_000, 1, maxMillis, "milliseconds")) * time.Millisecond
	c.Sampler, c.Propagates = e.sampler(), e.propagates()
	c.Queue = e.number(queueSize, 2048, 1, maxQueue, "spans")
	c.Batch = e.number(batchSize, min(512, c.Queue), 1, c.Queue, "spans, as many as may wait")
	c.Delay = time.Duration(e.number(scheduleDelay, 5000, 1, maxMillis, "milliseconds")) * time.Millisecond
	c.Warnings = e.warnings
	return c, errors.Join(e.errs...)
}

// environment reads variables and collects what is wrong with them.
type environment struct {
	lookup   func(string) (string, bool)
	errs     []error
	warnings []string
}

// value returns a variable; empty if it is not set.
func (e *environment) value(name string) string {
	v, _ := e.lookup(name)
	return strings.TrimSpace(v)
}

// exporter returns a variable of the exporter, that for traces first, and its name.
func (e *environment) exporter(what string) (name, value string) {
	name = exporterPrefix + "TRACES_" + what
	if value = e.value(name); value != "" {
		return name, value
	}
	name = exporterPrefix + what
	return name, e.value(name)
}

// bad notes what is wrong. what must not repeat a credential.
func (e *environment) bad(name, what, hint string) {
	e.errs = append(e.errs, fstore.Errorf(fstore.ErrDefinition, "%s=%s", name, what).WithHint("%s", hint))
}

// warn notes a value that is ignored. expected may be empty.
func (e *environment) warn(name, what, expected string) {
	if expected != "" {
		expected = "; expected " + expected
	}
	e.warnings = append(e.warnings, name+"="+what+expected+". It is ignored")
}

// protocol returns how spans go to the collector.
func (e *environment) protocol() string {
	name, v := e.exporter("PROTOCOL")
	switch v = strings.ToLower(v); v {
	case "":
		return "http/protobuf"
	case "http/protobuf", "grpc":
		return v
	}
	e.bad(name, strconv.Quote(v)+": fstore does not support it", "http/protobuf, grpc")
	return v
}

// choice returns one of a few values. Names of an exporter's variables are those without TRACES_.
func (e *environment) choice(name, without string, allowed ...string) string {
	v := e.value(name)
	if what, ok := strings.CutPrefix(name, exporterPrefix); ok {
		name, v = e.exporter(what)
	}
	if v == "" {
		return without
	}
	for _, a := range allowed {
		if strings.EqualFold(v, a) {
			return a
		}
	}
	e.warn(name, strconv.Quote(v)+": fstore does not support it", strings.Join(allowed, ", "))
	return without
}

func (e *environment) number(name string, without, least, most int, of string) int {
	v := e.value(name)
	if v == "" {
		return without
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < least || n > most {
		e.warn(name, strconv.Quote(v), fmt.Sprintf("a number of %s: %d to %d", of, least, most))
		return without
	}
	return n
}

// off reports whether traces are turned off.
func (e *environment) off() bool {
	return e.choice(disabled, "false", "true", "false") == "true" || e.choice(exporter, "otlp", "otlp", "none") == "none"
}

// list returns a variable of the form name=value,name=value, whose values are percent-encoded. Errors do not repeat it.
func (e *environment) list(name string) map[string]string {
	out := map[string]string{}
	text := e.value(name)
	if text == "" {
		return out
	}
	entries := strings.Split(text, ",")
	if len(text) > maxList || len(entries) > maxEntries {
		e.bad(name, "… is too long", fmt.Sprintf("at most %d entries and %d bytes", maxEntries, maxList))
		return out
	}
	for i, entry := range entries {
		key, value, ok := strings.Cut(entry, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		decoded, err := url.PathUnescape(value)
		if !ok || !httpguts.ValidHeaderFieldName(key) || err != nil || !httpguts.ValidHeaderFieldValue(decoded) {
			e.bad(name, fmt.Sprintf("…: entry %d is not name=value", i+1), "separate entries by commas, and percent-encode values")
			continue
		}
		out[key] = decoded
	}
	return out
}

// secretsOf returns what may be a credential in the value of a header: the value, and what follows its scheme, as in "Bearer TOKEN".
func secretsOf(value string) (secrets []string) {
	_, credential, _ := strings.Cut(value, " ")
	for _, s := range []string{value, strings.TrimSpace(credential)} {
		if len(s) >= leastSecret {
			secrets = append(secrets, s)
		}
	}
	return secrets
}

// collector reads where spans go.
func (e *environment) collector(c *Config) {
	headers, _ := e.exporter("HEADERS")
	c.Header = map[string]string{}
	for key, value := range e.list(headers) {
		c.secrets = append(c.secrets, secretsOf(value)...)
		c.Header[strings.ToLower(key)] = value
	}
	name, text := e.exporter("ENDPOINT")
	plain := e.choice(exporterPrefix+"INSECURE", "false", "true", "false") == "true"
	if c.GRPC && !strings.Contains(text, "://") {
		scheme := "https://"
		if plain {
			scheme = "http://"
		}
		text = scheme + text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "":
		e.bad(name, "… is not the URL of a collector", "such as http://localhost:4318, or http://localhost:4317 for gRPC")
		return
	case u.User != nil:
		e.bad(name, "… must not contain a user name", "put credentials into "+exporterPrefix+"HEADERS")
		return
	}
	if c.GRPC && u.Port() == "" {
		port := "443"
		if u.Scheme == "http" {
			port = "80"
		}
		u.Host = net.JoinHostPort(u.Hostname(), port)
	}
	if !c.GRPC && name == exporterPrefix+"ENDPOINT" {
		u = u.JoinPath("v1", "traces")
	}
	c.Endpoint = u
	e.certificates(c)
}

// certificates reads what TLS needs.
func (e *environment) certificates(c *Config) {
	if c.Endpoint.Scheme != "https" {
		return
	}
	c.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	if name, path := e.exporter("CERTIFICATE"); path != "" {
		pool, err := certfile.Pool(path, time.Time{})
		e.file(name, err)
		c.TLS.RootCAs = pool
	}
	name, certificate := e.exporter("CLIENT_CERTIFICATE")
	_, key := e.exporter("CLIENT_KEY")
	if certificate != "" || key != "" {
		pair, err := certfile.Pair(certificate, key, time.Time{})
		if e.file(name, err); err == nil {
			c.TLS.Certificates = []tls.Certificate{*pair}
		}
	}
}

// file notes what is wrong with the file that a variable names.
func (e *environment) file(name string, err error) {
	if err == nil {
		return
	}
	message, hints := fstore.Explain(err)
	e.errs = append(e.errs, fstore.Errorf(fstore.ErrDefinition, "%s: %s", name, message).WithHint("%s", strings.Join(hints, "; ")))
}

// sampler returns which spans are recorded.
func (e *environment) sampler() sdktrace.Sampler {
	ratio := 1.0
	if v := e.value(samplerArg); v != "" {
		var err error
		if ratio, err = strconv.ParseFloat(v, 64); err != nil || !(ratio >= 0 && ratio <= 1) || math.Signbit(ratio) {
			e.warn(samplerArg, strconv.Quote(v), "the share of traces to record: 0 to 1, such as 0.01")
			ratio = 1
		}
	}
	all := map[string]sdktrace.Sampler{
		"always_on": sdktrace.AlwaysSample(), "always_off": sdktrace.NeverSample(), "traceidratio": sdktrace.TraceIDRatioBased(ratio),
	}
	const parent = "parentbased_"
	name := e.choice(sampler, parent+"always_on", "always_on", "always_off", "traceidratio",
		parent+"always_on", parent+"always_off", parent+"traceidratio")
	if root, ok := strings.CutPrefix(name, parent); ok {
		return sdktrace.ParentBased(all[root])
	}
	return all[name]
}

// propagates reports whether requests name their trace. fstore calls nobody in turn, so baggage has no one to go to.
func (e *environment) propagates() bool {
	v := e.value(propagators)
	if v == "" {
		return true
	}
	takes := false
	for _, p := range strings.Split(v, ",") {
		switch p = strings.TrimSpace(p); p {
		case "tracecontext":
			takes = true
		case "baggage", "none":
		default:
			e.warn(propagators, strconv.Quote(p)+": fstore does not support it", "tracecontext, baggage or none")
		}
	}
	return takes
}
