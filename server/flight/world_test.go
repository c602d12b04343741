package flight_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	arrowflight "github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/parquet-go/parquet-go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/access"
	"github.com/fstore-dev/fstore/server/flight"
	"github.com/fstore-dev/fstore/server/grpcapi"
	"github.com/fstore-dev/fstore/server/servertest"
)

// shelf is Sets in a folder. Create makes a training set of the labels' digest, after the test has let it.
type shelf struct {
	dir     string
	preview []byte // the file of a preview

	mu       sync.Mutex
	sets     map[string]*flight.Set
	previews int                         // open files of previews
	begun    chan string                 // gets the name of each training set that is being made, if it is not nil
	release  chan struct{}               // Create waits for it, or for its context, if it is not nil
	stopped  chan error                  // gets how a Create that waited ended
	check    func(context.Context) error // of a digest; nil finds every file right
}

func (s *shelf) Find(_ context.Context, name string) (*flight.Set, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if set := s.sets[name]; set != nil {
		return set, nil
	}
	return nil, fstore.Errorf(fstore.ErrNotFound, "there is no training set %q", name)
}

func (s *shelf) List(context.Context) (out []*flight.Set, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, set := range s.sets {
		out = append(out, set)
	}
	return out, nil
}

func (s *shelf) Open(set *flight.Set) (flight.File, error) { return os.Open(set.Path) }

func (s *shelf) Check(ctx context.Context, _ *flight.Set, _ flight.File) error {
	if s.check == nil {
		return nil
	}
	return s.check(ctx)
}

func (s *shelf) NewLabels(context.Context) (flight.Labels, error) {
	f, err := os.CreateTemp(s.dir, "writing-*")
	return &shelved{File: f, dir: s.dir}, err
}

// files returns the names of what is in the folder.
func (s *shelf) files(t testing.TB) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

type shelved struct {
	*os.File
	dir  string
	text bytes.Buffer
	kept bool
}

func (l *shelved) Write(b []byte) (int, error) { l.text.Write(b); return l.File.Write(b) }

func (l *shelved) Keep() (string, error) {
	sum := sha256.Sum256(l.text.Bytes())
	l.kept = true
	digest := hex.EncodeToString(sum[:])
	return digest, os.Rename(l.Name(), filepath.Join(l.dir, digest))
}

func (l *shelved) Discard() {
	if !l.kept {
		_ = os.Remove(l.Name())
	}
}

func (s *shelf) Create(ctx context.Context, r *flight.Creation, say func([]byte) error) ([]byte, error) {
	if err := s.work(ctx, r.Name, say); err != nil {
		return nil, err
	}
	return json.Marshal(map[string]string{"name": r.Name})
}

// work takes as long as the test lets it.
func (s *shelf) work(ctx context.Context, name string, say func([]byte) error) error {
	if s.begun != nil {
		select {
		case s.begun <- name:
		case <-ctx.Done():
			s.stopped <- ctx.Err()
			return ctx.Err()
		}
	}
	if err := say([]byte(`{"progress":{"stage":"join","done":1,"total":2}}`)); err != nil {
		s.stopped <- err
		return err
	}
	if s.release != nil {
		select {
		case <-s.release:
		case <-ctx.Done():
			s.stopped <- ctx.Err()
			return ctx.Err()
		}
	}
	return nil
}

// put adds a training set of int64 columns and an instant.
func (s *shelf) put(t testing.TB, name, service string, rows int) *flight.Set {
	t.Helper()
	type row struct {
		CustomerID int64 `parquet:"customer_id,optional"`
		Seen       int64 `parquet:"seen,optional,timestamp(microsecond:local)"`
	}
	var text bytes.Buffer
	w := parquet.NewGenericWriter[row](&text)
	var err error
	for i := 0; i < rows && err == nil; i++ {
		_, err = w.Write([]row{{int64(i), int64(i)}})
	}
	if err == nil {
		err = w.Close()
	}
	path := filepath.Join(t.TempDir(), name+".parquet")
	if err == nil {
		err = os.WriteFile(path, text.Bytes(), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(text.Bytes())
	set := &flight.Set{
		Name: name, Service: service, Rows: int64(rows), Path: path, Size: int64(text.Len()), SHA256: hex.EncodeToString(sum[:]),
		Lock: []byte(fmt.Sprintf(`{"name":%q}`, name)), Instants: map[string]bool{"seen": true}, Created: time.Unix(0, 0),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sets[name] = set
	return set
}

// world is a server with Flight, reached in-process.
type world struct {
	*shelf
	core   *servertest.Core
	client arrowflight.FlightServiceClient
	conn   *grpc.ClientConn
	stop   func() error // drains the server
}

func newWorld(t testing.TB, o flight.Options, change func(*server.Options)) *world {
	t.Helper()
	if o.Project == "" {
		o.Project = "shop"
	}
	w := &world{shelf: &shelf{dir: t.TempDir(), sets: map[string]*flight.Set{}, stopped: make(chan error, 100)}}
	w.core = servertest.New(t, change)
	api, err := grpcapi.New(w.core.Server, flight.New(w.core.Server, w.shelf, o))
	if err != nil {
		t.Fatal(err)
	}
	pipe := bufconn.Listen(1 << 20)
	ctx, end := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.core.Serve(ctx, server.Endpoint{Protocol: api, Listener: pipe}) }()
	w.conn, err = grpc.NewClient("passthrough:///flight", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return pipe.Dial() }),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20), grpc.MaxCallSendMsgSize(64<<20)))
	if err != nil {
		t.Fatal(err)
	}
	w.client = arrowflight.NewClientFromConn(w.conn, nil)
	var once sync.Once
	var result error
	w.stop = func() error {
		once.Do(func() { end(); result = <-done })
		return result
	}
	t.Cleanup(func() {
		w.conn.Close()
		_ = w.stop() // a test that drains looks at its error
	})
	return w
}

// labels returns a batch of customers from a number on.
func labels(from, rows int) arrow.RecordBatch {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "customer_id", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		{Name: "note", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "event_timestamp", Type: arrow.FixedWidthTypes.Timestamp_us, Nullable: true},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	for i := range rows {
		b.Field(0).(*array.Int64Builder).Append(int64(from + i))
		if (from+i)%3 == 0 {
			b.Field(1).AppendNull()
		} else {
			b.Field(1).(*array.StringBuilder).Append(fmt.Sprint("note ", from+i))
		}
		b.Field(2).(*array.TimestampBuilder).Append(arrow.Timestamp(from + i))
	}
	return b.NewRecordBatch()
}

var labelsDescriptor = &arrowflight.FlightDescriptor{Type: arrowflight.DescriptorPATH, Path: []string{"labels"}}

// upload sends batches, and returns what the server says of them.
func (w *world) upload(ctx context.Context, batches ...arrow.RecordBatch) (kept struct {
	Digest string
	Rows   int64
}, err error,
) {
	stream, err := w.client.DoPut(ctx)
	if err != nil {
		return kept, err
	}
	to := arrowflight.NewRecordWriter(stream, ipc.WithSchema(batches[0].Schema()))
	to.SetFlightDescriptor(labelsDescriptor)
	for _, b := range batches {
		if to.Write(b) != nil {
			break // Recv has the error
		}
	}
	_ = to.Close() // likewise
	_ = stream.CloseSend()
	answer, err := stream.Recv()
	if err != nil {
		return kept, err
	}
	return kept, json.Unmarshal(answer.AppMetadata, &kept)
}

// create has a training set made, and returns the results.
func (w *world) create(ctx context.Context, body any) (results []string, err error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	stream, err := w.client.DoAction(ctx, &arrowflight.Action{Type: "fstore.create_training_set", Body: text})
	for err == nil {
		var r *arrowflight.Result
		if r, err = stream.Recv(); err == nil {
			results = append(results, string(r.Body))
		}
	}
	return results, ended(err)
}

// controlOf returns who may do what, by their names, and what gives a context the credential of one.
func controlOf(t testing.TB, grants map[string][]string) (*access.Control, func(ctx context.Context, name string) context.Context) {
	t.Helper()
	secrets := map[string]string{}
	var list []access.Token
	for name, texts := range grants {
		token, digest := access.NewToken()
		secrets[name] = token
		one := access.Token{Name: name, Digest: digest}
		for _, text := range texts {
			g, err := access.ParseGrant(text)
			if err != nil {
				t.Fatal(err)
			}
			one.Grants = append(one.Grants, g)
		}
		list = append(list, one)
	}
	control, err := access.New(t.Context(), access.Options{
		Clock: time.Now, Logger: slog.New(slog.DiscardHandler),
		Tokens: &access.Text[[]access.Token]{
			Read:  func(context.Context) ([]byte, error) { return nil, nil },
			Parse: func([]byte) ([]access.Token, error) { return list, nil },
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return control, func(ctx context.Context, name string) context.Context {
		return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+secrets[name])
	}
}
