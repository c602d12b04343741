package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/connect"
	"github.com/fstore-dev/fstore/internal/terminal"
	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/project"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/server/httpapi"
	"github.com/spf13/cobra"
)

// question is what get asks: which features, of which keys.
type question struct {
	selection
	entities []string // --entity
	files    []string // --entities
	at       string   // --at
	events   bool     // --event-timestamps
	server   connect.Flags
}

// selection names features: a service, a version of a model, or a list of references.
type selection struct {
	selected project.Selection
	modelArg string // --model
}

func (s *selection) flags(a *app, cmd *cobra.Command) {
	cmd.Flags().StringVarP(&s.selected.Service, "service", "s", "", "feature service that names the features")
	cmd.Flags().StringSliceVarP(&s.selected.Features, "features", "f", nil, "list of features: view.f, view.*, view.f=name, view@2.f")
	cmd.Flags().StringVarP(&s.modelArg, "model", "m", "", "model version whose pinned features to use: fraud@3, or an alias: fraud@champion")
	_ = cmd.RegisterFlagCompletionFunc("model", a.completeModels)
}

func (s *selection) check(cmd *cobra.Command) (err error) {
	named := usage.Given(s.selected.Service != "", len(s.selected.Features) > 0, s.modelArg != "")
	switch {
	case named == 1 && s.modelArg != "":
		s.selected.Model, err = modelNamed("--model", s.modelArg)
	case named != 1:
		return usage.Errorf(cmd, "name one of --service, --model and --features")
	}
	if err != nil || s.selected.Service == "" && len(s.selected.Features) == 0 {
		return err
	}
	if s.selected.Service != "" {
		return checkService(s.selected.Service)
	}
	for _, ref := range s.selected.Features {
		if err := registry.CheckReference(ref); err != nil {
			return usage.Of("--features: ", err)
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
features have no keys, there is one row. Request columns of on-demand features stand beside the keys: -e k=v,lat=2.5.

--at sets the clock that judges age (ttl) and at which the windows of views without publish end. It may not be before
the instant from which a view's publication is servable: training before that instant uses an earlier one.

--grpc asks a running server instead. The answer has the same form. --tls asks it over TLS, and so does any other --tls-…
flag. Each flag is also a variable: FSTORE_TLS_CA for --tls-ca. A token comes from --token-file or the variable
FSTORE_TOKEN, and goes in plain text only to this machine. --timeout says how long the answer may take.`,
		Example: `  fstore get --service churn --entity customer_id=12003
  fstore get --service recommend --entity customer_id=12013,stock_code=P10322 --entity '{"customer_id":12013,"stock_code":"P11057"}'
  fstore get --features 'customer_orders.*,customer_profile.country=home' --entities data/labels.parquet --output json
  fstore get --model fraud@3 --entity customer_id=12003
  fstore get --grpc 127.0.0.1:6566 --service churn --entity customer_id=12003
  fstore get --grpc features.example.com:6566 --tls-ca ca.pem --token-file token --service churn --entity customer_id=12003`,
		Args: usage.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := q.check(cmd); err != nil {
				return err
			}
			if q.server.Address != "" && q.at != "" {
				return usage.Errorf(cmd, "--at and --grpc: a server has a clock of its own")
			}
			if err := q.server.Check(cmd, a.lookup, project.IsAddress); err != nil {
				return err
			}
			return a.with(cmd.Context(), func(p *project.Project) error { return a.get(cmd.Context(), p, &q) })
		},
	}
	q.flags(a, cmd)
	flags := cmd.Flags()
	flags.StringArrayVarP(&q.entities, "entity", "e", nil, "one row of keys: k=v,k2=v2 or a JSON object (repeatable)")
	flags.StringArrayVar(&q.files, "entities", nil, "file with rows of keys: Parquet, CSV or JSON, by its name (repeatable)")
	flags.StringVar(&q.at, "at", "", "instant that age is judged at and windows end at (default: now)")
	flags.BoolVar(&q.events, "event-timestamps", false, "show when each value was true")
	q.server.Add(flags, "ask the server at this address instead of reading the store")
	_ = cmd.RegisterFlagCompletionFunc("service", a.completeServices)
	_ = cmd.MarkFlagFilename("entities", "parquet", "csv", "tsv", "gz", "json", "jsonl", "ndjson")
	return cmd
}

// get asks and prints.
func (a *app) get(ctx context.Context, p *project.Project, q *question) error {
	list, also, err := p.Serving(ctx, q.selected)
	if err != nil {
		return err
	}
	rows := project.NewKeyRows(list, also)
	if err := readKeys(ctx, p, q, rows); err != nil {
		return err
	}
	var answer *online.Answer
	columns := rows.Columns
	if len(q.entities)+len(q.files) == 0 {
		columns = nil // the answer has one row
	}
	if q.server.Address != "" {
		list, answer, err = askServer(ctx, q, columns)
	} else {
		answer, err = askStore(ctx, p, q, list, columns)
	}
	if err != nil {
		return err
	}
	if a.json() {
		return httpapi.WriteAnswerJSON(a.stdout, columns, list, answer)
	}
	return a.printAnswer(columns, list, answer)
}

// readKeys reads the rows of keys.
func readKeys(ctx context.Context, p *project.Project, q *question, rows *project.KeyRows) error {
	if err := usage.SplitRow(q.entities); err != nil {
		return err
	}
	for _, text := range q.entities {
		if err := rows.AddText(text); err != nil {
			return usage.Of("--entity "+text+": ", err)
		}
	}
	if err := readKeyFiles(ctx, p, q.files, rows); err != nil {
		return err
	}
	if !rows.Optional() && len(q.entities)+len(q.files) == 0 {
		return usage.Errorf(nil, "the keys are missing: these features need %s", rows.Names()).
			WithHint("give --entity %s=…, once for each row, or --entities FILE", rows.Columns[0].Name)
	}
	return nil
}

// readKeyFiles reads the rows of the files that --entities names.
func readKeyFiles(ctx context.Context, p *project.Project, files []string, rows *project.KeyRows) error {
	if len(files) > 0 && len(rows.Columns) == 0 {
		return usage.Errorf(nil, "--entities: these features have no keys").WithHint("remove the flag: the answer has one row")
	}
	for _, path := range files {
		if err := p.ReadKeys(ctx, rows, path); err != nil {
			if errors.Is(err, fstore.ErrUsage) {
				return usage.Flagged("--entities", err)
			}
			return err
		}
	}
	return nil
}

// askStore reads the online store directly.
func askStore(ctx context.Context, p *project.Project, q *question, list *fstore.FeatureList, keys []fstore.Column) (*online.Answer, error) {
	o := project.GetOptions{EventTimes: q.events}
	if q.at != "" {
		at, err := instant("--at", q.at)
		if err != nil {
			return nil, err
		}
		o.At = &at
	}
	return p.Get(ctx, list, keys, o)
}

// instant reads the instant of a flag.
func instant(flag, text string) (time.Time, error) {
	at, err := fstore.ParseTime(text)
	if err == nil && !at.After(time.Time{}) { // the zero instant means none
		err = fstore.Errorf(fstore.ErrInvalid, "%q is too early", text).WithHint("instants begin after 0001-01-01")
	}
	return at, usage.Of(flag+": ", err)
}

// printAnswer prints one table: a line per row of keys or, for a single row, a line per feature.
func (a *app) printAnswer(keys []fstore.Column, list *fstore.FeatureList, answer *online.Answer) error {
	switch answer.Rows {
	case 0:
		fmt.Fprintln(a.stdout, "There are no rows of keys.")
		return a.printVersions(list, answer)
	case 1:
		return a.printOneRow(keys, list, answer)
	}
	t := terminal.NewTable()
	for i := range keys {
		t.Header = append(t.Header, keys[i].Name)
	}
	for i := range answer.Features {
		t.Header = append(t.Header, answer.Features[i].Column.Name)
	}
	for row := range answer.Rows {
		var cells []string
		for i := range keys {
			cells = append(cells, terminal.Value(keys[i].AppendJSON(nil, row)))
		}
		for i := range answer.Features {
			f := &answer.Features[i]
			text := terminal.Value(f.Column.AppendJSON(nil, row))
			if s := f.Status(row); s != online.Present {
				text += " " + s.String()
			}
			if at, ok := f.Event(row); ok {
				text += " @" + fstore.FormatTime(at)
			}
			cells = append(cells, text)
		}
		t.Row(cells...)
	}
	if err := t.Print(a.stdout); err != nil {
		return err
	}
	return a.printVersions(list, answer)
}

func (a *app) printOneRow(keys []fstore.Column, list *fstore.FeatureList, answer *online.Answer) error {
	for i := range keys {
		fmt.Fprintf(a.stdout, "%s = %s\n", keys[i].Name, terminal.Value(keys[i].AppendJSON(nil, 0)))
	}
	t := terminal.NewTable("FEATURE", "VALUE", "TYPE", "STATUS")
	if len(answer.Features) > 0 && answer.Features[0].Events != nil {
		t.Header = append(t.Header, "EVENT")
	}
	for i := range answer.Features {
		f := &answer.Features[i]
		cells := []string{f.Column.Name, terminal.Value(f.Column.AppendJSON(nil, 0)), f.Column.Type.String(), f.Status(0).String()}
		if at, ok := f.Event(0); ok {
			cells = append(cells, fstore.FormatTime(at))
		}
		t.Row(cells...)
	}
	if err := t.Print(a.stdout); err != nil {
		return err
	}
	return a.printVersions(list, answer)
}

// printVersions prints the versions that answered.
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
	if !answer.Clock.IsZero() {
		fmt.Fprintf(a.stdout, "windows end at %s\n", fstore.FormatTime(answer.Clock))
	}
	t := terminal.NewTable("VIEW", "PUBLISHED", "GENERATION")
	for _, v := range answer.Versions {
		stale := ""
		if v.Stale {
			stale = "stale: older than the max_staleness of the service"
		}
		t.Row(v.Ref.String(), fstore.FormatTime(v.Published), string(v.Generation), stale)
	}
	for _, ref := range answer.OnDemand {
		t.Row(ref.String(), "on demand", "")
	}
	return t.Print(a.stdout)
}
