// Package mlflow is a client of an MLflow server, for the part of its model registry that fstore meets: versions, their
// tags, and aliases. It reads the same variables of the environment as MLflow's own client.
//
// Errors are of the kinds of package fstore: ErrUsage for a variable that cannot be used, ErrUnavailable if the server
// cannot be reached or fails, ErrUnauthenticated, ErrForbidden, ErrNotFound, and ErrInvalid for anything else that it
// refuses. They name the server and never a credential.
package mlflow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"github.com/fstore-dev/fstore"
)

// Client talks to one server. It is safe for concurrent use.
type Client struct {
	base   *url.URL    // without credentials
	header http.Header // of every request
	http   *http.Client
}

// Server returns the address of the server, without credentials.
func (c *Client) Server() string { return c.base.String() }

const (
	maxAnswer  = 16 << 20 // bytes
	maxMessage = 500      // bytes of a server's message that an error repeats
)

// call sends a request and decodes the answer into out, unless that is nil. A GET carries its parameters in the query,
// any other method in a JSON body.
func (c *Client) call(ctx context.Context, method, path string, parameters map[string]string, out any) error {
	request, err := c.request(ctx, method, path, parameters)
	if err != nil {
		return err
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return c.unreachable(ctx, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	switch {
	case err != nil:
		return c.unreachable(ctx, err)
	case len(text) > maxAnswer:
		return fstore.Errorf(fstore.ErrTooLarge, "MLflow at %s: the answer to %s has more than %d MB", c.Server(), path, maxAnswer>>20)
	case answer.StatusCode != http.StatusOK:
		return c.refused(answer, path, text)
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return c.foreign("the answer to " + path + " is not JSON")
	}
	return nil
}

func (c *Client) request(ctx context.Context, method, path string, parameters map[string]string) (*http.Request, error) {
	address := c.base.JoinPath("api/2.0/mlflow", path)
	var body io.Reader
	if method == http.MethodGet {
		query := url.Values{}
		for name, value := range parameters {
			query.Set(name, value)
		}
		address.RawQuery = query.Encode()
	} else {
		text, err := json.Marshal(parameters)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, address.String(), body)
	if err != nil {
		return nil, fmt.Errorf("MLflow at %s: %w", c.Server(), err)
	}
	request.Header = c.header.Clone()
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return request, nil
}

func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var e *url.Error
	if errors.As(err, &e) { // it repeats the URL
		err = e.Err
	}
	return fstore.Errorf(fstore.ErrUnavailable, "MLflow at %s cannot be reached: %v", c.Server(), err).
		WithHint("check that the server runs, and the variable MLFLOW_TRACKING_URI")
}

func (c *Client) foreign(what string) error {
	return fstore.Errorf(fstore.ErrInvalid, "%s is not an MLflow server: %s", c.Server(), what).
		WithHint("MLFLOW_TRACKING_URI must be the address that MLflow's user interface has, with its path if it has one")
}

// refused returns the error for an answer that is not 200 OK.
func (c *Client) refused(answer *http.Response, path string, text []byte) error {
	var said struct {
		Code    string `json:"error_code"`
		Message string `json:"message"`
	}
	known := json.Unmarshal(text, &said) == nil && said.Code != ""
	hint, kind := kindOf(answer.StatusCode, said.Code)
	message := printable(said.Message)
	if !known {
		message = answer.Status
	}
	switch {
	case known, kind != nil:
		if kind == nil {
			kind = fstore.ErrInvalid
		}
		return fstore.Errorf(kind, "MLflow at %s: %s", c.Server(), message).WithHint("%s", hint)
	case answer.StatusCode >= 300 && answer.StatusCode < 400:
		return c.foreign("it redirects " + path + " to another address")
	}
	return c.foreign("the answer to " + path + " is " + answer.Status)
}

// kindOf returns the kind of an error by the status and the code of an answer. It is nil if neither tells.
func kindOf(status int, code string) (hint string, kind error) {
	switch {
	case status == http.StatusUnauthorized:
		return "set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD", fstore.ErrUnauthenticated
	case status == http.StatusForbidden:
		return "ask the owner of the model for the permission", fstore.ErrForbidden
	case code == "RESOURCE_DOES_NOT_EXIST":
		return "", fstore.ErrNotFound
	case status == http.StatusTooManyRequests, status >= 500:
		return "", fstore.ErrUnavailable
	}
	return "", nil
}

// printable returns a message on one line and of bounded length.
func printable(s string) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }), " ")
	if len(s) <= maxMessage {
		return s
	}
	return strings.ToValidUTF8(s[:maxMessage], "") + "…"
}
