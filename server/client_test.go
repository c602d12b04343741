package server

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// TestAskGivesWhatTheStoreAnswers compares the answer of a server with that of the store beneath it.
func TestAskGivesWhatTheStoreAnswers(t *testing.T) {
	w := shop(t, nil)
	keys := fstore.NewColumn("customer_id", fstore.Int64, 5)
	for _, v := range []any{int64(1), int64(2), int64(3), int64(4), nil} {
		keys.Append(v)
	}
	for _, events := range []online.EventTimes{online.WithoutEventTimes, online.WithEventTimes} {
		q := Question{Service: "both", Keys: []fstore.Column{keys}, EventTimes: events}
		list, got, err := Ask(context.Background(), w.conn, q)
		if err != nil {
			t.Fatal(err)
		}
		want, err := w.store.Lookup(context.Background(), w.book.page.services["both"], online.Request{Keys: q.Keys, Now: now, EventTimes: events})
		if err != nil {
			t.Fatal(err)
		}
		var a, b bytes.Buffer
		if err := errors.Join(WriteAnswerJSON(&a, q.Keys, w.book.page.services["both"], want), WriteAnswerJSON(&b, q.Keys, list, got)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(a.String(), b.String()); diff != "" {
			t.Errorf("(-store +server):\n%s", diff)
		}
	}
}

func TestAskKeepsTheKindOfAnError(t *testing.T) {
	w := shop(t, nil)
	_, _, err := Ask(context.Background(), w.conn, Question{Service: "nope"})
	wantRefusal(t, err, fstore.ErrNotFound, `there is no service "nope" (run: fstore list)`)
	_, _, err = Ask(context.Background(), w.conn, Question{Features: []string{"orders.value"}})
	wantRefusal(t, err, fstore.ErrInvalid, "customer_id is missing")
	_ = w.stop()
	_, _, err = Ask(context.Background(), w.conn, Question{Service: "churn"})
	wantRefusal(t, err, fstore.ErrUnavailable, "")
}

// replies answers every call with one message.
type replies struct {
	grpc.ClientConnInterface
	reply *fstorev1.GetOnlineFeaturesResponse
}

func (r replies) Invoke(_ context.Context, _ string, _, out any, _ ...grpc.CallOption) error {
	proto.Merge(out.(proto.Message), r.reply)
	return nil
}

func TestAskRefusesAnswersThatAreNotWhole(t *testing.T) {
	good := func() *fstorev1.GetOnlineFeaturesResponse {
		c := int64s("x", 1, 2)
		return &fstorev1.GetOnlineFeaturesResponse{Rows: 2, Features: []*fstorev1.Feature{{
			Name: "x", Type: "int64", Int64Values: c.Int64Values, Statuses: []byte{0, 1},
			EventTimestamps: []int64{5, 6}, EventValidity: []byte{1},
		}}}
	}
	for _, c := range []struct {
		name, want string
		spoil      func(*fstorev1.GetOnlineFeaturesResponse)
	}{
		{"whole", "", func(*fstorev1.GetOnlineFeaturesResponse) {}},
		{"values", "2 values for 3 rows", func(r *fstorev1.GetOnlineFeaturesResponse) { r.Rows = 3 }},
		{"statuses", "1 statuses for 2 rows", func(r *fstorev1.GetOnlineFeaturesResponse) { r.Features[0].Statuses = []byte{1} }},
		{"event times", "1 event times for 2 rows", func(r *fstorev1.GetOnlineFeaturesResponse) { r.Features[0].EventTimestamps = []int64{5} }},
		{"their validity", "event times for 2 rows", func(r *fstorev1.GetOnlineFeaturesResponse) {
			r.Features[0].EventValidity = []byte{1, 1}
		}},
		{"no values", "0 values for 2 rows", func(r *fstorev1.GetOnlineFeaturesResponse) { r.Features[0].Int64Values = nil }},
		{"no values and no type", "it has no values set", func(r *fstorev1.GetOnlineFeaturesResponse) { r.Features[0].Int64Values, r.Features[0].Type = nil, "" }},
		{"another type", "its type is int64", func(r *fstorev1.GetOnlineFeaturesResponse) {
			r.Features[0].Int64Values, r.Features[0].BoolValues = nil, []bool{true, false}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			reply := good()
			c.spoil(reply)
			_, _, err := Ask(context.Background(), replies{reply: reply}, Question{Service: "s"})
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
