package offline

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/fstore-dev/fstore"
)

// Users' SQL runs on a database of its own, which is sealed before: it opens no file but those that are declared, and
// its settings stay as they are. DuckDB has such settings for a whole database only, and takes none of them back.

// isolated starts a session on a new database, with the macros that users' SQL may call. The caller seals it before it
// runs users' SQL.
func (e *Engine) isolated(ctx context.Context) (*session, error) {
	db, err := e.open()
	if err != nil {
		return nil, err
	}
	conn, err := db.Connect(ctx)
	if err != nil {
		return nil, errors.Join(plain(err), db.Close())
	}
	s := &session{e: e, own: db, conn: conn, sources: map[string]*source{}}
	if err := s.createMacros(ctx); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// sessionFor starts a session that computes a view: where users' SQL takes part, on a database that is sealed to the
// files of its sources.
func (e *Engine) sessionFor(ctx context.Context, v *fstore.ViewVersion) (*session, error) {
	if v.View.SQL == "" {
		return e.session(ctx)
	}
	s, err := e.isolated(ctx)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(s.lookAt(ctx, v), s.seal(ctx, nil, nil)); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// lookAt looks at the sources of view versions, which only a database that is not sealed can.
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

// seal closes the session's database to everything but some files and what lies in some folders. The sources that were
// looked at are among the files.
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

// binder is a sealed database without any file, on which users' SQL is parsed and bound. One call at a time uses it,
// and leaves nothing behind.
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
	if undone := b.s.exec(context.WithoutCancel(ctx), "ROLLBACK"); undone != nil { // then the next call gets another
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

// admit returns an error unless users' SQL, which is going to be run in a session, binds to nothing but its inputs: see
// BindSQL.
func (s *session) admit(ctx context.Context, sql string, inputs []fstore.Relation) error {
	_, err := s.e.BindSQL(ctx, sql, inputs)
	return err
}

// invalid turns an error about SQL, whose text an operation was given, into ErrInvalid.
func invalid(err error) error {
	var wrong *fstore.SQLError
	if errors.As(err, &wrong) {
		return fstore.Errorf(fstore.ErrInvalid, "%s", wrong.Message)
	}
	return err
}
