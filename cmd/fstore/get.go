package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/server"
	"github.com/spf13/cobra"
)

// question is what get asks: which features, of which keys.
type question struct {
	selection
	entities []string // --entity
	files    []string // --entities
	at       string   // --at
	events   bool     // --event-timestamps
	grpc     string   // --grpc
}

// selection names features: a service, a list of references or, of what is served, a version of a model.
type selection struct {
	service  string
	features []string
	modelArg string          // --model
	model    fstore.ModelRef // what it says
}

func (s *selection) flags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&s.service, "service", "s", "", "feature service that names the features")
	cmd.Flags().StringSliceVarP(&s.features, "features", "f", nil, "list of features: view.f, view.*, view.f=name, view@2.f")
}

// modelFlag adds the flag that names a model.
func (s *selection) modelFlag(a *app, cmd *cobra.Command, usage string) {
	cmd.Flags().StringVarP(&s.modelArg, "model", "m", "", usage)
	_ = cmd.RegisterFlagCompletionFunc("model", a.completeModels)
}

func (s *selection) check(cmd *cobra.Command) (err error) {
	named := given(s.service != "", len(s.features) > 0, s.modelArg != "")
	switch {
	case named == 1 && s.modelArg != "":
		s.model, err = modelNamed("--model", s.modelArg)
	case named == 1:
	case cmd.Flags().Lookup("model") != nil:
		return usagef(cmd, "name one of --service, --model and --features")
	default:
		return usagef(cmd, "name either --service or --features")
	}
	if err != nil || s.service == "" && len(s.features) == 0 {
		return err
	}
	if s.service != "" {
		return checkService(s.service)
	}
	for _, ref := range s.features {
		if err := registry.CheckReference(ref); err != nil {
			return usageOf("--features: ", err)
		}
	}
	return nil
}

func (a *app) getCommand() *cobra.Command {
	var q question
	cmd := &cobra.Command{
		Use:   "get",
		Short: "Look up features in the online store",
		Long: `Look up the features of keys in the online store, as a server would answer. Each --entity is one row. --entities reads
rows from a Parquet, CSV (.csv, .tsv, also with .gz) or JSON file (.json, .jsonl), by the rules of labels. If the
features have no keys, there is one row.

--at sets the clock that judges age (ttl). It may not be before the instant from which a view's publication is
servable, because training before that instant uses an earlier publication.

--grpc asks a running server instead. The answer has the same form.`,
		Example: `  fstore get --service churn --entity customer_id=12003
  fstore get --service recommend --entity customer_id=12013,stock_code=P10322 --entity '{"customer_id":12013,"stock_code":"P11057"}'
  fstore get --features 'customer_orders.*,customer_profile.country=home' --entities data/labels.parquet --output json
  fstore get --model fraud@3 --entity customer_id=12003
  fstore get --grpc 127.0.0.1:6566 --service churn --entity customer_id=12003`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := q.check(cmd); err != nil {
				return err
			}
			if q.grpc != "" && q.at != "" {
				return usagef(cmd, "--at and --grpc: a server judges age by its own clock")
			}
			if q.grpc != "" && !isAddress(q.grpc) {
				return &usageError{message: fmt.Sprintf("--grpc %q is not an address", q.grpc), hint: "for example 127.0.0.1:6566"}
			}
			return a.get(cmd.Context(), &q)
		},
	}
	q.flags(cmd)
	q.modelFlag(a, cmd, "model version whose pinned features to use: fraud@3, or an alias: fraud@champion")
	flags := cmd.Flags()
	flags.StringArrayVarP(&q.entities, "entity", "e", nil, "one row of keys: k=v,k2=v2 or a JSON object (repeatable)")
	flags.StringArrayVar(&q.files, "entities", nil, "file with rows of keys: Parquet, CSV or JSON, by its name (repeatable)")
	flags.StringVar(&q.at, "at", "", "instant that age is judged at (default: now)")
	flags.BoolVar(&q.events, "event-timestamps", false, "show when each value was true")
	flags.StringVar(&q.grpc, "grpc", "", "ask the server at this address instead of reading the store")
	_ = cmd.RegisterFlagCompletionFunc("service", a.completeServices)
	_ = cmd.MarkFlagFilename("entities", "parquet", "csv", "tsv", "gz", "json", "jsonl", "ndjson")
	return cmd
}

// get asks and prints.
func (a *app) get(ctx context.Context, q *question) error {
	s, err := a.settings()
	if err != nil {
		return err
	}
	list, also, err := a.servingList(ctx, s, q.selection)
	if err != nil {
		return err
	}
	rows, err := a.keyRows(ctx, s, q, newKeyRows(list.KeyColumns(), also))
	if err != nil {
		return err
	}
	var answer *online.Answer
	if q.grpc != "" {
		list, answer, err = askServer(ctx, q, rows.columns)
	} else {
		answer, err = a.askStore(ctx, s, q, list, rows.columns)
	}
	if err != nil {
		return err
	}
	if a.json() {
		return server.WriteAnswerJSON(a.stdout, rows.columns, list, answer)
	}
	return a.printAnswer(rows.columns, list, answer)
}

// servingList resolves the selection to the versions that serve. It also returns the key columns that any request may
// carry.
func (a *app) servingList(ctx context.Context, s *Settings, sel selection) (list *fstore.FeatureList, also map[string]bool, err error) {
	err = withSnapshot(ctx, s, func(snap *registry.Snapshot) (err error) {
		also = snap.KeyColumns()
		switch {
		case sel.service != "":
			list, err = snap.ServingService(sel.service)
		case sel.model.Name != "":
			list, err = snap.ModelFeatures(sel.model)
		default:
			list, err = snap.ServingFeatures(sel.features)
		}
		return err
	})
	return list, also, err
}

// keyRows reads the rows that are asked about.
func (a *app) keyRows(ctx context.Context, s *Settings, q *question, rows *keyRows) (*keyRows, error) {
	if err := splitRow(q.entities); err != nil {
		return nil, err
	}
	for _, text := range q.entities {
		if err := rows.addFlag(text); err != nil {
			return nil, err
		}
	}
	if len(q.files) > 0 {
		if err := a.keyFiles(ctx, s, q.files, rows); err != nil {
			return nil, err
		}
	}
	if len(rows.columns) > 0 && len(q.entities)+len(q.files) == 0 {
		return nil, &usageError{
			message: "whose features? these need " + rows.names(),
			hint:    fmt.Sprintf("give --entity %s=…, once for each row, or --entities FILE", rows.columns[0].Name),
		}
	}
	return rows, nil
}

// keyFiles reads the rows of files.
func (a *app) keyFiles(ctx context.Context, s *Settings, files []string, rows *keyRows) error {
	if len(rows.columns) == 0 {
		return &usageError{message: "--entities: these features have no keys", hint: "leave it out: the answer has one row"}
	}
	engine, err := a.openEngine(s)
	if err != nil {
		return err
	}
	defer engine.Close()
	for _, path := range files {
		if err := rows.addFile(ctx, engine, path); err != nil {
			return err
		}
	}
	return nil
}

// askStore reads the online store itself.
func (a *app) askStore(ctx context.Context, s *Settings, q *question, list *fstore.FeatureList, keys []fstore.Column) (*online.Answer, error) {
	r := online.Request{Keys: keys, Now: a.now()}
	if q.at != "" {
		at, err := instant("--at", q.at)
		if err != nil {
			return nil, err
		}
		r.Now, r.Clock = at, online.ChosenClock
	}
	if q.events {
		r.EventTimes = online.WithEventTimes
	}
	store, err := openStore(s)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	store.Limits = online.Limits{} // those of a server: here the one who asks is the one who waits
	return store.Lookup(ctx, list, r)
}

// instant reads the instant of a flag.
func instant(flag, text string) (time.Time, error) {
	at, err := fstore.ParseTime(text)
	if err == nil && !at.After(time.Time{}) { // which stands for none
		err = fstore.Errorf(fstore.ErrInvalid, "%q is too early", text).WithHint("instants begin after 0001-01-01")
	}
	return at, usageOf(flag+": ", err)
}

// printAnswer prints one table: a line for each row of keys, or, of a single row, a line for each feature.
func (a *app) printAnswer(keys []fstore.Column, list *fstore.FeatureList, answer *online.Answer) error {
	switch answer.Rows {
	case 0:
		fmt.Fprintln(a.stdout, "There are no rows of keys.")
		return a.printVersions(list, answer)
	case 1:
		return a.printOneRow(keys, list, answer)
	}
	t := newTable()
	for i := range keys {
		t.header = append(t.header, keys[i].Name)
	}
	for i := range answer.Features {
		t.header = append(t.header, answer.Features[i].Column.Name)
	}
	for row := range answer.Rows {
		var cells []string
		for i := range keys {
			cells = append(cells, cell(&keys[i], row))
		}
		for i := range answer.Features {
			f := &answer.Features[i]
			text := cell(&f.Column, row)
			if s := f.Status(row); s != online.Present {
				text += " " + s.String()
			}
			if at, ok := f.Event(row); ok {
				text += " @" + fstore.FormatTime(at)
			}
			cells = append(cells, text)
		}
		t.row(cells...)
	}
	if err := t.print(a.stdout); err != nil {
		return err
	}
	return a.printVersions(list, answer)
}

func (a *app) printOneRow(keys []fstore.Column, list *fstore.FeatureList, answer *online.Answer) error {
	for i := range keys {
		fmt.Fprintf(a.stdout, "%s = %s\n", keys[i].Name, cell(&keys[i], 0))
	}
	t := newTable("FEATURE", "VALUE", "TYPE", "STATUS")
	if len(answer.Features) > 0 && answer.Features[0].Events != nil {
		t.header = append(t.header, "EVENT")
	}
	for i := range answer.Features {
		f := &answer.Features[i]
		cells := []string{f.Column.Name, cell(&f.Column, 0), f.Column.Type.String(), f.Status(0).String()}
		if at, ok := f.Event(0); ok {
			cells = append(cells, fstore.FormatTime(at))
		}
		t.row(cells...)
	}
	if err := t.print(a.stdout); err != nil {
		return err
	}
	return a.printVersions(list, answer)
}

// printVersions says what answered.
func (a *app) printVersions(list *fstore.FeatureList, answer *online.Answer) error {
	fmt.Fprintln(a.stdout)
	if list.Service.Name != "" {
		fmt.Fprintf(a.stdout, "service %s, from:\n", list.Service)
	}
	if list.Model.Name != "" {
		fmt.Fprintf(a.stdout, "model %s, from:\n", list.Model)
	}
	if !answer.Replayed.IsZero() {
		fmt.Fprintf(a.stdout, "replayed at %s\n", fstore.FormatTime(answer.Replayed))
	}
	t := newTable("VIEW", "PUBLISHED", "GENERATION")
	for _, v := range answer.Versions {
		t.row(v.Ref.String(), fstore.FormatTime(v.Published), string(v.Generation))
	}
	return t.print(a.stdout)
}

// cell writes a value for people: as JSON does, but text without quotes where it cannot be mistaken.
func cell(c *fstore.Column, row int) string {
	text := string(c.AppendJSON(nil, row))
	if text[0] != '"' {
		return text
	}
	bare := text[1 : len(text)-1]
	if bare == "" || bare == "null" || strings.Contains(bare, `\`) || strings.TrimSpace(bare) != bare {
		return text
	}
	return bare
}
