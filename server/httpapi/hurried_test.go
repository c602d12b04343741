package httpapi

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/servertest"
)

// lastRead is a body at whose end something happens.
type lastRead struct {
	io.Reader
	happens func()
}

func (r lastRead) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	if err == io.EOF {
		r.happens()
	}
	return n, err
}

func (r lastRead) Close() error { return nil }

// answered is a call that is answered unless its context has ended.
type answered struct{}

func (answered) Take([]byte, *server.Hold) error { return nil }

func (answered) Answer(ctx context.Context, _ *server.Hold) (*[]byte, error) {
	out := []byte("{}")
	return &out, ctx.Err()
}

// A server that drains stops waiting for requests just after one has arrived in full. net/http then cancels the request, as if its
// caller had gone away. It is answered all the same; one whose caller does go away is not.
func TestARequestThatArrivedInTimeIsAnswered(t *testing.T) {
	for _, c := range []struct {
		name  string
		hurry bool
		want  int
	}{{"the server hurries", true, http.StatusOK}, {"the caller goes away", false, statusOfCanceled}} {
		t.Run(c.name, func(t *testing.T) {
			a := New(servertest.New(t, nil).Server, nil)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", nil)
			r.Header.Set("Content-Type", "application/json")
			r.Body = lastRead{strings.NewReader("{}"), func() {
				if c.hurry {
					a.hurry()
				}
				cancel()
			}}
			got := httptest.NewRecorder()
			a.answerJSON(got, r, server.Method{Transport: "http", Name: "Test"}, answered{})
			if got.Code != c.want {
				t.Errorf("got %d %s, want %d", got.Code, got.Body, c.want)
			}
		})
	}
}

const statusOfCanceled = 499
