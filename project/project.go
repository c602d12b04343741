// Package project is fstore as a library: one feature repo, opened with its settings, its registry, its offline
// engine and its online store, and the operations on it. The command line is a thin layer over it.
//
// A Project opens the engine and the store when they are first needed and keeps them until Close. The registry is
// open only while an operation needs it. Nothing here prints or exits: whatever a person should know beside results
// goes to Options.Notify. Texts may contain passwords that a server or a library repeats. Callers that show them must
// mask what Options.Secret received.
//
// Errors are of the kinds of package fstore. ErrUsage: an argument or a setting cannot be used. ErrDefinition: a file
// of the repo is wrong. ErrNotReady: something must run first, such as the first apply.
package project

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/registry"
)

// SettingsFile is the name of the file that makes a folder a feature repo.
const SettingsFile = "fstore.yaml"

// Options say how to open a repo. The zero value opens it as the command line does.
type Options struct {
	// Settings override those of fstore.yaml and the environment. The keys are their names, such as "online".
	Settings map[string]Setting
	// Lookup returns a variable of the environment. nil means os.LookupEnv.
	Lookup func(name string) (value string, ok bool)
	// Environ returns the whole environment as NAME=value, for Doctor. nil means os.Environ.
	Environ func() []string
	// Clock returns the time. nil means time.Now.
	Clock func() time.Time
	// Version is the version of fstore, for the locks of training sets. Empty means the version of the program's
	// module.
	Version string
	// Notify receives what a person should know beside results. nil drops it. Calls are serialized.
	Notify func(Notice)
	// Secret receives every password in the settings before anything can print it. nil drops it.
	Secret func(password string)
	// Traced receives the attributes for logs of a run that is traced: trace_id and span_id. nil drops them.
	Traced func(attrs []any)
	// TracePatience is how long the end of a command or a server waits for a collector of traces. 0 means 3 seconds.
	TracePatience time.Duration
	// BeforeEngine is called once before the offline engine opens, which may use as much memory as the settings
	// allow.
	BeforeEngine func(*Settings)

	secrets *secrets // what Secret received
}

// A Setting is the value of a setting and, for errors, where it was given, such as --memory-limit.
type Setting struct {
	Value, From string
}

// as names a setting in an error.
func (s Setting) as(key string) string {
	if s.From != "" {
		return s.From
	}
	return key
}

// A Notice is something that a person should know beside results.
type Notice struct {
	Warning bool
	Text    string
}

func (o *Options) defaults() {
	if o.Lookup == nil {
		o.Lookup = os.LookupEnv
	}
	if o.Environ == nil {
		o.Environ = os.Environ
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Version == "" {
		o.Version = ModuleVersion()
	}
	if o.Notify == nil {
		o.Notify = func(Notice) {}
	}
	if o.Secret == nil {
		o.Secret = func(string) {}
	}
	o.secrets = &secrets{tell: o.Secret}
	o.Secret = o.secrets.add
	if o.Traced == nil {
		o.Traced = func([]any) {}
	}
	if o.BeforeEngine == nil {
		o.BeforeEngine = func(*Settings) {}
	}
}

// secrets are texts that nothing may print or keep. They are safe for concurrent use.
type secrets struct {
	tell func(string)
	mu   sync.Mutex
	all  []string
}

func (s *secrets) add(secret string) {
	s.mu.Lock()
	if secret != "" && !slices.Contains(s.all, secret) {
		s.all = append(s.all, secret)
	}
	s.mu.Unlock()
	s.tell(secret)
}

// mask replaces the secrets in a text that goes anywhere but to standard error, which masks for itself.
func (s *secrets) mask(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, secret := range s.all {
		text = strings.ReplaceAll(text, secret, "***")
	}
	return text
}

// Project is an open feature repo. Its methods are safe for concurrent use, but must not be called during or after
// Close. Its settings never change.
type Project struct {
	Settings *Settings

	options  Options
	once     sync.Once  // Options.BeforeEngine was called
	noticing sync.Mutex // held while Options.Notify runs

	mu     sync.Mutex // guards what follows
	closed bool
	engine *offline.Engine // nil until it is needed
	store  *online.Store   // likewise
}

// usable returns an error once the project is closed.
func (p *Project) usable() error {
	if p.closed {
		return fstore.Errorf(fstore.ErrInvalid, "the project is closed")
	}
	return nil
}

// Open opens the feature repo in a folder. An empty dir means the folder that FSTORE_REPO names, or else the nearest
// repo upward from the working directory. The caller must close it.
func Open(ctx context.Context, dir string, o Options) (*Project, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	o.defaults()
	dir, err := Find(dir, o.Lookup)
	if err != nil {
		return nil, err
	}
	s, err := loadSettings(dir, &o)
	if err != nil {
		return nil, err
	}
	return &Project{Settings: s, options: o}, nil
}

// OpenForLock opens what a lock in a folder needs: the repo, as Open does, or the offline engine alone with its
// default settings if there is no repo. The caller must close it.
func OpenForLock(ctx context.Context, dir, folder string, o Options) (*Project, error) {
	o.defaults()
	_, err := Find(dir, o.Lookup)
	if named, _ := o.Lookup(repoVariable); err == nil || dir != "" || named != "" {
		return Open(ctx, dir, o)
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return nil, fmt.Errorf("find the lock: %w", err)
	}
	s, err := merge(folder, &settingsText{}, map[string]string{"project": "none"}, &o)
	if err != nil {
		return nil, err
	}
	s.State, s.TempDir = "", "" // a folder that is not a repo keeps no state
	return &Project{Settings: s, options: o}, nil
}

// repoVariable is the environment variable that names the folder of the repo.
const repoVariable = "FSTORE_REPO"

// Find returns the absolute folder of the feature repo that Open opens.
func Find(dir string, lookup func(string) (string, bool)) (string, error) {
	fromEnvironment := dir == ""
	if fromEnvironment {
		dir, _ = lookup(repoVariable)
	}
	if dir != "" {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return "", fmt.Errorf("find the repo: %w", err)
		}
		if _, err := os.Stat(filepath.Join(abs, SettingsFile)); err != nil {
			err := fstore.Errorf(fstore.ErrUsage, "%s: there is no fstore.yaml", dir).WithHint("run fstore init %s to write a repo", dir)
			if fromEnvironment {
				return "", fmt.Errorf("%s=%w", repoVariable, err)
			}
			return "", about("repo", err)
		}
		return abs, nil
	}
	here, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the repo: %w", err)
	}
	for dir := here; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, SettingsFile)); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fstore.Errorf(fstore.ErrUsage, "no fstore.yaml in this folder or above it").
				WithHint("give --repo DIR, or run fstore init DIR to write a repo")
		}
	}
}

// Close releases what was opened. No method may be running, and none works afterwards.
func (p *Project) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	if p.engine != nil {
		errs = append(errs, p.engine.Close())
	}
	if p.store != nil {
		errs = append(errs, p.store.Close())
	}
	p.engine, p.store, p.closed = nil, nil, true
	return errors.Join(errs...)
}

// now returns the current time, as records store it.
func (p *Project) now() time.Time { return p.options.Clock() }

func (p *Project) note(format string, args ...any) {
	p.notify(Notice{Text: fmt.Sprintf(format, args...)})
}

func (p *Project) warn(format string, args ...any) {
	p.notify(Notice{Warning: true, Text: fmt.Sprintf(format, args...)})
}

func (p *Project) notify(n Notice) {
	p.noticing.Lock()
	defer p.noticing.Unlock()
	p.options.Notify(n)
}

// usage turns an error about an argument into one of kind ErrUsage.
func usage(err error) error {
	message, hints := fstore.Explain(err)
	return fstore.Errorf(fstore.ErrUsage, "%s", message).WithHint("%s", strings.Join(hints, "; "))
}

// stateDir is the folder of this project's state.
func (p *Project) stateDir() string { return filepath.Join(p.Settings.State, p.Settings.Project) }

// Revision reads the registry as it is now. The error is ErrNotReady if there is no registry yet. A project to which
// nothing was applied has revision 0.
func (p *Project) Revision(ctx context.Context) (*registry.Revision, error) {
	db, rev, err := p.openRevision(ctx)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	return rev, nil
}

// openRevision opens the registry, and reads its latest revision. The caller must close the registry.
func (p *Project) openRevision(ctx context.Context) (*registry.Store, *registry.Revision, error) {
	db, err := p.registry(ctx)
	if err != nil {
		return nil, nil, err
	}
	rev, err := db.Revision(ctx, p.Settings.Project)
	if err != nil {
		_ = db.Close()
		return nil, nil, err
	}
	return db, rev, nil
}

// openApplied is openRevision for what needs definitions: without any, the error says to apply them.
func (p *Project) openApplied(ctx context.Context) (*registry.Store, *registry.Revision, error) {
	db, rev, err := p.openRevision(ctx)
	if err != nil {
		return nil, nil, err
	}
	if rev.Number == 0 {
		_ = db.Close()
		return nil, nil, p.Settings.nothingApplied()
	}
	return db, rev, nil
}

// ShortPath returns a path relative to the working directory if it is beneath it.
func ShortPath(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(here, path); err == nil && !strings.HasPrefix(rel, "..") {
		return rel
	}
	return path
}

// Commits returns the commits of the project, the newest first.
func (p *Project) Commits(ctx context.Context) ([]registry.Commit, error) {
	db, err := p.registry(ctx)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	return db.Commits(ctx, p.Settings.Project)
}
