package server_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	feastpb "github.com/fstore-dev/fstore/proto/feast"
	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/servedlog"
)

// servedRow is what a row of the log has in this test.
type servedRow struct {
	At         time.Time `parquet:"_at,timestamp(microsecond)"`
	RequestID  string    `parquet:"_request_id"`
	Row        int64     `parquet:"_row"`
	Service    *string   `parquet:"_service"`
	CustomerID *int64    `parquet:"customer_id"`
	Value      *float64  `parquet:"value"`
	Lines      *int64    `parquet:"lines"`
}

// logged runs a served log that ends, and returns its rows.
func logged(t *testing.T, folder string, l *servedlog.Log) (rows []string) {
	t.Helper()
	over, end := context.WithCancel(context.Background())
	end()
	l.Run(over)
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		read, err := parquet.ReadFile[servedRow](path)
		for _, r := range read {
			rows = append(rows, fmt.Sprint(r.At.UTC().Format(time.RFC3339), " ", text(r.Service), " ", text(r.CustomerID), " ", text(r.Value), " ", text(r.Lines)))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func text[T any](v *T) string {
	if v == nil {
		return "null"
	}
	return fmt.Sprint(*v)
}

// Every door logs the same rows: those that it answers, and none of those that it refuses.
func TestEveryDoorLogsTheSameRows(t *testing.T) {
	want := []string{"2026-03-01T12:00:00Z churn@2 0 null 0", "2026-03-01T12:00:00Z churn@2 1 10.5 3"}
	for name, ask := range map[string]func(t *testing.T, w *world, service string) bool{
		"grpc": func(t *testing.T, w *world, service string) bool {
			_, err := w.client.GetOnlineFeatures(context.Background(), byService(service, int64s("customer_id", 0, 1)))
			return err == nil
		},
		"http": func(t *testing.T, w *world, service string) bool {
			return posted(t, w, "/v1/online-features", fmt.Sprintf(`{"service":%q,"entities":{"customer_id":[0,1]}}`, service))
		},
		"feast over grpc": func(t *testing.T, w *world, service string) bool {
			_, err := feastpb.NewServingServiceClient(w.conn).GetOnlineFeatures(context.Background(), feastRequest(service, 2))
			return err == nil
		},
		"feast over http": func(t *testing.T, w *world, service string) bool {
			return posted(t, w, "/get-online-features", fmt.Sprintf(`{"feature_service":%q,"entities":{"customer_id":[0,1]}}`, service))
		},
	} {
		t.Run(name, func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "served")
			l := servedlog.New(servedlog.Options{Path: folder, Sample: 1, By: servedlog.ByRequest, Keys: servedlog.PlainKeys, Clock: time.Now})
			w := shop(t, func(o *server.Options) { o.Served = l })
			if !ask(t, w, "churn") || ask(t, w, "early") || ask(t, w, "nobody") {
				t.Fatal("churn is answered, early is not published, and nobody does not exist")
			}
			got := logged(t, folder, l)
			if strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("rows:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			_, page := w.call(t, "GET", "/metrics", "")
			for _, line := range []string{"fstore_served_log_rows_total 2", "fstore_served_log_dropped_total 0"} {
				if !strings.Contains(string(page), line) {
					t.Errorf("/metrics lacks %q", line)
				}
			}
		})
	}
}

// An answer that turns out too large when it is encoded is refused, and not logged.
func TestAnAnswerThatIsRefusedIsNotLogged(t *testing.T) {
	for name, ask := range map[string]func(t *testing.T, w *world) string{
		"http": func(t *testing.T, w *world) string {
			_, body := w.call(t, "POST", "/v1/online-features", `{"service":"churn","entities":{"customer_id":[1]}}`)
			return string(body)
		},
		"feast over grpc": func(t *testing.T, w *world) string {
			_, err := feastpb.NewServingServiceClient(w.conn).GetOnlineFeatures(context.Background(), feastRequest("churn", 1))
			return fmt.Sprint(err)
		},
		"feast over http": func(t *testing.T, w *world) string {
			_, body := w.call(t, "POST", "/get-online-features", `{"feature_service":"churn","entities":{"customer_id":[1]}}`)
			return string(body)
		},
	} {
		t.Run(name, func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "served")
			if err := os.Mkdir(folder, 0o700); err != nil {
				t.Fatal(err)
			}
			l := servedlog.New(servedlog.Options{Path: folder, Sample: 1, By: servedlog.ByRequest, Keys: servedlog.PlainKeys, Clock: time.Now})
			w := shop(t, func(o *server.Options) { o.Served = l })
			w.store.Limits.MaxAnswerBytes = 40                                                 // the look-up's own count is below
			if said := ask(t, w); !strings.Contains(said, "an answer of more than 40 bytes") { // as encoders say it
				t.Fatalf("the answer is not refused when it is encoded: %s", said)
			}
			if got := logged(t, folder, l); len(got) > 0 {
				t.Errorf("logged: %s", got)
			}
		})
	}
}

// posted posts a body, and reports whether it is answered.
func posted(t *testing.T, w *world, path, body string) bool {
	code, _ := w.call(t, "POST", path, body)
	return code == 200
}

// An answer over gRPC whose bytes no longer fit in flight once it is encoded is refused, and not logged.
func TestAnAnswerThatNoLongerFitsIsNotLogged(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "served")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	l := servedlog.New(servedlog.Options{Path: folder, Sample: 1, By: servedlog.ByRequest, Keys: servedlog.PlainKeys, Clock: time.Now})
	w := shop(t, func(o *server.Options) { o.Served = l })
	const all = 1 << 40
	var once sync.Once
	w.backend.Hook(func(context.Context) error { // the look-up has what it takes by now, and only the answer's buffer needs more
		once.Do(func() { w.InFlight().Add(all) })
		return nil
	})
	_, err := w.client.GetOnlineFeatures(t.Context(), byService("churn", int64s("customer_id", 0, 1)))
	w.backend.Hook(nil)
	w.InFlight().Add(-all)
	if status.Code(err) != codes.ResourceExhausted {
		t.Fatalf("the answer is not refused: %v", err)
	}
	if used := w.InFlight().Used(); used != 0 {
		t.Errorf("%d bytes are still in flight", used)
	}
	if _, err := w.client.GetOnlineFeatures(t.Context(), byService("churn", int64s("customer_id", 1))); err != nil {
		t.Fatal(err)
	}
	if got := logged(t, folder, l); len(got) != 1 {
		t.Errorf("logged: %s", got)
	}
}
