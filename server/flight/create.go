package flight

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/flight"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/server/access"
)

// createAction is the action that makes a training set.
const createAction = "fstore.create_training_set"

const (
	maxCreation = 1 << 20   // bytes of the action's body
	maxQuery    = 100 << 10 // bytes of labels_sql: it becomes an argument of a command
)

// DoAction implements flight.FlightServer: it makes a training set. Each result is a JSON object: progress, a warning, a
// note, or the error in full; the last one is the summary.
func (a *API) DoAction(action *flight.Action, stream flight.FlightService_DoActionServer) error {
	return a.run(stream.Context(), "DoAction", func(ctx context.Context) error {
		if action.GetType() != createAction {
			return fstore.Errorf(fstore.ErrInvalid, "%.100q is not an action of this server", action.GetType()).WithHint("the action is %s", createAction)
		}
		r, err := creationOf(action.GetBody())
		if err != nil {
			return err
		}
		a.core.Asked(ctx, r.Service, len(r.Features))
		if err := a.mayCreate(ctx, r); err != nil {
			return err
		}
		say := func(line []byte) error { return stream.Send(&flight.Result{Body: line}) }
		summary, err := a.create(ctx, r, say)
		if err != nil {
			return err
		}
		return say(summary)
	})
}

func (a *API) create(ctx context.Context, r *Creation, say func([]byte) error) ([]byte, error) {
	leave, err := a.turns.enter(ctx, r.Name, func(before int) error {
		return note(say, fmt.Sprintf("waits for %s", english.Count(before, "training set")))
	})
	if err != nil {
		return nil, err
	}
	defer leave()
	return a.sets.Create(ctx, r, say)
}

// note says a sentence to the caller, in the form of the command's messages.
func note(say func([]byte) error, text string) error {
	line, err := json.Marshal(map[string]any{"note": map[string]string{"message": text}})
	if err != nil {
		return err
	}
	return say(line)
}

// creationOf reads the body of the action.
func creationOf(body []byte) (*Creation, error) {
	if len(body) > maxCreation {
		return nil, fstore.Errorf(fstore.ErrTooLarge, "the action has %d bytes; the limit is %d", len(body), maxCreation)
	}
	r := &Creation{}
	if err := decodeJSON(body, r); err != nil {
		return nil, fstore.Errorf(fstore.ErrInvalid, "the body of the action is not what it should be: %v", err).
			WithHint(`for example {"name": "churn_2025", "service": "churn", "labels": DIGEST}`)
	}
	return r, r.check()
}

func (r *Creation) check() error {
	bad := func(format string, args ...any) *fstore.Error {
		return fstore.Errorf(fstore.ErrInvalid, format, args...)
	}
	if err := fstore.CheckName(r.Name); err != nil {
		return err
	}
	switch {
	case (r.Service != "") == (len(r.Features) > 0):
		return bad("name either a service or features")
	case (r.Labels != "") == (r.LabelsSQL != ""):
		return bad("give either labels, which is a digest that DoPut has returned, or labels_sql")
	case r.Labels != "" && !isDigest(r.Labels):
		return bad("labels %.80q is not a digest", r.Labels).WithHint("send the labels with DoPut, which returns their digest")
	case len(r.LabelsSQL) > maxQuery:
		return fstore.Errorf(fstore.ErrTooLarge, "labels_sql has %d bytes; the limit is %d", len(r.LabelsSQL), maxQuery)
	case strings.HasSuffix(r.LabelsSQL, ".sql"):
		return bad("labels_sql is a query, and not the name of a file")
	case r.Seed != nil && r.Sample == nil:
		return bad("seed goes with sample")
	}
	for _, text := range append([]string{r.Service, r.LabelsSQL, r.Timestamp, r.AsOf, r.LeakCheck}, append(r.Features, r.Label...)...) {
		if strings.ContainsRune(text, 0) {
			return bad("%.80q has a zero byte", text)
		}
	}
	if r.Service != "" {
		return fstore.CheckName(r.Service)
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
