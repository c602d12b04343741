package flight

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/flight"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/server/access"
)

// The actions.
const (
	createAction  = "fstore.create_training_set"
	previewAction = "fstore.preview_training_set"
)

const (
	maxAction = 1 << 20   // bytes of an action's body
	maxQuery  = 100 << 10 // bytes of labels_sql: it becomes an argument of a command
)

// DoAction implements flight.FlightServer. Each result is a JSON object: progress, a warning, a note, or the error in full;
// the last one is the summary. After that of a preview comes its file, in pieces.
func (a *API) DoAction(action *flight.Action, stream flight.FlightService_DoActionServer) error {
	return a.run(stream.Context(), "DoAction", func(ctx context.Context) error {
		say := func(line []byte) error { return stream.Send(&flight.Result{Body: line}) }
		switch action.GetType() {
		case createAction:
			return a.create(ctx, action.GetBody(), say)
		case previewAction:
			return a.preview(ctx, action.GetBody(), say)
		}
		return fstore.Errorf(fstore.ErrInvalid, "%.100q is not an action of this server", action.GetType()).
			WithHint("the actions are %s and %s", createAction, previewAction)
	})
}

func (a *API) create(ctx context.Context, body []byte, say func([]byte) error) error {
	r := &Creation{}
	if err := decodeAction(body, r); err != nil {
		return err
	}
	a.asked(ctx, &r.Request)
	if err := r.check(); err != nil {
		return err
	}
	if err := a.mayCreate(ctx, r); err != nil {
		return err
	}
	leave, err := a.turn(ctx, r.Name, say)
	if err != nil {
		return err
	}
	defer leave()
	summary, err := a.sets.Create(ctx, r, say)
	if err != nil {
		return err
	}
	return say(summary)
}

// asked notes for the audit log what a request is about.
func (a *API) asked(ctx context.Context, r *Request) {
	if model, err := fstore.ParseModelRef(r.Model); err == nil {
		a.core.AskedModel(ctx, model)
		return
	}
	a.core.Asked(ctx, r.Service, len(r.Features))
}

// turn waits for the turn of a training set, or of a preview, which has no name.
func (a *API) turn(ctx context.Context, name string, say func([]byte) error) (leave func(), err error) {
	return a.turns.enter(ctx, name, func(before int) error {
		return note(say, "waits for its turn, after "+english.Count(before, "other"))
	})
}

// note says a sentence to the caller, in the form of the command's messages.
func note(say func([]byte) error, text string) error {
	line, err := json.Marshal(map[string]any{"note": map[string]string{"message": text}})
	if err != nil {
		return err
	}
	return say(line)
}

// decodeAction reads the body of an action.
func decodeAction(body []byte, into any) error {
	if len(body) > maxAction {
		return fstore.Errorf(fstore.ErrTooLarge, "the action has %d bytes; the limit is %d", len(body), maxAction)
	}
	if err := decodeJSON(body, into); err != nil {
		return fstore.Errorf(fstore.ErrInvalid, "the body of the action is not what it should be: %v", err).
			WithHint(`for example {"name": "churn_2025", "service": "churn", "labels": DIGEST}; a preview has no name`)
	}
	return nil
}

func (c *Creation) check() error {
	if err := errors.Join(fstore.CheckName(c.Name), withoutZeros(c.Label)); err != nil {
		return err
	}
	return c.Request.check()
}

func (r *Request) check() error {
	bad := func(format string, args ...any) *fstore.Error {
		return fstore.Errorf(fstore.ErrInvalid, format, args...)
	}
	switch {
	case !r.namesOne():
		return bad("name one of a service, features and a model")
	case (r.Labels != "") == (r.LabelsSQL != ""):
		return bad("give either labels, which is a digest that DoPut has returned, or labels_sql")
	case r.Labels != "" && !isDigest(r.Labels):
		return bad("labels %.80q is not a digest", r.Labels).WithHint("send the labels with DoPut, which returns their digest")
	case len(r.LabelsSQL) > maxQuery:
		return fstore.Errorf(fstore.ErrTooLarge, "labels_sql has %d bytes; the limit is %d", len(r.LabelsSQL), maxQuery)
	case strings.HasSuffix(r.LabelsSQL, ".sql"):
		return bad("labels_sql is a query, and not the name of a file")
	case r.Sample != nil && *r.Sample < 1:
		return bad("sample of %d rows: it must have at least 1", *r.Sample)
	case r.Seed != nil && r.Sample == nil:
		return bad("seed goes with sample")
	}
	if err := withoutZeros(append([]string{r.Service, r.Model, r.LabelsSQL, r.Timestamp, r.AsOf, r.LeakCheck}, r.Features...)); err != nil {
		return err
	}
	switch {
	case r.Service != "":
		return fstore.CheckName(r.Service)
	case r.Model != "":
		model, err := fstore.ParseModelRef(r.Model)
		if err == nil && model.Version == "" {
			return bad("model %q has no version", r.Model).WithHint("such as %s@3, or an alias of a version", r.Model)
		}
		return err
	}
	return nil
}

// namesOne reports whether a request names features in exactly one way.
func (r *Request) namesOne() bool {
	ways := 0
	for _, given := range []bool{r.Service != "", len(r.Features) > 0, r.Model != ""} {
		if given {
			ways++
		}
	}
	return ways == 1
}

// withoutZeros refuses texts that cannot be arguments of a command.
func withoutZeros(texts []string) error {
	for _, text := range texts {
		if strings.ContainsRune(text, 0) {
			return fstore.Errorf(fstore.ErrInvalid, "%.80q has a zero byte", text)
		}
	}
	return nil
}

// isDigest reports whether a text is a SHA-256 in lower-case hex digits. It is part of a file's name.
func isDigest(text string) bool {
	return len(text) == 64 && strings.Trim(text, "0123456789abcdef") == ""
}

// mayCreate returns nil if the caller may make a training set. A grant for one service is for that service's features of
// labels that the caller sends. It is not for a query, which reads all sources, nor for the name of another's training set.
func (a *API) mayCreate(ctx context.Context, r *Creation) error {
	all := a.core.May(ctx, access.OfflineCreate, "")
	if all == nil {
		return nil
	}
	if r.Service == "" || r.LabelsSQL != "" {
		return all
	}
	if err := a.core.May(ctx, access.OfflineCreate, r.Service); err != nil {
		return err
	}
	set, err := a.sets.Find(ctx, r.Name)
	switch {
	case errors.Is(err, fstore.ErrNotFound):
		return nil
	case err == nil && !a.covers(ctx, access.OfflineCreate, set):
		return noGrant(access.OfflineCreate, r.Name)
	}
	return err
}
