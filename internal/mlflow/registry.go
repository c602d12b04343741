package mlflow

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/fstore-dev/fstore"
)

// URI names a version of a registered model: models:/fraud/7, or models:/fraud@champion by an alias.
type URI struct {
	Name    string
	Version string // empty if there is an alias
	Alias   string
}

// scheme begins every URI of a model.
const scheme = "models:/"

// IsURI reports whether a text is meant as a URI of a model.
func IsURI(text string) bool { return strings.HasPrefix(text, "models:") }

// ParseURI reads a URI of a model. Stages, which MLflow has deprecated, and "latest" are refused: they name another
// version tomorrow.
func ParseURI(text string) (URI, error) {
	bad := func(what string) (URI, error) {
		return URI{}, fstore.Errorf(fstore.ErrUsage, "%s %s", text, what).WithHint("models:/NAME/VERSION or models:/NAME@ALIAS")
	}
	rest, ok := strings.CutPrefix(text, scheme)
	if !ok {
		return bad("is not the URI of a model")
	}
	if name, alias, ok := strings.Cut(rest, "@"); ok && !strings.Contains(alias, "/") {
		if name == "" || alias == "" {
			return bad("lacks a name or an alias")
		}
		return URI{Name: name, Alias: alias}, nil
	}
	name, version, _ := strings.Cut(rest, "/")
	switch {
	case name == "" || version == "":
		return bad("names no version of a registered model")
	case strings.Trim(version, "0123456789") != "":
		return bad("names a stage, not a version")
	}
	return URI{Name: name, Version: version}, nil
}

// Version is a version of a registered model.
type Version struct {
	Name    string
	Version string
	Tags    map[string]string
}

// wireVersion is how the server writes a version.
type wireVersion struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Tags    []struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	} `json:"tags"`
}

func (w *wireVersion) version() *Version {
	v := &Version{Name: w.Name, Version: w.Version, Tags: map[string]string{}}
	for _, t := range w.Tags {
		v.Tags[t.Key] = t.Value
	}
	return v
}

// Version returns the version that a URI names. The error is ErrNotFound.
func (c *Client) Version(ctx context.Context, u URI) (*Version, error) {
	path, parameters := "model-versions/get", map[string]string{"name": u.Name, "version": u.Version}
	if u.Alias != "" {
		path, parameters = "registered-models/alias", map[string]string{"name": u.Name, "alias": u.Alias}
	}
	var answer struct {
		Version *wireVersion `json:"model_version"`
	}
	err := c.call(ctx, http.MethodGet, path, parameters, &answer)
	if u.Alias != "" && errors.Is(err, fstore.ErrInvalid) { // MLflow calls an unknown alias an invalid parameter
		err = fstore.Errorf(fstore.ErrNotFound, "%s", fstore.MessageOf(err))
	}
	switch {
	case err != nil:
		return nil, err
	case answer.Version == nil || answer.Version.Version == "":
		return nil, c.foreign("the answer to " + path + " has no version")
	}
	return answer.Version.version(), nil
}

const (
	pageSize = "1000"
	maxPages = 1000
)

// Versions returns all versions of a model, the newest first. It is empty for a model that the server does not have.
func (c *Client) Versions(ctx context.Context, name string) ([]*Version, error) {
	parameters := map[string]string{"filter": "name = '" + name + "'", "max_results": pageSize}
	var out []*Version
	for range maxPages {
		var answer struct {
			Versions []*wireVersion `json:"model_versions"`
			Next     string         `json:"next_page_token"`
		}
		if err := c.call(ctx, http.MethodGet, "model-versions/search", parameters, &answer); err != nil {
			return nil, err
		}
		for _, w := range answer.Versions {
			out = append(out, w.version())
		}
		if answer.Next == "" {
			return out, nil
		}
		parameters["page_token"] = answer.Next
	}
	return nil, fstore.Errorf(fstore.ErrTooLarge, "MLflow at %s: model %s has more than %d pages of versions", c.Server(), name, maxPages)
}

// Aliases returns the aliases of a model and the versions that they stand for. The error is ErrNotFound for a model that
// the server does not have.
func (c *Client) Aliases(ctx context.Context, name string) (map[string]string, error) {
	var answer struct {
		Model *struct {
			Aliases []struct {
				Alias   string `json:"alias"`
				Version string `json:"version"`
			} `json:"aliases"`
		} `json:"registered_model"`
	}
	const path = "registered-models/get"
	if err := c.call(ctx, http.MethodGet, path, map[string]string{"name": name}, &answer); err != nil {
		return nil, err
	}
	if answer.Model == nil {
		return nil, c.foreign("the answer to " + path + " has no model")
	}
	out := map[string]string{}
	for _, a := range answer.Model.Aliases {
		out[a.Alias] = a.Version
	}
	return out, nil
}

// SetTag sets a tag of a version.
func (c *Client) SetTag(ctx context.Context, v *Version, key, value string) error {
	return c.call(ctx, http.MethodPost, "model-versions/set-tag", map[string]string{"name": v.Name, "version": v.Version, "key": key, "value": value}, nil)
}

// DeleteTag deletes a tag of a version.
func (c *Client) DeleteTag(ctx context.Context, v *Version, key string) error {
	return c.call(ctx, http.MethodDelete, "model-versions/delete-tag", map[string]string{"name": v.Name, "version": v.Version, "key": key}, nil)
}
