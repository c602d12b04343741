package offline

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/trainset"
)

// Users' SQL runs on a database of its own, which is sealed first: it can open only declared files, and cannot change
// settings. DuckDB has these restrictions only for a whole database, and never lifts them.

// isolated starts a session on a new database, with the macros that users' SQL may call. The caller seals it before it
// runs users' SQL.
func (e *Engine) isolated(ctx context.Context) (*session, error) {
	db, err := e.open()
	if err != nil {
		return nil, err
	}
	conn, err := db.Connect(ctx)
	if err != nil {
		return nil, errors.Join(translate(err), db.Close())
	}
	s := &session{e: e, own: db, conn: conn, sources: map[string]*source{}}
	if err := s.createMacros(ctx); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// sessionFor starts a session that computes a view, from pinned files unless these are nil. If the view has SQL, the database
// is sealed to the files of its sources.
func (e *Engine) sessionFor(ctx context.Context, v *fstore.ViewVersion, pinned *trainset.Pinned) (*session, error) {
	if v.View.SQL == "" && !v.View.Windowed() {
		return e.session(ctx)
	}
	s, err := e.isolated(ctx)
	if err != nil {
		return nil, err
	}
	s.pinned = pinned
	if err := errors.Join(s.lookAt(ctx, v), s.seal(ctx, nil, nil)); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// lookAt reads the footers of view versions' sources, which must happen before the database is sealed.
func (s *session) lookAt(ctx context.Context, versions ...*fstore.ViewVersion) error {
	for _, v := range versions {
		for i := range v.Sources {
			if _, err := s.source(ctx, &v.Sources[i]); err != nil && v.Ref.Name != "" {
				return fmt.Errorf("view %s: %w", v.Ref, err)
			} else if err != nil {
				return err
			}
		}
	}
	return nil
}

// seal limits the session's database to certain files and folders, and to the files of the sources that were looked at.
func (s *session) seal(ctx context.Context, files, folders []string) error {
	for _, src := range s.readSources() {
		files = append(files, src.files...)
	}
	paths := make([]string, 0, len(files))
	for _, file := range files {
		paths = append(paths, file)
		if pattern := escapedPath.Replace(file); pattern != file { // DuckDB asks for the pattern first, then for the file
			paths = append(paths, pattern)
		}
	}
	for _, set := range []string{
		"allowed_paths = " + texts(paths),
		"allowed_directories = " + texts(folders),
		"enable_external_access = false",
		"lock_configuration = true",
	} {
		if err := s.exec(ctx, "SET "+set); err != nil {
			return fmt.Errorf("seal the database: %w", err)
		}
	}
	return nil
}

// binder is a database sealed to no file at all, on which users' SQL is parsed and bound. One call at a time uses it, and
// leaves nothing in it.
type binder struct {
	mu sync.Mutex
	s  *session // nil until it is used
}

// bind calls do with the binder's session, within a transaction that is rolled back.
func (e *Engine) bind(ctx context.Context, do func(*session) error) error {
	b := &e.binder
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.s == nil {
		s, err := e.isolated(ctx)
		if err != nil {
			return err
		}
		if err := s.seal(ctx, nil, nil); err != nil {
			s.close()
			return err
		}
		b.s = s
	}
	if err := b.s.exec(ctx, "BEGIN"); err != nil {
		return err
	}
	err := do(b.s)
	if undone := b.s.exec(context.WithoutCancel(ctx), "ROLLBACK"); undone != nil { // the next call gets a new session
		b.s.close()
		b.s = nil
	}
	return err
}

func (b *binder) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.s != nil {
		b.s.close()
		b.s = nil
	}
}

// admit returns an error unless users' SQL reads only its inputs (see BindSQL). It is called before the SQL runs.
func (s *session) admit(ctx context.Context, sql string, inputs []fstore.Relation) error {
	q := admitted{sql, inputs}
	if slices.ContainsFunc(s.admitted, func(a admitted) bool { return reflect.DeepEqual(a, q) }) {
		return nil
	}
	_, err := s.e.BindSQL(ctx, sql, inputs)
	if err == nil {
		s.admitted = append(s.admitted, q)
	}
	return err
}

// admitted is users' SQL that a session may run, over certain inputs.
type admitted struct {
	sql    string
	inputs []fstore.Relation
}

// invalid turns an *fstore.SQLError into ErrInvalid.
func invalid(err error) error {
	var wrong *fstore.SQLError
	if errors.As(err, &wrong) {
		return fstore.Errorf(fstore.ErrInvalid, "%s", wrong.Message)
	}
	return err
}
