// Package sqlgate decides which SQL users may write, and says what it reads. No other package knows DuckDB's parse
// tree of SQL text or the plan of its binder.
//
// A Gate parses text. A Tree shows which tables the text reads and what is refused in it. Query.Judge adds what only
// the binder's plan shows. docs/design/sql-gate.md explains why there is a gate, and what backs it up.
package sqlgate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
)

// Parser is as much of an SQL engine as the gate needs. It reports mistakes in SQL as *fstore.SQLError.
type Parser interface {
	// ParseSQL returns the engine's parse tree of SQL text, as JSON.
	ParseSQL(ctx context.Context, sql string) ([]byte, error)
}

// Gate parses SQL. It caches the trees, so text that many definitions read is parsed once.
type Gate struct {
	parser Parser
	trees  map[string]Tree // by SQL text
}

// New returns a gate for the SQL of an engine.
func New(parser Parser) *Gate { return &Gate{parser: parser, trees: map[string]Tree{}} }

// Tree is the parse tree of a query.
type Tree struct {
	root node
	text string
}

// Parse parses SQL. It returns an *fstore.SQLError if the text is not one query within the limits.
func (g *Gate) Parse(ctx context.Context, sql string) (Tree, error) {
	if t, ok := g.trees[sql]; ok {
		return t, nil
	}
	if err := checkBounds(sql); err != nil {
		return Tree{}, err
	}
	raw, err := g.parser.ParseSQL(ctx, sql)
	if err != nil {
		return Tree{}, err
	}
	root, err := parseTree(raw)
	if err != nil {
		return Tree{}, err
	}
	g.trees[sql] = Tree{root, sql}
	return g.trees[sql], nil
}

// Explain turns an error about SQL text into a finding with a hint. It returns false if the error is not about the
// text.
func (g *Gate) Explain(ctx context.Context, sql string, err error) (Finding, bool) {
	var wrong *fstore.SQLError
	if !errors.As(err, &wrong) {
		return Finding{}, false
	}
	f := explain(sql, wrong)
	if f.Hint == "" {
		f.Hint = g.quoteHint(ctx, sql, wrong)
	}
	return f, true
}

// Inspect walks the tree.
func (t Tree) Inspect() *Query { return inspect(t.root, t.text) }

// Canonical returns the tree as a JSON value without what cannot change a result. Queries with the same canonical
// tree are the same.
func (t Tree) Canonical() any { return canonical(t.root) }

// Judge returns what the plan of the query shows to be refused, and adds to the doubts.
func (q *Query) Judge(plan []byte, h History) (refused []Finding, err error) {
	found, err := inspectPlan(plan, h)
	if err != nil {
		return nil, err
	}
	for _, v := range locate(found, q.root) {
		switch {
		case v.Message == sameInstant:
			q.Doubts = slices.DeleteFunc(q.Doubts, func(d Finding) bool {
				return strings.HasSuffix(d.Message, notKnownYet) && d.Offset == v.Offset
			})
		case v.Message == oneRowPerTime:
			q.Doubts = slices.DeleteFunc(q.Doubts, func(d Finding) bool { return d.Message == arbitraryRow })
		case v.doubt:
			q.Doubts = append(q.Doubts, q.complete(v))
		default:
			refused = append(refused, v.Finding)
		}
	}
	return refused, nil
}

// complete returns a finding with what only the text says: the place of a table, and the declaration of a window.
func (q *Query) complete(v verdict) Finding {
	for _, t := range slices.Backward(q.Tables) {
		if v.Offset < 0 && v.table == Fold(t.Name) {
			v.Offset = t.Offset
		}
	}
	v.Offset = grouped(q.root, v.Offset)
	if v.declared != (declared{}) {
		v.Hint = declaration(q.text, v.at, v.declared)
	}
	return v.Finding
}

// CheckQuery returns an error unless the gate accepts the query and the query reads nothing but inputs. It is for SQL
// from outside the repo, such as that in a lock.
func CheckQuery(ctx context.Context, parser Parser, name, sql string, inputs []string) error {
	tree, err := New(parser).Parse(ctx, sql)
	if err != nil {
		return fstore.Errorf(fstore.ErrInvalid, "%s: %s", name, firstLine(err))
	}
	at := func(offset int, format string, args ...any) *fstore.Error {
		return fstore.Errorf(fstore.ErrInvalid, "%s: %s", fstore.PosIn(name, sql, offset), fmt.Sprintf(format, args...))
	}
	q := tree.Inspect()
	if len(q.Refused) > 0 {
		f := q.Refused[0]
		return at(f.Offset, "%s", f.Message).WithHint("%s", f.Hint)
	}
	for _, t := range q.Tables {
		if !slices.Contains(inputs, Fold(t.Name)) {
			return at(t.Offset, "the lock has no source or view %q", t.Name).WithHint("%s", fstore.DidYouMean(t.Name, inputs))
		}
	}
	return nil
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	return strings.TrimSpace(line)
}
