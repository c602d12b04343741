package project

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/internal/openlineage"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/offline/trainset"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/server/servedlog"
	"github.com/fstore-dev/fstore/tracing"
)

// OutcomesRequest says which labels to join to what was served. Paths are relative to the working directory.
type OutcomesRequest struct {
	Name       string              // of the training set; "": that of the file, without its ending
	Labels     string              // Parquet or CSV file: request_id, or keys and the instant of the outcome
	Service    string              // NAME or NAME@VERSION: answers for this service
	Model      fstore.ModelRef     // answers for this model, in any version if it has none; with neither, the log must have answers for one list of features
	Log        string              // folder; "": that of the settings
	Timestamp  string              // label column with the instant of the outcome; "": offline.DefaultTimestamp
	Within     fstore.Duration     // the longest time from answer to outcome; 0: DefaultWithin
	Targets    []string            // label columns that a model learns to predict
	Prediction string              // label column with what the model predicted; "": none
	Out        string              // Parquet file to write; its lock is written beside it
	Replace    bool                // retire an existing training set with this name
	DVC        bool                // write the .dvc file by which DVC tracks the Parquet file
	Unreadable func(string, error) // called for a file of the log with rows that cannot be read; nil: ignored
	Warn       func(string)        // called if the set may have rows other than those that labels are of; nil: ignored

	Progress func(trainset.Progress) // nil: no progress
}

// DefaultWithin is the longest time from answer to outcome, unless a request says otherwise.
const DefaultWithin = fstore.Duration(30 * 24 * time.Hour)

// requestID is the column of labels with the id of the request.
const requestID = "request_id"

// JoinOutcomes makes a training set of what was served: each label with the features that its request was answered, bit for bit. It
// keeps its inputs, and records it in the registry. If the name has a training set with the same content, it returns that one.
func (p *Project) JoinOutcomes(ctx context.Context, r OutcomesRequest) (*TrainingSet, error) {
	if err := checkOut(r.Out); err != nil {
		return nil, about("out", err)
	}
	if r.Name == "" {
		r.Name = strings.TrimSuffix(filepath.Base(r.Out), parquetSuffix)
	}
	if err := fstore.CheckName(r.Name); err != nil {
		return nil, err
	}
	if r.DVC {
		if err := checkDVC(r.Out); err != nil {
			return nil, about("dvc", err)
		}
	}
	if r.Service != "" && r.Model.Name != "" {
		return nil, fstore.Errorf(fstore.ErrUsage, "name a service or a model, not both")
	}
	if r.Within == 0 {
		r.Within = DefaultWithin
	}
	if r.Within < 0 {
		return nil, about("within", fstore.Errorf(fstore.ErrUsage, "%s is negative", r.Within))
	}
	var set *TrainingSet
	err := p.traced(ctx, "outcomes join", func(ctx context.Context, traces *tracing.Tracer) error {
		db, err := p.registry(ctx)
		if err != nil {
			return err
		}
		defer db.Close()
		return p.reported(ctx, "training_set."+r.Name, func(run *openlineage.Run) (err error) {
			c := &creation{p: p, db: db, run: run, traces: traces, outcomes: &r, r: TrainingSetRequest{
				Name: r.Name, Labels: r.Labels, Targets: r.Targets, Out: r.Out, Replace: r.Replace, Snapshot: true, DVC: r.DVC, Progress: r.Progress,
			}}
			if set, err = c.create(ctx); err != nil {
				return err
			}
			c.describe(traces.Of(ctx), set)
			if err = c.finish(set); err == nil {
				c.warnOfServed()
			}
			return err
		})
	})
	return set, err
}

// served resolves the request to the files of a served log and the list of features that they are of.
func (c *creation) served(ctx context.Context) error {
	r, p := c.outcomes, c.p
	folder, err := p.servedFolder(r.Log)
	if err != nil {
		return err
	}
	if err := c.resolveModel(); err != nil {
		return err
	}
	copies, err := os.MkdirTemp(c.engine.TempDir(), "served-")
	if err != nil {
		return fmt.Errorf("copy the streams of the served log: %w", err)
	}
	c.cleanUp = func() { _ = os.RemoveAll(copies) }
	if r.Unreadable == nil {
		r.Unreadable = func(string, error) {}
	}
	parts, err := servedlog.Parts(folder, copies, c.isAsked, r.Unreadable)
	if err != nil {
		return about("log", err)
	}
	c.parts = parts
	info, err := c.oneList(parts, folder)
	if err != nil {
		return err
	}
	for _, part := range parts {
		if c.req.List, err = servedList(c.rev, part.Info); err != nil {
			return about("log", fmt.Errorf("%s: %w", ShortPath(part.Name), err))
		}
	}
	s := &offline.Served{NeedsOutcome: r.Timestamp != ""}
	s.Keys, s.RequestID, s.Outcome, s.Within, s.Prediction = lock.ServedKeys(info.Keys), requestID, r.Timestamp, r.Within, r.Prediction
	if s.Outcome == "" {
		s.Outcome = offline.DefaultTimestamp
	}
	if info.Model.Name != "" {
		s.Model = &info.Model
	}
	if s.Hash, err = p.keyHash(&s.Served); err != nil {
		return err
	}
	s.Request = keptByAll(parts)
	for _, part := range parts {
		name, err := filepath.Abs(part.Name)
		if err != nil {
			return about("log", err)
		}
		path, err := filepath.Abs(part.Path)
		if err != nil {
			return about("log", err)
		}
		s.Parts = append(s.Parts, offline.ServedPart{Name: name, Path: path})
	}
	c.req.Served = s
	c.req.Timestamp, err = c.modelTimestamp(ctx, info.Model)
	return err
}

// warnOfServed says what may make labels belong to other rows than those that they are of, and which columns the set does not have.
func (c *creation) warnOfServed() {
	r, s := c.outcomes, c.req.Served
	if r.Warn == nil || s == nil {
		return
	}
	sampled := slices.IndexFunc(c.parts, func(p servedlog.Part) bool {
		return p.Info.By == servedlog.ByRequest && p.Info.Sample > 0 && p.Info.Sample < 1
	})
	if s.RequestID == "" && sampled >= 0 {
		r.Warn(fmt.Sprintf("the log has %.4g%% of requests, so a label may be joined to an earlier row than the last one that was served for its keys; give labels request_id, or log with serve.log.by: key", 100*c.parts[sampled].Info.Sample))
	}
	for _, p := range c.parts {
		if at := slices.IndexFunc(p.Info.Inputs, func(f fstore.Field) bool { return !slices.Contains(s.Request, f) }); at >= 0 {
			r.Warn(fmt.Sprintf("the set does not have request column %s: not all files of the log have it", p.Info.Inputs[at].Name))
			return
		}
	}
}

// servedFolder returns the folder of a served log: the given one, or that of the settings.
func (p *Project) servedFolder(given string) (string, error) {
	if given == "" {
		given = p.Settings.Served.Path
	}
	if given == "" {
		return "", fstore.Errorf(fstore.ErrInvalid, "no served log is configured").WithHint("give its folder, or set serve.log.path")
	}
	if _, err := os.Stat(given); err != nil {
		return "", fstore.Errorf(fstore.ErrNotFound, "there is no served log at %s", given).WithHint("fstore serve --served-log DIR writes one")
	}
	return given, nil
}

// resolveModel replaces an alias by the version that it names.
func (c *creation) resolveModel() error {
	m := &c.outcomes.Model
	if m.Name == "" || m.Version == "" {
		return nil
	}
	list, err := c.rev.ModelFeatures(*m)
	if err == nil {
		*m = list.Model
	}
	return err
}

// isAsked reports whether the request may be about a file of the log. Projects may share a folder, and have services of the same name.
func (c *creation) isAsked(i *servedlog.Info) bool {
	r := c.outcomes
	switch {
	case i.Project != c.p.Settings.Project:
		return false
	case r.Model.Name != "":
		return i.Model.Name == r.Model.Name && (r.Model.Version == "" || i.Model == r.Model)
	case r.Service != "":
		return i.Model.Name == "" && (i.Service.Name == r.Service || i.Service.Name != "" && i.Service.String() == r.Service)
	}
	return i.Model.Name != "" || i.Service.Name != ""
}

// oneList returns what the files have in common. It is an error if they are of several lists of features.
func (c *creation) oneList(parts []servedlog.Part, folder string) (*servedlog.Info, error) {
	if len(parts) == 0 {
		return nil, about("log", fstore.Errorf(fstore.ErrNotFound, "%s has no answers%s", folder, c.asked()).
			WithHint("it is the log of what servers answered: fstore serve --served-log DIR; requests that list features have no version, and cannot be joined"))
	}
	first := parts[0].Info
	var names []string
	for _, part := range parts {
		if name := listName(part.Info); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) > 1 {
		return nil, about("log", fstore.Errorf(fstore.ErrInvalid, "%s has answers of several lists of features: %s", folder, strings.Join(atMost(names, 10), ", ")).
			WithHint("choose one with --model or --service"))
	}
	for _, part := range parts {
		if part.Info.Keys != first.Keys {
			return nil, about("log", fstore.Errorf(fstore.ErrInvalid, "the keys of %s are %s, and those of %s are %s", parts[0].Name, first.Keys, part.Name, part.Info.Keys).
				WithHint("move the files of one setting of serve.log.keys to another folder, and join each alone"))
		}
	}
	return first, nil
}

// asked says what a request is about: " for model fraud@3".
func (c *creation) asked() string {
	switch r := c.outcomes; {
	case r.Model.Version != "":
		return " for model " + r.Model.String()
	case r.Model.Name != "":
		return " for model " + r.Model.Name
	case r.Service != "":
		return " for service " + r.Service
	}
	return ""
}

// listName names a list of features as flags do.
func listName(i *servedlog.Info) string {
	if i.Model.Name != "" {
		return "model " + i.Model.String()
	}
	return "service " + i.Service.String()
}

// servedList returns the list of features that a file of the log is of. It is an error if the registry does not have it as it was.
func servedList(rev *registry.Revision, i *servedlog.Info) (*fstore.FeatureList, error) {
	list, err := rev.ServiceVersion(i.Service)
	if i.Model.Name != "" {
		list, err = rev.ModelFeatures(i.Model)
	}
	if err != nil {
		return nil, fmt.Errorf("the registry does not know the list of features: %w", err)
	}
	if !slices.EqualFunc(list.Describe().Features, i.Features, func(a, b fstore.FeatureDescription) bool {
		return a.Name == b.Name && a.Type == b.Type && a.View == b.View && a.Feature == b.Feature
	}) || !slices.Equal(list.KeyColumns(), i.Columns) {
		return nil, fstore.Errorf(fstore.ErrInvalid, "the registry has other features or keys for %s", listName(i)).
			WithHint("it was served from another registry: move the file out of the folder of the log")
	}
	return list, nil
}

// keptByAll returns the request columns that all files have.
func keptByAll(parts []servedlog.Part) []fstore.Field {
	var out []fstore.Field
	for _, f := range parts[0].Info.Inputs {
		if !slices.ContainsFunc(parts, func(p servedlog.Part) bool { return !slices.Contains(p.Info.Inputs, f) }) {
			out = append(out, f)
		}
	}
	return out
}

// modelTimestamp returns what the instants of rows are called: as in the training set that the model is pinned to.
func (c *creation) modelTimestamp(ctx context.Context, ref fstore.ModelRef) (string, error) {
	if ref.Name == "" {
		return offline.DefaultTimestamp, nil
	}
	m, err := c.rev.Model(ref)
	if err != nil || m.TrainingSet == "" || m.Retired {
		return offline.DefaultTimestamp, err
	}
	record, err := c.p.recordOf(ctx, c.db, m.TrainingSet)
	if err != nil {
		return "", err
	}
	l, err := lock.Read(record.Lock)
	if err != nil {
		return "", fmt.Errorf("the lock of training set %s: %w", record.Name, err)
	}
	return l.Labels.Timestamp, nil
}

// keyHash returns how a log hashes keys; nil if it does not, or if the key of the HMAC is not at hand.
func (p *Project) keyHash(s *lock.Served) (trainset.KeyHash, error) {
	if s == nil || s.Keys != lock.HashedKeys {
		return nil, nil
	}
	secret, err := p.Settings.hmacKey()
	if err != nil || secret == nil {
		return nil, err
	}
	return func(c *fstore.Column, row int) string { return servedlog.HashKey(secret, c, row) }, nil
}

// sameContent is the training set that a creation was about to make again.
type sameContent struct{ set *LockedSet }

func (e *sameContent) Error() string { return "it exists: " + e.set.Out }

// refuseName returns *sameContent if the name has a training set with the content of l at the same place, and ErrConflict if it has
// another one.
func (c *creation) refuseName(ctx context.Context, text []byte) error {
	set, err := c.p.LockedSet(ctx, c.r.Name)
	if errors.Is(err, fstore.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	l, err := lock.Read(text)
	if err != nil {
		return err
	}
	differs := lock.Compare(set.Lock, l)
	var lines []string
	for _, d := range differs.Labels {
		lines = append(lines, became("labels "+d.Name, d.Old, d.New))
	}
	for _, d := range differs.Columns {
		lines = append(lines, "column "+d.Name+": "+d.What)
	}
	if set.Lock.Output.Rows != l.Output.Rows {
		lines = append(lines, became("rows", english.Thousands(set.Lock.Output.Rows), english.Thousands(l.Output.Rows)))
	}
	if set.Out != c.req.Out {
		lines = append(lines, became("file", set.Out, c.req.Out))
	}
	if len(lines) > 0 {
		return fstore.Errorf(fstore.ErrConflict, "training set %s already exists with different content:\n%s", c.r.Name, strings.Join(atMost(lines, 10), "\n")).
			WithHint("choose another name, or pass --replace to retire the old one")
	}
	if err := c.p.checkIntact(ctx, c.engine, set); err != nil {
		return err
	}
	return &sameContent{set}
}
