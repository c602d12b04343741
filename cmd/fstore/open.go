package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/project"
)

// options say how the command line opens a repo.
func (a *app) options() project.Options {
	return project.Options{
		Settings: a.given, Lookup: a.lookup, Environ: a.environ, Clock: a.now, Version: buildVersion(),
		Notify: a.notify, Secret: a.addSecret,
		EngineOpened: func(s *project.Settings) {
			if megabytes, ok := project.ParseMemory(s.MemoryLimit); ok {
				a.watched.Do(func() { a.watchMemory(megabytes) })
			}
		},
	}
}

// notify prints what a person should know beside results.
func (a *app) notify(n project.Notice) {
	if n.Warning {
		fmt.Fprintf(a.stderr, "warning: %s\n", n.Text)
		return
	}
	fmt.Fprintln(a.stderr, n.Text)
}

// with opens the repo for as long as f runs.
func (a *app) with(ctx context.Context, f func(*project.Project) error) error {
	p, err := project.Open(ctx, a.repo, a.options())
	if err != nil {
		return asFlags(err)
	}
	defer p.Close()
	return f(p)
}

// withGraph opens the repo and reads its registry as it is now.
func (a *app) withGraph(ctx context.Context, f func(*project.Project, project.Graph) error) error {
	return a.with(ctx, func(p *project.Project) error {
		g, err := p.Graph(ctx)
		if err != nil {
			return err
		}
		return f(p, g)
	})
}

// withLocks opens what the training sets of arguments need: a lock in a file needs no repo.
func (a *app) withLocks(ctx context.Context, f func(*project.Project) error, args ...string) error {
	for _, arg := range args {
		if !project.IsLockFile(arg) {
			return a.with(ctx, f)
		}
	}
	p, err := project.OpenForLock(ctx, a.repo, filepath.Dir(args[0]), a.options())
	if err != nil {
		return asFlags(err)
	}
	defer p.Close()
	return f(p)
}

// flagged puts the name of a flag in front of an error about its value.
func flagged(flag string, err error) error { return fmt.Errorf("%s %w", flag, err) }

// asFlags puts the flag in the place of the argument that an error is about.
func asFlags(err error) error {
	var argument *project.ArgumentError
	if errors.As(err, &argument) {
		return flagged("--"+argument.Name, argument.Err)
	}
	return err
}

// usageIn puts the name of a command or flag in front of an error about what it was given.
func usageIn(name string, err error) error {
	if errors.Is(err, fstore.ErrUsage) {
		return fmt.Errorf("%s: %w", name, err)
	}
	return err
}
