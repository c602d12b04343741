package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/internal/terminal"
	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/project"
	"github.com/fstore-dev/fstore/registry"
	"github.com/spf13/cobra"
)

// queryFlags are the flags of query.
type queryFlags struct {
	sql   string
	keys  []string
	at    string
	limit int
}

func (a *app) queryCommand() *cobra.Command {
	var f queryFlags
	cmd := &cobra.Command{
		Use:   "query [VIEW|SOURCE]",
		Short: "Show rows of a view, a source or a query",
		Long: `Show rows, computed from the sources by the definitions in head. The online store is not read.

For a view, query shows its history, newest rows first: keys, event, created (or the event, if a row has none),
available (when the row became visible) and features, before defaults. For a source, it shows the rows as SQL sees
them. --sql takes a query over sources and views, or a .sql file with one; the rules of --labels-sql apply.

--at T shows only rows that were visible at T. It does not pick one row per key, and it ignores publish and ttl: use
training-set create or get for that.`,
		Example: `  fstore query customer_orders --key customer_id=12003
  fstore query lines --at 2025-06-01 --limit 5
  fstore query --sql 'select country, count(*) as n from lines group by country order by n desc, country'`,
		Args: usage.Args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case (len(args) == 1) == (f.sql != ""):
				return usage.Errorf(cmd, "name either a view or source, or give --sql")
			case f.limit < 1:
				return usage.Errorf(cmd, "--limit %d: it must be at least 1", f.limit)
			}
			return a.with(cmd.Context(), func(p *project.Project) error { return a.query(cmd.Context(), p, strings.Join(args, ""), &f) })
		},
		ValidArgsFunction: a.completeRelations,
	}
	flags := cmd.Flags()
	flags.StringVar(&f.sql, "sql", "", "query over sources and views, or a .sql file with one")
	flags.StringArrayVar(&f.keys, "key", nil, "only rows with this value: column=value (repeatable)")
	flags.StringVar(&f.at, "at", "", "only rows that were visible at this instant")
	flags.IntVar(&f.limit, "limit", 20, "show at most this many rows")
	a.engineFlags(cmd)
	return cmd
}

func (a *app) query(ctx context.Context, p *project.Project, name string, f *queryFlags) (err error) {
	r := project.QueryRequest{Name: name, Limit: f.limit}
	if f.at != "" {
		at, err := instant("--at", f.at)
		if err != nil {
			return err
		}
		r.At = &at
	}
	for _, pair := range f.keys {
		column, value, ok := strings.Cut(pair, "=")
		if !ok || column == "" {
			return usage.Errorf(nil, "--key %q is not column=value", pair).WithHint("for example --key customer_id=12003")
		}
		r.Where = append(r.Where, offline.ColumnValue{Column: column, Value: value})
	}
	if f.sql != "" {
		if r.SQL, err = project.QueryText(f.sql); err != nil {
			return usage.Flagged("--sql", err)
		}
	}
	result, err := p.Query(ctx, r)
	if err != nil {
		return err
	}
	return a.printRows(result)
}

// printRows prints rows as a table, or as JSON: one object for each row.
func (a *app) printRows(result *offline.QueryResult) error {
	b := result.Rows
	if a.json() {
		return a.printJSON(struct {
			Columns []fstore.Field    `json:"columns"`
			Rows    []json.RawMessage `json:"rows"`
			More    bool              `json:"more"`
		}{columnsOf(b), rowsJSON(b), result.More})
	}
	t := terminal.NewTable()
	for i := range b.Columns {
		t.Header = append(t.Header, b.Columns[i].Name)
	}
	for row := range b.Len {
		var cells []string
		for i := range b.Columns {
			cells = append(cells, terminal.Value(b.Columns[i].AppendJSON(nil, row)))
		}
		t.Row(cells...)
	}
	if err := t.Print(a.stdout); err != nil {
		return err
	}
	switch {
	case b.Len == 0:
		_, err := fmt.Fprintln(a.stdout, "There are no such rows.")
		return err
	case result.More:
		_, err := fmt.Fprintf(a.stdout, "There are more rows than the %s shown; --limit shows more.\n", english.Thousands(int64(b.Len)))
		return err
	}
	return nil
}

// columnsOf returns the names and types of columns.
func columnsOf(b *fstore.Batch) []fstore.Field {
	out := make([]fstore.Field, len(b.Columns))
	for i := range b.Columns {
		out[i] = fstore.Field{Name: b.Columns[i].Name, Type: b.Columns[i].Type}
	}
	return out
}

// rowsJSON returns rows as JSON, an object for each.
func rowsJSON(b *fstore.Batch) []json.RawMessage {
	rows := make([]json.RawMessage, b.Len)
	for row := range rows {
		rows[row] = b.AppendRowJSON(nil, row)
	}
	return rows
}

// completeRelations completes the names of views and sources from the registry.
func (a *app) completeRelations(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.complete(cmd.Context(), func(rev *registry.Revision) (names []string) {
		for _, s := range rev.Sources() {
			names = append(names, s.Name+"\t"+s.Description)
		}
		for _, v := range rev.Views() {
			names = append(names, v.Ref.Name+"\t"+v.View.Description)
		}
		return names
	})
}
