package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/memory"
	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/project"
)

// options are the options with which the command line opens a repo.
func (a *app) options() project.Options {
	return project.Options{
		Settings: a.given, Lookup: a.lookup, Environ: a.environ, Clock: a.now, Version: version,
		TracePatience: tracePatience,
		Notify:        a.notify, Secret: a.addSecret, Traced: func(attrs []any) { a.traced.Store(&attrs) },
		BeforeEngine: func(s *project.Settings) {
			if megabytes, ok := project.ParseMemory(s.MemoryLimit); ok {
				a.watched.Do(func() { memory.Watch(int64(megabytes*1.25)*1_000_000+memorySpare, a.outOfMemory) })
			}
		},
	}
}

// memorySpare is how many bytes the program may hold beyond 1.25 times offline.memory_limit, for memory outside the
// engine. The engine respects the limit for tables, joins and sorts, but not for lists and texts that functions such
// as range() and repeat() make of one row. Beyond that the program ends, before the machine runs out of memory. Like
// a kill, that loses nothing.
const memorySpare = 2 << 30

func (a *app) outOfMemory(held int64) {
	a.fail(fstore.Errorf(fstore.ErrTooLarge, "out of memory: the program uses %d MB, far more than offline.memory_limit", held>>20).
		WithHint("look for SQL that makes long lists or texts from one row, such as range() and repeat(); or raise offline.memory_limit, see fstore.yaml"))
	os.Exit(statusFailed)
}

// notify prints what a person should know beside results.
func (a *app) notify(n project.Notice) {
	if n.Warning {
		a.warn(n.Text)
		return
	}
	a.remark(n.Text)
}

// with opens the repo while f runs.
func (a *app) with(ctx context.Context, f func(*project.Project) error) error {
	p, err := project.Open(ctx, a.repo, a.options())
	if err != nil {
		return asFlags(err)
	}
	defer p.Close()
	a.opened(p)
	return f(p)
}

// opened takes note of the settings of a repo.
func (a *app) opened(p *project.Project) {
	a.setLog(p.Settings.Log)
	if a.batch != nil {
		a.batch.project = p.Settings.Project
	}
}

// withGraph opens the repo and reads its registry.
func (a *app) withGraph(ctx context.Context, f func(*project.Project, project.Graph) error) error {
	return a.with(ctx, func(p *project.Project) error {
		g, err := p.Graph(ctx)
		if err != nil {
			return err
		}
		return f(p, g)
	})
}

// withLocks opens what the named training sets need: a lock in a file needs no repo.
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
	a.opened(p)
	return f(p)
}

// asFlags replaces the argument's name in an error by its flag.
func asFlags(err error) error {
	var argument *project.ArgumentError
	if errors.As(err, &argument) {
		return usage.Flagged("--"+argument.Name, argument.Err)
	}
	return err
}
