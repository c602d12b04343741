package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/client"
	"github.com/fstore-dev/fstore/online"
)

// TestTheClientGivesWhatTheStoreAnswers compares the answer of a server with that of the store beneath it.
func TestTheClientGivesWhatTheStoreAnswers(t *testing.T) {
	w := shop(t, nil)
	keys := fstore.NewColumn("customer_id", fstore.Int64, 5)
	for _, v := range []any{int64(1), int64(2), int64(3), int64(4), nil} {
		keys.Append(v)
	}
	for _, events := range []online.EventTimes{online.WithoutEventTimes, online.WithEventTimes} {
		q := client.Request{Selection: client.Selection{Service: "both"}, Keys: []fstore.Column{keys}, EventTimes: events}
		got, err := client.New(w.conn, client.Options{}).Get(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		want, err := w.store.Lookup(context.Background(), w.book.page.services["both"], online.Request{Keys: q.Keys, Now: now, EventTimes: events})
		if err != nil {
			t.Fatal(err)
		}
		var a, b bytes.Buffer
		if err := errors.Join(WriteAnswerJSON(&a, q.Keys, w.book.page.services["both"], want), WriteAnswerJSON(&b, q.Keys, &fstore.FeatureList{Service: got.Service}, &got.Answer)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(a.String(), b.String()); diff != "" {
			t.Errorf("(-store +server):\n%s", diff)
		}
	}
}

func TestTheClientKeepsTheKindOfAnError(t *testing.T) {
	w := shop(t, nil)
	c := client.New(w.conn, client.Options{Attempts: 1})
	get := func(s client.Selection) error {
		_, err := c.Get(context.Background(), client.Request{Selection: s})
		return err
	}
	wantRefusal(t, get(client.Selection{Service: "nope"}), fstore.ErrNotFound, `there is no service "nope" (run: fstore list)`)
	wantRefusal(t, get(client.Selection{Features: []string{"orders.value"}}), fstore.ErrInvalid, "customer_id is missing")
	_ = w.stop()
	wantRefusal(t, get(client.Selection{Service: "churn"}), fstore.ErrUnavailable, "")
}

func TestTheClientDescribesWhatTheServerDoes(t *testing.T) {
	w := shop(t, nil)
	got, err := client.New(w.conn, client.Options{}).Describe(context.Background(), client.Selection{Service: "churn"})
	if err != nil {
		t.Fatal(err)
	}
	want := &client.Description{Description: *w.book.page.services["churn"].Describe(), Service: fstore.ViewRef{Name: "churn", Version: 2}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// refuses fails every call with one error.
type refuses struct {
	grpc.ClientConnInterface
	err error
}

func (r refuses) Invoke(context.Context, string, any, any, ...grpc.CallOption) error { return r.err }

// The client takes a code for the first kind of error that the server answers with it.
func TestTheClientsKindsAreTheServers(t *testing.T) {
	seen := map[codes.Code]bool{}
	for _, c := range classes {
		if seen[c.code] {
			continue
		}
		seen[c.code] = true
		conn := refuses{err: refuse(context.Background(), fmt.Errorf("what happened: %w", c.kind)).grpc()}
		_, err := client.New(conn, client.Options{Attempts: 1}).Get(context.Background(), client.Request{})
		if !errors.Is(err, c.kind) {
			t.Errorf("%s is %v, want %v", c.name, err, c.kind)
		}
	}
}
