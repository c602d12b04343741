package flight_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	arrowflight "github.com/apache/arrow-go/v18/arrow/flight"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/flight"
)

// Preview gives a file of the shelf's text, and counts those that are open.
func (s *shelf) Preview(ctx context.Context, r *flight.Request, say func([]byte) error) (*flight.Preview, error) {
	if err := s.work(ctx, "", say); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.previews++
	summary := fmt.Sprintf(`{"bytes":%d,"model":%q}`, len(s.preview), r.Model)
	return &flight.Preview{Summary: []byte(summary), Rows: 3, ReadCloser: &previewed{bytes.NewReader(s.preview), s}}, nil
}

type previewed struct {
	*bytes.Reader
	of *shelf
}

func (p *previewed) Close() error {
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	p.of.previews--
	return nil
}

// open returns how many files of previews are open.
func (s *shelf) open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.previews
}

// previewOf asks for a preview, and returns its results.
func (w *world) previewOf(ctx context.Context, body string) (results [][]byte, err error) {
	stream, err := w.client.DoAction(ctx, &arrowflight.Action{Type: "fstore.preview_training_set", Body: []byte(body)})
	for err == nil {
		var r *arrowflight.Result
		if r, err = stream.Recv(); err == nil {
			results = append(results, r.Body)
		}
	}
	return results, ended(err)
}

// A preview is its messages, the summary, and then exactly the bytes of its file, in messages that any client accepts.
func TestAPreviewIsASummaryAndAFile(t *testing.T) {
	w := newWorld(t, noSets, nil)
	for _, size := range []int{0, 1, 2 << 20, 5<<20 + 7} {
		w.preview = bytes.Repeat([]byte("fstore "), size/7+1)[:size]
		results, err := w.previewOf(t.Context(), `{"model": "fraud@7", "labels": "`+someDigest+`"}`)
		if err != nil || len(results) < 2 || !strings.Contains(string(results[0]), "progress") {
			t.Fatalf("%d bytes: %d results, %v", size, len(results), err)
		}
		var said struct {
			Bytes int
			Model string
		}
		if err := json.Unmarshal(results[1], &said); err != nil || said.Bytes != size || said.Model != "fraud@7" {
			t.Errorf("%d bytes: %s, %v", size, results[1], err)
		}
		if got := bytes.Join(results[2:], nil); !bytes.Equal(got, w.preview) {
			t.Errorf("%d bytes: got %d others", size, len(got))
		}
		for _, piece := range results[2:] {
			if len(piece) > 4<<20-100 {
				t.Errorf("a piece has %d bytes", len(piece))
			}
		}
		if w.open() != 0 {
			t.Errorf("%d bytes: the file is left", size)
		}
	}
}

// The file goes with its caller, who may go before the last piece.
func TestAPreviewGoesWithItsCaller(t *testing.T) {
	w := newWorld(t, noSets, nil)
	w.preview = make([]byte, 64<<20) // more than the windows of HTTP/2 take
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := w.client.DoAction(ctx, &arrowflight.Action{Type: "fstore.preview_training_set", Body: []byte(`{"service": "churn", "labels": "` + someDigest + `"}`)})
	for range 3 {
		if err == nil {
			_, err = stream.Recv()
		}
	}
	if err != nil || w.open() != 1 {
		t.Fatal(err, w.open())
	}
	cancel()
	if err := w.stop(); err != nil { // waits for the call
		t.Error(err)
	}
	if w.open() != 0 {
		t.Error("the file is left")
	}
}

// A limited number of callers keep files at a time.
func TestPreviewsAreLimited(t *testing.T) {
	w := newWorld(t, noSets, nil)
	w.preview = make([]byte, 64<<20)
	const body = `{"service": "churn", "labels": "` + someDigest + `"}`
	for range 16 {
		stream, err := w.client.DoAction(t.Context(), &arrowflight.Action{Type: "fstore.preview_training_set", Body: []byte(body)})
		for range 3 { // and no more is read
			if err == nil {
				_, err = stream.Recv()
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := w.previewOf(t.Context(), body)
	wantCode(t, err, codes.ResourceExhausted, "16 previews")
}

// What a preview is of is checked like a training set, and it has neither a name nor anything to record.
func TestWrongPreviews(t *testing.T) {
	w := newWorld(t, noSets, nil)
	const labels = `"labels": "` + someDigest + `"`
	for body, says := range map[string]string{
		`{` + labels + `}`: "name one of a service, features and a model",
		`{"service": "a", "model": "b@1", ` + labels + `}`:             "name one of a service, features and a model",
		`{"model": "fraud", ` + labels + `}`:                           `model "fraud" has no version`,
		`{"model": "../etc@1", ` + labels + `}`:                        "is not a name",
		`{"model": "fraud@1 2", ` + labels + `}`:                       "is not a version of a model",
		`{"model": "fraud@1"}`:                                         "give either labels",
		`{"model": "fraud@1", "name": "a", ` + labels + `}`:            "unknown field",
		`{"model": "fraud@1", "replace": true, ` + labels + `}`:        "unknown field",
		`{"model": "fraud@1", "timestamp": "a\u0000", ` + labels + `}`: "zero byte",
		`{"model": "fraud@1", "labels": "../../etc/passwd"}`:           "is not a digest",
	} {
		_, err := w.previewOf(t.Context(), body)
		wantCode(t, err, codes.InvalidArgument, says)
	}
	_, err := w.create(t.Context(), map[string]any{"name": "a", "label": []string{"x\x00"}, "service": "churn", "labels": someDigest})
	wantCode(t, err, codes.InvalidArgument, "zero byte")
}

// A grant for a service or for a model is for its features of labels that the caller sends, and for nothing else.
func TestScopesOfPreviews(t *testing.T) {
	control, token := controlOf(t, map[string][]string{
		"maker": {"offline:create@shop"}, "churner": {"offline:create@shop/service:churn"}, "fraudster": {"offline:create@shop/model:fraud"},
		"reader": {"offline:read@shop"}, "online": {"online:read@shop/model:fraud"}, "bank": {"offline:create@bank"},
	})
	w := newWorld(t, noSets, func(o *server.Options) { o.Access, o.Project = control, "shop" })
	const sent, query = `"labels": "` + someDigest + `"}`, `"labels_sql": "select 1"}`
	for body, may := range map[string][]string{
		`{"service": "churn", ` + sent:    {"maker", "churner"},
		`{"service": "fraud", ` + sent:    {"maker"},
		`{"service": "churn", ` + query:   {"maker"},
		`{"model": "fraud@7", ` + sent:    {"maker", "fraudster"},
		`{"model": "fraud@best", ` + sent: {"maker", "fraudster"},
		`{"model": "churn@1", ` + sent:    {"maker"},
		`{"model": "fraud@7", ` + query:   {"maker"},
		`{"features": ["v.*"], ` + sent:   {"maker"},
	} {
		for _, who := range []string{"maker", "churner", "fraudster", "reader", "online", "bank"} {
			_, err := w.previewOf(token(t.Context(), who), body)
			want := codes.PermissionDenied
			if strings.Contains(" "+strings.Join(may, " ")+" ", " "+who+" ") {
				want = codes.OK
			}
			if status.Code(err) != want {
				t.Errorf("%s, %s: %v; want %s", who, body, err, want)
			}
		}
	}
	if _, err := w.upload(token(t.Context(), "fraudster"), labels(0, 10)); err != nil {
		t.Errorf("fraudster sends labels: %v", err)
	}
	_, err := w.create(token(t.Context(), "fraudster"), map[string]any{"name": "a", "model": "fraud@7", "labels": someDigest})
	wantCode(t, err, codes.PermissionDenied, "offline:create")
}

// Previews wait for their turn like training sets, and none is like another.
func TestPreviewsTakeTurns(t *testing.T) {
	w := newWorld(t, flight.Options{Project: "shop", Runs: 2, Queue: 0}, nil)
	w.begun, w.release = make(chan string), make(chan struct{})
	const body = `{"service": "churn", "labels": "` + someDigest + `"}`
	made := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := w.previewOf(t.Context(), body)
			made <- err
		}()
	}
	<-w.begun
	<-w.begun // both at a time
	_, err := w.previewOf(t.Context(), body)
	wantCode(t, err, codes.ResourceExhausted, "serve.offline_runs")
	for range 2 {
		w.release <- struct{}{}
	}
	if err := errors.Join(<-made, <-made); err != nil {
		t.Error(err)
	}
}
