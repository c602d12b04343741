package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/regular"
	"github.com/spf13/viper"
)

// settingsFile is the name of the file that makes a folder a feature repo.
const settingsFile = "fstore.yaml"

// A key of fstore.yaml, with its default and what it means. Every key is also an environment variable, FSTORE_ and
// the key in capitals with _ for the dot; those with a flag can be given as one too. docs/configuration.md lists them.
type settingKey struct {
	name, fallback, doc string
}

var settingKeys = []settingKey{
	{"project", "", "scopes everything in registry and online store: dev and prod may share both"},
	{"registry", "sqlite://.fstore/registry.db", "URL of the registry: sqlite://FILE"},
	{"online", "sqlite://.fstore/online.db", "URL of the online store: sqlite://FILE, redis://, rediss:// or unix://"},
	{"state", ".fstore/state", "folder in which materialize keeps what it remembers"},
	{"snapshots", ".fstore/snapshots", "folder in which training-set create --snapshot keeps what a training set is made from"},
	{"offline.threads", "0", "threads of the offline engine; 0 is one for each CPU"},
	{"offline.memory_limit", "4GB", "memory the offline engine may use before it spills to temp_dir"},
	{"offline.temp_dir", ".fstore/tmp", "folder the offline engine spills to"},
	{"serve.grpc", "127.0.0.1:6566", "address of the gRPC server; port 0 takes a free one"},
	{"serve.http", "127.0.0.1:6567", "address of the HTTP server; port 0 takes a free one"},
	{"serve.insecure", "false", "true lets the server listen beyond this machine, without TLS and without authentication"},
	{"serve.hosts", "", "names that HTTP requests may be for, beside localhost and the server's address; separated by commas"},
	{"serve.max_in_flight", "192MB", "bytes of requests and answers that a server may hold at a time; beyond it callers get RESOURCE_EXHAUSTED"},
	{"gc.grace", "1d", "how long gc leaves the data of a view version after it stopped being live"},
}

// Settings are those of a feature repo, checked; paths are absolute.
type Settings struct {
	Dir      string // of fstore.yaml
	file     *settingsText
	Project  string
	Registry URL
	Online   URL
	State    string

	Snapshots string

	Threads     int
	MemoryLimit string
	TempDir     string

	GRPC, HTTP  string
	Insecure    bool
	Hosts       []string
	MaxInFlight int64 // bytes

	Grace time.Duration // of gc
}

// newConfig returns viper with the defaults and the environment.
func newConfig() *viper.Viper {
	v := viper.New()
	for _, k := range settingKeys {
		v.SetDefault(k.name, k.fallback)
		_ = v.BindEnv(k.name, envName(k.name))
	}
	return v
}

func envName(key string) string {
	return "FSTORE_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// settings finds the repo, reads its fstore.yaml and puts environment and flags over it.
func (a *app) settings() (*Settings, error) {
	dir, err := a.findRepo()
	if err != nil {
		return nil, err
	}
	text, problem := registry.ReadText(regular.DirFS(dir), settingsFile)
	if problem != nil {
		return nil, problemError(problem)
	}
	file, err := parseSettings(settingsFile, text, a.lookup)
	if err != nil {
		return nil, err
	}
	if err := a.config.MergeConfigMap(file.nested()); err != nil {
		return nil, fmt.Errorf("read the settings: %w", err)
	}
	return a.check(dir, file)
}

// findRepo returns the absolute folder of the feature repo.
func (a *app) findRepo() (string, error) {
	dir, from := a.repo, "--repo "
	if dir == "" {
		dir, _ = a.lookup("FSTORE_REPO")
		from = "FSTORE_REPO="
	}
	if dir != "" {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return "", fmt.Errorf("find the repo: %w", err)
		}
		if _, err := os.Stat(filepath.Join(abs, settingsFile)); err != nil {
			return "", usageWithHint(from+dir+": there is no fstore.yaml", "run fstore init "+dir+" to write a repo")
		}
		return abs, nil
	}
	here, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the repo: %w", err)
	}
	for dir := here; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, settingsFile)); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", usageWithHint("no fstore.yaml in this folder or above it", "give --repo DIR, or run fstore init DIR to write a repo")
		}
	}
}

func usageWithHint(message, hint string) error { return &usageError{message: message, hint: hint} }

func problemError(p *registry.Problem) error {
	return fstore.Errorf(fstore.ErrDefinition, "%s: %s", p.Pos, p.Message).WithHint("%s", p.Hint)
}

// check turns the merged keys into settings. All mistakes are reported at once, each with where it was made.
func (a *app) check(dir string, file *settingsText) (*Settings, error) {
	v, s := a.config, &Settings{Dir: dir, file: file}
	var wrong []error
	bad := func(key, hint, format string, args ...any) {
		wrong = append(wrong, a.misset(file, key, fmt.Sprintf(format, args...), hint))
	}
	value := func(key string) string {
		text := v.GetString(key)
		if text == "" && key != "project" && key != "serve.hosts" {
			bad(key, "leave it out for "+fallback(key)+", or give a value", "is empty")
			return fallback(key)
		}
		return text
	}
	s.Project = value("project")
	if s.Project == "" {
		bad("project", "a name such as shop: it scopes everything in registry and online store", "is missing")
	} else if err := fstore.CheckName(s.Project); err != nil {
		message, hints := explain(err)
		bad("project", hints[0], "%s", message)
	}
	s.Registry, s.Online = URL{absoluteURL(dir, value("registry"))}, URL{absoluteURL(dir, value("online"))}
	for _, secret := range append(s.Registry.secrets(), s.Online.secrets()...) {
		a.addSecret(secret)
	}
	if s.Registry.scheme() != "sqlite" || s.Registry.path() == "" {
		bad("registry", "for example sqlite://.fstore/registry.db", "%q is not a registry URL", s.Registry)
	}
	if what, hint := onlineMistake(s.Online); what != "" {
		bad("online", hint, "%q %s", s.Online, what)
	}
	s.State, s.Snapshots = absolute(dir, value("state")), absolute(dir, value("snapshots"))
	threads, err := strconv.Atoi(value("offline.threads"))
	if err != nil || threads < 0 || threads > maxThreads {
		bad("offline.threads", fmt.Sprintf("1 to %d; 0 is one for each CPU", maxThreads), "%q is not a number of threads", v.GetString("offline.threads"))
	}
	s.Threads = threads
	s.MemoryLimit = value("offline.memory_limit")
	switch megabytes, ok := parseMemory(s.MemoryLimit); {
	case !ok:
		bad("offline.memory_limit", "for example 4GB: a number and KB, MB, GB or TB; no share of the machine's memory", "%q is not an amount of memory", s.MemoryLimit)
	case megabytes < minMemory:
		bad("offline.memory_limit", "for example 4GB; at least 32MB", "%s is not enough memory to work with", s.MemoryLimit)
	case megabytes > maxMemory:
		bad("offline.memory_limit", "for example 4GB", "%s is more memory than there can be", s.MemoryLimit)
	}
	s.TempDir = absolute(dir, value("offline.temp_dir"))
	grace, err := fstore.ParseDuration(value("gc.grace"))
	if err != nil {
		message, hints := explain(err)
		bad("gc.grace", hints[0], "%s", message)
	}
	s.Grace = time.Duration(grace)
	s.GRPC, s.HTTP = value("serve.grpc"), value("serve.http")
	for _, key := range []string{"serve.grpc", "serve.http"} {
		if address := value(key); !isAddress(address) {
			bad(key, "for example 127.0.0.1:6566", "%q is not an address", address)
		}
	}
	if s.Insecure, err = strconv.ParseBool(value("serve.insecure")); err != nil {
		bad("serve.insecure", "true or false", "%q is neither true nor false", v.GetString("serve.insecure"))
	}
	for name := range strings.FieldsFuncSeq(value("serve.hosts"), func(r rune) bool { return r == ',' || r == ' ' }) {
		if !isHost(name) {
			bad("serve.hosts", "for example fstore.example.com,10.0.0.7", "%q is not the name or address of a host", name)
		}
		s.Hosts = append(s.Hosts, name)
	}
	inFlight, ok := parseMemory(value("serve.max_in_flight"))
	if !ok || inFlight < minInFlight || inFlight > maxMemory {
		bad("serve.max_in_flight", fmt.Sprintf("for example 192MB; at least %dMB", minInFlight), "%q is not an amount of memory that requests and answers may take", v.GetString("serve.max_in_flight"))
	}
	s.MaxInFlight = int64(inFlight * 1e6)
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	return s, nil
}

// misset says that a key's value is wrong: a wrong definition in the file, a usage mistake elsewhere.
func (a *app) misset(file *settingsText, key, what, hint string) error {
	if flag, ok := a.given[key]; ok {
		return &usageError{message: flag + ": " + what, hint: hint}
	}
	if value, ok := a.lookup(envName(key)); ok && value != "" {
		return &usageError{message: envName(key) + ": " + what, hint: hint}
	}
	pos, ok := file.pos[key]
	if !ok {
		pos = fstore.Pos{File: settingsFile}
	}
	return fstore.Errorf(fstore.ErrDefinition, "%s: %s: %s", pos, key, what).WithHint("%s", hint)
}

func absolute(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// absoluteURL makes the path of a sqlite URL absolute.
func absoluteURL(dir, url string) string {
	if path, ok := strings.CutPrefix(url, "sqlite://"); ok && path != "" {
		return "sqlite://" + absolute(dir, path)
	}
	return url
}
