package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/registry"
)

// initFrom writes a repo whose definitions are proposed from the columns of files.
func (a *app) initFrom(ctx context.Context, dir string, from []string) error {
	fresh, err := room(dir)
	if err != nil {
		return err
	}
	p, err := a.proposeFrom(ctx, dir, from)
	if err != nil {
		return fmt.Errorf("init %s: %w", dir, err)
	}
	write := func(dir string) error { return writeBare(dir, p.text()) }
	if fresh {
		err = writeRepo(dir, write)
	} else if err = write(dir); err != nil {
		for _, name := range repoFiles {
			_ = os.RemoveAll(filepath.Join(dir, name)) // room found that they were not there
		}
		err = fmt.Errorf("init %s: %w", dir, err)
	}
	if err != nil {
		return err
	}
	return a.printProposal(dir, p)
}

// repoFiles are the files and folders that every repo has.
var repoFiles = []string{settingsFile, definitionsFile, schemaDir}

// room returns an error if a repo in a folder would write over something, or read YAML that is something else. It reports
// whether the folder is empty or not there.
func room(dir string) (fresh bool, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("init %s: %w", dir, underlying(err))
	}
	for _, name := range repoFiles {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return false, fstore.Errorf(fstore.ErrConflict, "init %s: %s is there already", dir, name).WithHint("give the name of a new folder")
		}
	}
	repo, err := registry.Load(dir, os.LookupEnv)
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
func (a *app) proposeFrom(ctx context.Context, dir string, from []string) (*proposal, error) {
	repo, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	engine, err := offline.Open(offline.Options{Dir: repo, Lookup: a.lookup})
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

// filesFrom returns the files that a path of --from names: a file, the Parquet files of a folder and those beneath it, or
// those that a pattern matches.
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

// printProposal says what was proposed, and what was not.
func (a *app) printProposal(dir string, p *proposal) error {
	var missing []string
	for _, s := range p.sources {
		if line := s.missing(); line != "" {
			missing = append(missing, line)
		}
	}
	if a.json() {
		return a.printJSON(struct {
			Repo    string   `json:"repo"`
			Missing []string `json:"missing,omitempty"`
		}{dir, missing})
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Wrote a feature repo to %s. Its definitions.yaml proposes:\n", dir)
	for _, s := range p.sources {
		if s.problem != "" {
			continue
		}
		time := "a static table"
		if s.event != nil {
			time = "event time " + s.event.name
		}
		fmt.Fprintf(&b, "  source %s: %s, %s\n", s.name, count(len(s.group.files), "file"), time)
		for _, v := range s.views {
			fmt.Fprintf(&b, "    feature_view %s of %s: %s\n", v.name, strings.Join(v.entities, ", "), count(len(v.features), "feature"))
		}
	}
	for _, line := range missing {
		b.WriteString("Note: " + commentText(line) + "\n")
	}
	fmt.Fprintf(&b, "\nNext: check the lines of definitions.yaml marked \"guessed\", then\n  cd %s\n  fstore validate\n  fstore plan\n", dir)
	_, err := fmt.Fprint(a.stdout, b.String())
	return err
}
