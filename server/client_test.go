package server_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/client"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/server/httpapi"
	"github.com/fstore-dev/fstore/server/servertest"
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
		want, err := w.store.Lookup(context.Background(), w.book.Page.Services["both"], online.Request{Keys: q.Keys, Now: now, EventTimes: events})
		if err != nil {
			t.Fatal(err)
		}
		var a, b bytes.Buffer
		if err := errors.Join(httpapi.WriteAnswerJSON(&a, q.Keys, w.book.Page.Services["both"], want), httpapi.WriteAnswerJSON(&b, q.Keys, &fstore.FeatureList{Service: got.Service}, &got.Answer)); err != nil {
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
	servertest.WantRefusal(t, get(client.Selection{Service: "nope"}), fstore.ErrNotFound, `there is no service "nope" (run: fstore list)`)
	servertest.WantRefusal(t, get(client.Selection{Features: []string{"orders.value"}}), fstore.ErrInvalid, "customer_id is missing")
	_ = w.stop()
	servertest.WantRefusal(t, get(client.Selection{Service: "churn"}), fstore.ErrUnavailable, "")
}

func TestTheClientDescribesWhatTheServerDoes(t *testing.T) {
	w := shop(t, nil)
	got, err := client.New(w.conn, client.Options{}).Describe(context.Background(), client.Selection{Service: "churn"})
	if err != nil {
		t.Fatal(err)
	}
	want := &client.Description{Description: *w.book.Page.Services["churn"].Describe(), Service: fstore.ViewRef{Name: "churn", Version: 2}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
