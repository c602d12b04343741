package server_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
)

const pythonClient = "../examples/python_client"

// TestPythonReadsFeaturesOverGRPC runs the example client, with stubs generated from the .proto, against a server.
func TestPythonReadsFeaturesOverGRPC(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("there is no python3 here")
	}
	python := pythonWithGRPC(t)
	stubs := t.TempDir()
	run(t, python, "-m", "grpc_tools.protoc", "-I", "../proto", "--python_out="+stubs, "--grpc_python_out="+stubs, "fstore/v1/feature_store.proto")

	tags := fstore.Feature{Name: "tags", Type: fstore.List(fstore.String)}
	seen := fstore.Feature{Name: "seen", Type: fstore.Timestamp}
	v := view("visits", 4, []fstore.Field{{Name: "day", Type: fstore.Int32}, {Name: "site", Type: fstore.String}},
		fstore.Feature{Name: "count", Type: fstore.Int64}, fstore.Feature{Name: "share", Type: fstore.Float64}, tags, seen)
	spent := serviceOf("spent", 1, v)
	spent.OnDemand = []*fstore.OnDemandVersion{{
		Ref: fstore.ViewRef{Name: "spent", Version: 1},
		View: fstore.OnDemandView{
			Name: "spent", Request: []fstore.RequestColumn{{Name: "price", Type: fstore.Float64}},
			Features: []fstore.Feature{{Name: "paid", Type: fstore.Float64, Expression: "price * visits.share"}},
		},
		Inputs: []fstore.OnDemandInput{{Name: "visits", Ref: v.Ref, Keys: spent.Uses[0].Keys, Features: []string{"share"}}},
	}}
	spent.Outputs = fstore.Outputs{fstore.OnDemandOutput{As: "paid", Feature: "paid"}}
	w := newWorld(t, nil)
	w.book.Set(page{Services: map[string]*fstore.FeatureList{"visits": serviceOf("visits", 1, v), "spent": spent}, Views: map[string]*fstore.ViewVersion{"visits": v}})
	publish(t, w.store, v, now, row{int32(7), "a.example", now, int64(1)<<53 + 1, now, 0.25, []string{"x", ""}},
		row{int32(8), "a.example", now, nil, nil, nil, nil})
	address := w.serveOnTCP(t)

	ask := func(args ...string) ([]byte, error) {
		cmd := exec.Command(python, append([]string{pythonClient + "/get_features.py", "--address", address}, args...)...)
		cmd.Env = append(os.Environ(), "PYTHONPATH="+stubs, "PYTHONDONTWRITEBYTECODE=1")
		return cmd.Output()
	}
	got, err := ask("--service", "visits", "day=7,8,9", "site=a.example,a.example,b.example")
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr(err))
	}
	events := `["2026-03-01T12:00:00+00:00","2026-03-01T12:00:00+00:00",null]`
	statuses := `["PRESENT","NULL_VALUE","NOT_FOUND"]`
	want := `{"features":{
		"count":{"type":"int64","values":[9007199254740993,null,null],"statuses":` + statuses + `,"event_timestamps":` + events + `},
		"share":{"type":"float64","values":[0.25,null,null],"statuses":` + statuses + `,"event_timestamps":` + events + `},
		"tags":{"type":"list<string>","values":[["x",""],null,null],"statuses":` + statuses + `,"event_timestamps":` + events + `},
		"seen":{"type":"timestamp","values":["2026-03-01T12:00:00+00:00",null,null],"statuses":` + statuses + `,"event_timestamps":` + events + `}},
		"published":{"visits@4":"2026-03-01T12:00:00+00:00"}}`
	if diff := cmp.Diff(compact(t, []byte(want)), compact(t, got)); diff != "" {
		t.Errorf("answer differs (-want +got):\n%s", diff)
	}
	got, err = ask("--feature", "visits.share=s", "day=7", "site=a.example")
	if err != nil || !containsText(compact(t, got), `"s":{"type":"float64","values":[0.25],"statuses":["PRESENT"]`) {
		t.Errorf("by reference: got %v %s %s", err, got, stderr(err))
	}
	got, err = ask("--service", "spent", "day=7,8", "site=a.example,a.example", "price=2.5,3")
	if err != nil || !containsText(compact(t, got), `"paid":{"type":"float64","values":[0.625,null],"statuses":["PRESENT","NULL_VALUE"]`) {
		t.Errorf("with a request column: got %v %s %s", err, got, stderr(err))
	}
	if _, err = ask("--service", "nope"); !strings.Contains(stderr(err), `NOT_FOUND: there is no service "nope" (run: fstore list)`) {
		t.Errorf("unknown service: got %v %s", err, stderr(err))
	}
}

// serveOnTCP serves gRPC on a free port of this machine until the test ends, and returns its address.
func (w *world) serveOnTCP(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Serve(ctx, w.overGRPC(l)) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	w.refresh()
	return l.Addr().String()
}

// pythonWithGRPC returns a Python that has what the example requires: in a virtual environment that is made once for
// each state of its requirements and kept in the user's cache folder.
func pythonWithGRPC(t *testing.T) string {
	t.Helper()
	requirements := pythonClient + "/requirements.txt"
	text, err := os.ReadFile(requirements)
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	sum := sha256.Sum256(text)
	dir := filepath.Join(cache, "fstore", "python-"+hex.EncodeToString(sum[:8]))
	python := filepath.Join(dir, "bin", "python")
	if exec.Command(python, "-c", "import grpc, grpc_tools").Run() == nil {
		return python
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	// Made beside its place and then moved there, so that one that is there is whole.
	made, err := os.MkdirTemp(filepath.Dir(dir), "making-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(made)
	began := time.Now()
	run(t, "python3", "-m", "venv", made)
	run(t, filepath.Join(made, "bin", "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements)
	t.Logf("made %s in %s", dir, time.Since(began).Round(time.Second))
	if err := errors.Join(os.RemoveAll(dir), os.Rename(made, dir)); err != nil {
		t.Fatal(err)
	}
	return python
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

func stderr(err error) string {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(exit.Stderr)
	}
	return ""
}

func compact(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := json.Compact(&out, b); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	return out.Bytes()
}
