package scaffold

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/project"
	"github.com/fstore-dev/fstore/registry/definition"
	"github.com/fstore-dev/fstore/regular"
)

// From writes a repo with definitions proposed from the columns of Parquet files: paths, folders or patterns. The
// folder may contain other files. None is overwritten. lookup returns variables of the environment.
func From(ctx context.Context, dir string, from []string, lookup func(string) (string, bool)) (*Proposal, error) {
	fresh, err := room(dir, lookup)
	if err != nil {
		return nil, err
	}
	p, err := proposeFrom(ctx, dir, from, lookup)
	if err != nil {
		return nil, fmt.Errorf("init %s: %w", dir, err)
	}
	if err := writeProposed(dir, fresh, p.text()); err != nil {
		return nil, err
	}
	return p.summary(), nil
}

// writeProposed writes a repo with proposed definitions into a folder, which room found to be fresh or not.
func writeProposed(dir string, fresh bool, definitions string) error {
	write := func(dir string) error { return writeBare(dir, definitions) }
	if fresh {
		return writeRepo(dir, write)
	}
	if err := write(dir); err != nil {
		for _, name := range repoFiles {
			_ = os.RemoveAll(filepath.Join(dir, name)) // room found that they did not exist
		}
		return fmt.Errorf("init %s: %w", dir, err)
	}
	return nil
}

// repoFiles are the files and folders that every repo has.
var repoFiles = []string{project.SettingsFile, definitionsFile, schemaDir}

// room returns an error if a repo in a folder would overwrite a file, or would read YAML files that are not
// definitions. It reports whether the folder is empty or missing.
func room(dir string, lookup func(string) (string, bool)) (fresh bool, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("init %s: %w", dir, regular.Cause(err))
	}
	for _, name := range repoFiles {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return false, fstore.Errorf(fstore.ErrConflict, "init %s: %s is there already", dir, name).WithHint("give the name of a new folder")
		}
	}
	repo, err := definition.Load(dir, lookup)
	if err != nil {
		return false, fmt.Errorf("init %s: %w", dir, err)
	}
	if len(repo.Problems)+len(repo.Entities)+len(repo.Sources)+len(repo.Views)+len(repo.Services) > 0 {
		return false, fstore.Errorf(fstore.ErrConflict, "init %s: the folder has YAML files, which would be read as definitions", dir).
			WithHint("give the name of a new folder")
	}
	return len(entries) == 0, nil
}

// proposeFrom finds the files and guesses definitions for them.
func proposeFrom(ctx context.Context, dir string, from []string, lookup func(string) (string, bool)) (*proposal, error) {
	repo, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	engine, err := offline.Open(offline.Options{Dir: repo, Lookup: lookup})
	if err != nil {
		return nil, err
	}
	defer engine.Close()
	var files []string
	relative := map[string]bool{}
	for _, path := range from {
		found, err := filesFrom(ctx, engine, path)
		if err != nil {
			return nil, fmt.Errorf("--from %s: %w", path, err)
		}
		for _, f := range found {
			files, relative[f] = append(files, f), relative[f] || !filepath.IsAbs(path)
		}
	}
	slices.Sort(files)
	groups, err := engine.ByColumns(ctx, slices.Compact(files))
	if err != nil {
		return nil, err
	}
	var sources []*fileGroup
	for _, g := range groupFiles(groups, relative) {
		located, err := g.locate(ctx, engine, repo)
		if err != nil {
			return nil, err
		}
		sources = append(sources, located...)
	}
	return propose(ctx, engine, sources)
}

// filesFrom returns the files that a path of --from names: a file, the Parquet files in and beneath a folder, or
// those that match a pattern.
func filesFrom(ctx context.Context, engine *offline.Engine, path string) ([]string, error) {
	full, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(full)
	switch {
	case err == nil && info.IsDir():
		full = offline.EscapePattern(full) + "/**/*.parquet"
	case err != nil && !filepath.IsAbs(path):
		here, err := os.Getwd()
		if err != nil {
			return nil, err
		}
		full = filepath.Join(offline.EscapePattern(here), path)
	}
	found, err := engine.Files(ctx, literal(full))
	if errors.Is(err, fstore.ErrNotFound) {
		return nil, fstore.Errorf(fstore.ErrNotFound, "there is no such file").WithHint("name a Parquet file, a folder, or a pattern in quotes: --from 'data/*.parquet'")
	}
	return found, err
}

// Proposal lists the proposed definitions.
type Proposal struct {
	Sources []ProposedSource
	Missing []string // what is not proposed, and why
}

// ProposedSource is a source and its views.
type ProposedSource struct {
	Name  string
	Files int
	Event string // the column of event times; "": a static table
	Views []ProposedView
}

// ProposedView is a view of a source.
type ProposedView struct {
	Name     string
	Entities []string
	Features int
}

func (p *proposal) summary() *Proposal {
	out := &Proposal{}
	for _, s := range p.sources {
		if line := s.missing(); line != "" {
			out.Missing = append(out.Missing, line)
		}
		if s.problem != "" {
			continue
		}
		source := ProposedSource{Name: s.name, Files: len(s.group.files)}
		if s.event != nil {
			source.Event = s.event.name
		}
		for _, v := range s.views {
			source.Views = append(source.Views, ProposedView{v.name, v.entities, len(v.features)})
		}
		out.Sources = append(out.Sources, source)
	}
	return out
}
