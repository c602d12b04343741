package project

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/offline/trainset"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/regular"
	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/flight"
)

// OfflineSettings say whether and how a server makes training sets.
type OfflineSettings struct {
	Serve        bool
	TrainingSets string // folder of their files
	Runs         int    // training sets that are made at a time
	Queue        int    // that may wait
	Labels       int64  // bytes of labels that are kept
}

// maxRuns and maxQueue bound serve.offline_runs and serve.offline_queue; minLabels, in MB, serve.offline_labels.
const (
	maxRuns   = 64
	maxQueue  = 1000
	minLabels = 1
)

func (c *settingsCheck) offline() OfflineSettings {
	o := OfflineSettings{
		Serve: c.flag("serve.offline"), TrainingSets: absolute(c.dir, c.value("serve.training_sets")),
		Runs:   c.number("serve.offline_runs", maxRuns, "training sets", "a training set is made by a process of its own"),
		Queue:  c.number("serve.offline_queue", maxQueue, "training sets", "0 refuses whatever cannot begin at once"),
		Labels: c.labels(),
	}
	if o.Runs == 0 {
		c.bad("serve.offline_runs", fmt.Sprintf("1 to %d; serve.offline: false makes none", maxRuns), "makes no training sets")
		o.Runs = 1
	}
	return o
}

func (c *settingsCheck) labels() int64 {
	return c.size("serve.offline_labels", minLabels, "a size of labels", fmt.Sprintf("for example 20GB; the minimum is %dMB", minLabels))
}

// offlineSets gives a server's Flight service access to the training sets of a repo.
type offlineSets struct {
	p       *Project
	labels  *labelStore
	digests *trainset.Digests
	program string
}

var _ flight.Sets = (*offlineSets)(nil)

// offlineSets makes the folders that the service needs, and removes labels that nobody used for a while.
func (p *Project) offlineSets(ctx context.Context, program string) (_ *offlineSets, err error) {
	s := p.Settings
	out := &offlineSets{p: p, program: program}
	out.labels = &labelStore{dir: filepath.Join(s.Offline.TrainingSets, "labels"), limit: s.Offline.Labels, used: p.usedLabels}
	if out.program == "" {
		if out.program, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("find the fstore command: %w", err)
		}
	}
	if err := os.MkdirAll(out.labels.dir, 0o755); err != nil {
		return nil, s.checks.misset("serve.training_sets", fmt.Sprintf("the folder cannot be made: %v", regular.Cause(err)), "name a folder that can be written")
	}
	if err := out.labels.sweep(ctx, p.now()); err != nil {
		return nil, err
	}
	out.digests = trainset.NewDigests(filepath.Join(s.State, "digests.json"), out.labels.dir)
	return out, nil
}

// close saves the digests of files that were read.
func (o *offlineSets) close() error {
	if o == nil {
		return nil
	}
	return o.digests.Save()
}

// usedLabels returns the digests of the labels that training sets were made from.
func (p *Project) usedLabels(ctx context.Context) (map[string]bool, error) {
	records, err := p.trainingSetRecords(ctx)
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	for _, r := range records {
		if l, err := lock.Read(r.Lock); err == nil && l.Labels.File != nil { // a lock that cannot be read names no labels
			used[l.Labels.File.SHA256] = true
		}
	}
	return used, nil
}

// Find implements flight.Sets.
func (o *offlineSets) Find(ctx context.Context, name string) (*flight.Set, error) {
	set, err := o.p.recordedSet(ctx, name)
	if err != nil {
		return nil, err
	}
	return flightSet(set.Record, set.Lock, set.Text), nil
}

// List implements flight.Sets.
func (o *offlineSets) List(ctx context.Context) ([]*flight.Set, error) {
	records, err := o.p.trainingSetRecords(ctx)
	if err != nil {
		return nil, err
	}
	var out []*flight.Set
	for _, r := range records {
		if !r.Retired.IsZero() {
			continue
		}
		l, err := lock.Read(r.Lock)
		if err != nil {
			return nil, fmt.Errorf("the registry's lock of training set %s: %w", r.Name, err)
		}
		out = append(out, flightSet(&r, l, r.Lock))
	}
	return out, nil
}

func flightSet(r *registry.TrainingSetRecord, l *lock.Lock, text []byte) *flight.Set {
	set := &flight.Set{
		Name: r.Name, Created: r.Created, Rows: l.Output.Rows, Path: r.Out, Size: l.Output.Size, SHA256: l.Output.SHA256,
		Content: l.Output.Content, Lock: text, Instants: l.Instants(),
	}
	if l.Service != nil {
		set.Service = l.Service.Name
	}
	return set
}

// Open implements flight.Sets. The file stays what it is while it is read: a later training set is another file.
func (o *offlineSets) Open(set *flight.Set) (flight.File, error) {
	f, err := regular.Open(set.Path, regular.AnySize)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fstore.Errorf(fstore.ErrNotFound, "the file of training set %s is gone", set.Name).
			WithHint("on the server, fstore training-set rebuild %s --out %s writes it again", set.Name, set.Path)
	}
	if err != nil {
		return nil, fmt.Errorf("open training set %s: %w", set.Name, err)
	}
	return f, nil
}

// Check implements flight.Sets. It reads the file once, and again only if it has changed since.
func (o *offlineSets) Check(ctx context.Context, set *flight.Set, f flight.File) error {
	opened, err := f.Stat()
	if err != nil {
		return err
	}
	now, err := o.digests.Of(ctx, set.Path)
	if err != nil {
		return fmt.Errorf("training set %s: %w", set.Name, err)
	}
	named, err := os.Stat(set.Path)
	if err != nil {
		return err
	}
	if now.SHA256 == set.SHA256 && os.SameFile(opened, named) {
		return nil
	}
	return fstore.Errorf(server.ErrDamaged, "the file of training set %s is not the one that its lock names", set.Name).
		WithHint("on the server, fstore training-set rebuild %s --out %s --overwrite writes it again", set.Name, set.Path)
}

// NewLabels implements flight.Sets.
func (o *offlineSets) NewLabels(ctx context.Context) (flight.Labels, error) {
	return o.labels.create(ctx, o.p.now())
}
