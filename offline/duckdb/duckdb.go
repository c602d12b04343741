// Package duckdb is a thin typed wrapper over DuckDB's C interface: a database in memory, connections, and
// queries that stream column batches. It knows nothing about feature stores beyond the types of package fstore.
//
// A Conn is used by one goroutine at a time. Cancelling the context of a call interrupts the query. Nothing
// returned points into DuckDB's memory, so a batch stays valid after the query is closed.
package duckdb

import (
	"context"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/fstore-dev/fstore"
)

// Config says how to open a database. Zero values mean DuckDB's defaults.
type Config struct {
	Threads     int
	MemoryLimit string // such as 4GB
	TempDir     string // for data beyond the memory limit
}

// DB is a database in memory. It is safe for concurrent use; each goroutine opens its own Conn.
type DB struct{ db mapping.Database }

// Version returns the version of the DuckDB library, such as v1.5.6.
func Version() string { return mapping.LibraryVersion() }

// Open opens an empty database in memory. Extensions are neither downloaded nor loaded by themselves.
func Open(c Config) (*DB, error) {
	var config mapping.Config
	if mapping.CreateConfig(&config) != mapping.StateSuccess {
		return nil, fstore.Errorf(fstore.ErrUnavailable, "open duckdb: out of memory")
	}
	defer mapping.DestroyConfig(&config)
	threads := c.Threads
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	settings := [][2]string{
		{"threads", strconv.Itoa(threads)},
		{"autoinstall_known_extensions", "false"},
		{"autoload_known_extensions", "false"},
		// DuckDB recognizes a file by its path, size and last change in seconds. A file replaced within a second, or by a copy
		// with the old time, would be read from the cache.
		{"enable_external_file_cache", "false"},
		{"memory_limit", c.MemoryLimit},
		{"temp_directory", c.TempDir},
	}
	for _, s := range settings {
		if s[1] == "" {
			continue
		}
		if mapping.SetConfig(config, s[0], s[1]) != mapping.StateSuccess {
			return nil, fstore.Errorf(fstore.ErrInvalid, "open duckdb: %s cannot be %q", s[0], s[1])
		}
	}
	d := &DB{}
	var msg string
	if mapping.OpenExt("", &d.db, config, &msg) != mapping.StateSuccess {
		return nil, fstore.Errorf(fstore.ErrInvalid, "open duckdb: %s", parseError(msg).Message)
	}
	return d, nil
}

// Close releases the database. All its connections must be closed first.
func (d *DB) Close() error {
	mapping.Close(&d.db)
	return nil
}

// Conn is a connection: it has its own temporary tables and views and runs one query at a time.
type Conn struct{ conn mapping.Connection }

// Connect opens a connection. Times without a zone are UTC on it.
func (d *DB) Connect(ctx context.Context) (*Conn, error) {
	c := &Conn{}
	if mapping.Connect(d.db, &c.conn) != mapping.StateSuccess {
		return nil, fstore.Errorf(fstore.ErrUnavailable, "open a duckdb connection")
	}
	for _, s := range []string{
		"SET errors_as_json = true",
		"SET TimeZone = 'UTC'",
		"SET enable_progress_bar = true", // otherwise there is no progress to report
		"SET enable_progress_bar_print = false",
	} {
		if err := c.Exec(ctx, s); err != nil {
			c.Close()
			return nil, err
		}
	}
	return c, nil
}

// Close drops the connection with everything temporary on it.
func (c *Conn) Close() { mapping.Disconnect(&c.conn) }

// Progress returns the share of the running query that is done, from 0 to 1; 0 where it is not known. It may be
// called from another goroutine while a query runs.
func (c *Conn) Progress() float64 {
	p := mapping.QueryProgress(c.conn)
	percent, _, _ := mapping.QueryProgressTypeMembers(&p)
	return min(max(percent/100, 0), 1)
}

// Exec runs one statement to its end and ignores its rows.
func (c *Conn) Exec(ctx context.Context, sql string) error {
	rows, err := c.Query(ctx, sql)
	if err != nil {
		return err
	}
	defer rows.Close()
	for {
		more, err := rows.skip()
		if err != nil || !more {
			return err
		}
	}
}

// watch interrupts the connection while ctx is done, until stop is called; stop waits for the watcher to end.
// It interrupts again and again, because an interrupt between two of DuckDB's steps is forgotten.
func (c *Conn) watch(ctx context.Context) (stop func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	ended := make(chan struct{})
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		select {
		case <-ended:
			return
		case <-ctx.Done():
		}
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			mapping.Interrupt(c.conn)
			select {
			case <-ended:
				return
			case <-tick.C:
			}
		}
	}()
	return func() {
		close(ended)
		wg.Wait()
	}
}
