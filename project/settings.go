package project

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/monitor/notify"
	"github.com/fstore-dev/fstore/registry/definition"
	"github.com/fstore-dev/fstore/regular"
	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/admission"
	"github.com/spf13/viper"
)

// settingKey is a key of fstore.yaml, with its default and its meaning. Every key is also an environment variable:
// FSTORE_ and the key in capitals with _ for the dot. docs/configuration.md lists them.
type settingKey struct {
	name, fallback, doc string
}

var settingKeys = []settingKey{
	{"project", "", "name that scopes registry and online store, so that dev and prod may share both"},
	{"registry", "sqlite://.fstore/registry.db", "URL of the registry: sqlite://FILE"},
	{"online", "sqlite://.fstore/online.db", "URL of the online store: sqlite://FILE, redis://, rediss:// (TLS), unix:// or redis+sentinel://"},
	{"state", ".fstore/state", "folder for the state of materialize"},
	{"snapshots", ".fstore/snapshots", "folder in which training-set create --snapshot keeps inputs"},
	{"offline.threads", "0", "threads of the offline engine; 0 means one per CPU"},
	{"offline.memory_limit", "4GB", "memory that the offline engine may use before it spills to temp_dir"},
	{"offline.temp_dir", ".fstore/tmp", "folder to which the offline engine spills"},
	{"serve.grpc", "127.0.0.1:6566", "address of the gRPC server; port 0 takes a free one"},
	{"serve.http", "127.0.0.1:6567", "address of the HTTP server; port 0 takes a free one"},
	{"serve.metrics", "127.0.0.1:6568", "address of health, readiness and metrics, without TLS and authentication; port 0 takes a free one"},
	{"serve.tls.certificate", "", "PEM file of the server's certificate, followed by its chain; with it, gRPC and HTTP are served over TLS"},
	{"serve.tls.key", "", "PEM file of the certificate's private key"},
	{"serve.tls.client_ca", "", "PEM file of the CAs that every client's certificate must come from; without it, clients need none"},
	{"serve.insecure_no_tls", "false", "true allows addresses that other machines can reach without TLS"},
	{"serve.no_auth", "false", "true allows addresses that other machines can reach without authentication"},
	{"serve.hosts", "", "host names that HTTP requests may use besides localhost and the server's address, separated by commas"},
	{"serve.max_in_flight", "192MB", "bytes of requests and answers that a server may hold at once; beyond that, callers get RESOURCE_EXHAUSTED"},
	{"serve.cache", "0", "memory in which a server keeps hot records, such as 64MB; answers may then be up to a second late. 0 keeps none"},
	{"serve.auth.tokens", "", "YAML file of tokens and client certificates with their grants; fstore token writes it"},
	{"serve.auth.jwt.issuer", "", "issuer (iss) of the JWTs that are accepted; needs audience and jwks"},
	{"serve.auth.jwt.audience", "", "audience (aud) that JWTs must name"},
	{"serve.auth.jwt.jwks", "", "JSON Web Key Set of the issuer: a file or an https URL"},
	{"serve.auth.jwt.clock_skew", "60s", "how far the clocks of issuer and server may differ"},
	{"serve.audit", "", "file that gets a JSON line for every request, or stderr"},
	{"serve.log.path", "", "folder of the served log: what is answered; without it, nothing is kept"},
	{"serve.log.sample", "1%", "share of the requests, or of the keys, that the served log keeps"},
	{"serve.log.by", "request", "what the sample consists of: request or key; a key is then always in or always out"},
	{"serve.log.keys", "plain", "plain, hashed or none: what the served log keeps of keys"},
	{"serve.log.hmac_key", "", "file of the key with which the served log hashes keys"},
	{"serve.log.inputs", "true", "false keeps no request columns of on-demand features in the served log"},
	{"serve.log.keep", "30d", "how long the served log keeps its files; 0 means for ever"},
	{"serve.log.max_bytes", "10GB", "size of the served log, beyond which its oldest files are deleted; 0 means no limit"},
	{"serve.max_concurrent", "0", "requests that a server works on at a time; 0 adapts to how long they take"},
	{"serve.rate_limit", "0", "requests per second that a server answers each caller; 0 means no limit"},
	{"serve.rate_burst", "0", "requests that a caller may send at once under serve.rate_limit; 0 means as many as in a second"},
	{"serve.feast", "false", "true also answers look-ups in Feast's words: feast.serving.ServingService on the gRPC port, POST /get-online-features on the HTTP port"},
	{"serve.offline", "false", "true serves training sets over Arrow Flight, on the gRPC port"},
	{"serve.training_sets", "training_sets", "folder of the training sets that are made over Arrow Flight, and of their labels"},
	{"serve.offline_runs", "1", "training sets that are made at a time, each by a process of its own"},
	{"serve.offline_queue", "10", "training sets that may wait for their turn; beyond that, callers get RESOURCE_EXHAUSTED"},
	{"serve.offline_labels", "20GB", "bytes of labels that are kept for training sets over Arrow Flight; beyond that, uploads get RESOURCE_EXHAUSTED"},
	{"log.format", "text", "text or json: how logs, warnings and errors are written to stderr; json writes one object a line"},
	{"log.level", "info", "debug, info, warn or error: the lowest level of logs and messages that is written"},
	{"gc.grace", "1d", "how long gc keeps the data of a view version after it stops being live"},
}

// removedSettings are keys that fstore.yaml once had, with what to write instead.
var removedSettings = map[string]string{
	"serve.insecure": "serve.insecure_no_tls allows open ports without TLS, serve.no_auth those without authentication",
}

// Settings are the checked settings of a feature repo. Paths are absolute.
type Settings struct {
	Dir      string // of fstore.yaml
	Project  string
	Registry URL
	Online   URL
	State    string // folder; "" keeps no state

	Snapshots string // folder

	Threads     int    // of the engine; 0 is one for each CPU
	MemoryLimit string // of the engine, such as 4GB
	TempDir     string // of the engine; "" is the system's

	GRPC, HTTP, Metrics string                  // addresses
	TLS                 server.CertificateFiles // of gRPC and HTTP; zero: plain text
	InsecureNoTLS       bool                    // allows open ports without TLS
	NoAuth              bool                    // allows open ports without authentication
	Hosts               []string
	MaxInFlight         int64 // bytes
	Cache               int64 // bytes of hot records; 0: none
	Admission           admission.Options

	Feast   bool // answers look-ups in Feast's words, too
	Offline OfflineSettings

	Auth  AuthSettings
	Audit string // file, or stderr; "" writes none
	Log   LogSettings

	Served ServedLogSettings // what is answered

	Notify []notify.Target // who is told of alerts

	Grace time.Duration // of gc

	checks *settingsCheck // says in errors where a setting was given
}

// loadSettings reads the fstore.yaml of a folder and overrides it with the environment and the caller's settings.
func loadSettings(dir string, o *Options) (*Settings, error) {
	text, problem := definition.ReadText(regular.DirFS(dir), SettingsFile)
	if problem != nil {
		return nil, problemError(problem)
	}
	file, err := parseSettings(SettingsFile, text, o.Lookup)
	if err != nil {
		return nil, err
	}
	return merge(dir, file, nil, o)
}

func problemError(p *definition.Problem) error {
	return fstore.ErrorAt(fstore.ErrDefinition, p.Pos, "%s", p.Message).WithHint("%s", p.Hint)
}

// merge combines the defaults, the file, the environment and the caller's settings, in rising priority, and checks
// them.
func merge(dir string, file *settingsText, defaults map[string]string, o *Options) (*Settings, error) {
	v := viper.New()
	for _, k := range settingKeys {
		v.SetDefault(k.name, k.fallback)
	}
	for key, value := range defaults {
		v.SetDefault(key, value)
	}
	if err := v.MergeConfigMap(file.nested()); err != nil {
		return nil, fmt.Errorf("read the settings: %w", err)
	}
	for _, k := range settingKeys {
		if value, ok := o.Lookup(envName(k.name)); ok && value != "" {
			v.Set(k.name, value)
		}
	}
	for key := range removedSettings {
		if value, ok := o.Lookup(envName(key)); ok && value != "" {
			return nil, fstore.Errorf(fstore.ErrDefinition, "%s is not a setting%s", envName(key), suggestion(key))
		}
	}
	for key, given := range o.Settings {
		if !isSetting(key) {
			return nil, fstore.Errorf(fstore.ErrUsage, "%s is not a setting%s", given.as(key), suggestion(key))
		}
		v.Set(key, given.Value)
	}
	return (&settingsCheck{dir: dir, file: file, values: v, options: o}).settings()
}

func envName(key string) string {
	return "FSTORE_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// settingsCheck turns merged values into settings.
type settingsCheck struct {
	dir     string
	file    *settingsText
	values  *viper.Viper
	options *Options
	wrong   []error
}

// settings checks every value. It reports all mistakes at once, each with its place.
func (c *settingsCheck) settings() (*Settings, error) {
	s := &Settings{Dir: c.dir, Project: c.project(), checks: c}
	s.Registry, s.Online = c.stores()
	s.State, s.Snapshots = absolute(c.dir, c.value("state")), absolute(c.dir, c.value("snapshots"))
	s.Threads, s.MemoryLimit = c.threads(), c.memoryLimit()
	s.TempDir = absolute(c.dir, c.value("offline.temp_dir"))
	s.Grace = c.grace()
	s.GRPC, s.HTTP, s.Metrics = c.address("serve.grpc"), c.address("serve.http"), c.address("serve.metrics")
	s.TLS, s.InsecureNoTLS, s.NoAuth = c.tls(), c.flag("serve.insecure_no_tls"), c.flag("serve.no_auth")
	s.Hosts, s.MaxInFlight, s.Cache = c.hosts(), c.maxInFlight(), c.cache()
	s.Auth, s.Audit, s.Log, s.Served = c.auth(), c.audit(), c.log(), c.servedLog()
	s.Admission, s.Offline, s.Feast = c.admission(), c.offline(), c.flag("serve.feast")
	s.Notify = c.notify()
	if len(c.wrong) > 0 {
		return nil, errors.Join(c.wrong...)
	}
	return s, nil
}

func (c *settingsCheck) bad(key, hint, format string, args ...any) {
	c.wrong = append(c.wrong, c.misset(key, fmt.Sprintf(format, args...), hint))
}

func (c *settingsCheck) value(key string) string {
	text := c.values.GetString(key)
	if text == "" && fallback(key) != "" {
		c.bad(key, "remove it for "+fallback(key)+", or give it a value", "is empty")
		return fallback(key)
	}
	return text
}

func (c *settingsCheck) project() string {
	name := c.value("project")
	if name == "" {
		c.bad("project", "a name such as shop: it scopes everything in registry and online store", "is missing")
	} else if err := fstore.CheckName(name); err != nil {
		message, hints := fstore.Explain(err)
		c.bad("project", hints[0], "%s", message)
	}
	return name
}

func (c *settingsCheck) stores() (registry, online URL) {
	registry, online = URL{c.value("registry")}.absolute(c.dir), URL{c.value("online")}.absolute(c.dir)
	for _, secret := range append(registry.secrets(), online.secrets()...) {
		c.options.Secret(secret)
	}
	if registry.scheme() != "sqlite" || registry.path() == "" {
		c.bad("registry", "for example sqlite://.fstore/registry.db", "%q is not a registry URL", registry)
	}
	if what, hint := onlineMistake(online); what != "" {
		c.bad("online", hint, "%q %s", online, what)
	}
	return registry, online
}

func (c *settingsCheck) threads() int {
	text := c.value("offline.threads")
	threads, err := strconv.Atoi(text)
	if err != nil || threads < 0 || threads > maxThreads {
		c.bad("offline.threads", fmt.Sprintf("1 to %d; 0 is one for each CPU", maxThreads), "%q is not a number of threads", text)
	}
	return threads
}

func (c *settingsCheck) memoryLimit() string {
	const key = "offline.memory_limit"
	text := c.value(key)
	switch megabytes, ok := ParseMemory(text); {
	case !ok:
		c.bad(key, "for example 4GB: a number and KB, MB, GB or TB; not a percentage", "%q is not an amount of memory", text)
	case megabytes < minMemory:
		c.bad(key, "for example 4GB; at least 32MB", "%s is not enough memory to work with", text)
	case megabytes > maxMemory:
		c.bad(key, "for example 4GB", "%s is more memory than any machine has", text)
	}
	return text
}

func (c *settingsCheck) grace() time.Duration {
	grace, err := fstore.ParseDuration(c.value("gc.grace"))
	if err != nil {
		message, hints := fstore.Explain(err)
		c.bad("gc.grace", hints[0], "%s", message)
	}
	return time.Duration(grace)
}

func (c *settingsCheck) address(key string) string {
	address := c.value(key)
	if !IsAddress(address) {
		c.bad(key, "for example 127.0.0.1:6566", "%q is not an address", address)
	}
	return address
}

func (c *settingsCheck) flag(key string) bool {
	text := c.value(key)
	on, err := strconv.ParseBool(text)
	if err != nil {
		c.bad(key, "true or false", "%q is neither true nor false", text)
	}
	return on
}

func (c *settingsCheck) hosts() (hosts []string) {
	for name := range strings.FieldsFuncSeq(c.value("serve.hosts"), func(r rune) bool { return r == ',' || r == ' ' }) {
		if !isHost(name) {
			c.bad("serve.hosts", "for example fstore.example.com,10.0.0.7", "%q is not the name or address of a host", name)
		}
		hosts = append(hosts, name)
	}
	return hosts
}

// size reads a number of bytes of at least that many megabytes. what is what the text is then not, and hint an example and
// the minimum.
func (c *settingsCheck) size(name string, minimum float64, what, hint string) int64 {
	text := c.value(name)
	megabytes, ok := ParseMemory(text)
	if !ok || megabytes < minimum || megabytes > maxMemory {
		c.bad(name, hint, "%q is not %s", text, what)
	}
	return int64(megabytes * 1e6)
}

func (c *settingsCheck) maxInFlight() int64 {
	return c.size("serve.max_in_flight", minInFlight, "an amount of memory that requests and answers may take",
		fmt.Sprintf("for example 192MB; the minimum is %dMB", minInFlight))
}

func (c *settingsCheck) cache() int64 {
	if c.value("serve.cache") == "0" {
		return 0
	}
	return c.size("serve.cache", minCache, "an amount of memory for records",
		fmt.Sprintf("for example 64MB; the minimum is %dMB; 0 keeps no records", minCache))
}

func (c *settingsCheck) admission() (o admission.Options) {
	o.Concurrent = c.count("serve.max_concurrent", admission.MaxConcurrent, "0 adapts to how long requests take")
	o.Rate = float64(c.count("serve.rate_limit", maxRate, "0 means no limit"))
	o.Burst = c.count("serve.rate_burst", maxRate, "0 means as many requests as in a second")
	if o.Burst > 0 && o.Rate == 0 {
		c.bad("serve.rate_burst", "set serve.rate_limit too, or remove serve.rate_burst", "has no effect without serve.rate_limit")
	}
	return o
}

// count returns a whole number from 0 to a maximum.
func (c *settingsCheck) count(key string, most int, zero string) int {
	return c.number(key, most, "requests", zero)
}

// number returns a whole number of something from 0 to a maximum.
func (c *settingsCheck) number(key string, most int, of, zero string) int {
	text := c.value(key)
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > most {
		c.bad(key, fmt.Sprintf("1 to %d; %s", most, zero), "%q is not a number of %s", text, of)
	}
	return n
}

// misset returns the error for a wrong value of a key: a usage error if it is a flag's, otherwise a definition error,
// whether it is in the file or the environment.
func (c *settingsCheck) misset(key, what, hint string) error {
	if given, ok := c.options.Settings[key]; ok {
		return fstore.Errorf(fstore.ErrUsage, "%s: %s", given.as(key), what).WithHint("%s", hint)
	}
	if value, ok := c.options.Lookup(envName(key)); ok && value != "" {
		return fstore.Errorf(fstore.ErrDefinition, "%s: %s", envName(key), what).WithHint("%s", hint)
	}
	pos, ok := c.file.pos[key]
	if !ok {
		pos = fstore.Pos{File: SettingsFile}
	}
	return fstore.ErrorAt(fstore.ErrDefinition, pos, "%s: %s", key, what).WithHint("%s", hint)
}

func absolute(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}
