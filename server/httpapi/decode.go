package httpapi

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/body"
)

// jsonRequest is the body of POST /v1/online-features. Reading it is strict: names are matched exactly, each may be
// there once, and an unknown one is an error.
type jsonRequest struct {
	service  string
	model    fstore.ModelRef
	features []string // nil where a service or model is named
	entities []body.Column
	events   online.EventTimes
}

// bodies reads requests.
const bodies = body.Reader(`such as {"service":"churn","entities":{"customer_id":[17850]}}`)

// decodeRequest reads a body. It returns ErrInvalid, which names everything unknown.
func decodeRequest(text []byte) (*jsonRequest, error) {
	if err := fstore.CheckJSON(text); err != nil {
		return nil, err
	}
	req := &jsonRequest{}
	var unknown []string
	ways := 0 // of naming features
	err := bodies.EachMember(text, func(name string, raw json.RawMessage) (err error) {
		switch name {
		case "service":
			ways++
			err = bodies.Member(name, raw, "a string", '"', &req.service)
		case "model":
			ways++
			req.model, err = modelFrom(raw)
		case "features":
			ways++
			err = bodies.Member(name, raw, "a list of strings", '[', &req.features)
		case "entities":
			err = bodies.EachMember(raw, func(name string, values json.RawMessage) error {
				req.entities = append(req.entities, body.Column{Name: name, Values: values})
				return nil
			})
			if err != nil {
				err = fmt.Errorf("entities: %w", err)
			}
		case "event_timestamps":
			var wanted bool
			if err = bodies.Member(name, raw, "true or false", raw[0], &wanted); wanted {
				req.events = online.WithEventTimes
			}
		default:
			unknown = append(unknown, name)
		}
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case unknown != nil:
		return nil, fstore.Errorf(fstore.ErrInvalid, "the request has unknown fields: %s", strings.Join(unknown, ", ")).
			WithHint("the fields are service, model, features, entities and event_timestamps")
	case ways != 1:
		return nil, server.NotOneSelection()
	}
	return req, nil
}

// modelFrom reads the name and version of a model. Neither may be missing.
func modelFrom(raw json.RawMessage) (ref fstore.ModelRef, err error) {
	err = bodies.EachMember(raw, func(name string, value json.RawMessage) error {
		switch name {
		case "name":
			return bodies.Member("model name", value, "a string", '"', &ref.Name)
		case "version":
			return bodies.Member("model version", value, "a string", '"', &ref.Version)
		}
		return fstore.Errorf(fstore.ErrInvalid, "unknown field %q", name)
	})
	if err == nil && (ref.Name == "" || ref.Version == "") {
		err = fstore.Errorf(fstore.ErrInvalid, "name or version is missing")
	}
	if err != nil {
		err = fmt.Errorf("model: %w", fstore.Errorf(fstore.ErrInvalid, "%s", fstore.MessageOf(err)).WithHint(`such as {"model":{"name":"fraud","version":"3"}}; an alias may stand for the version`))
	}
	return ref, err
}

// columns reads the columns as the types that the features need.
func (r *jsonRequest) columns(t *server.Target, maxRows int) ([]fstore.Column, error) {
	return bodies.Columns(r.entities, t, maxRows, (*fstore.Column).AppendParsed)
}
