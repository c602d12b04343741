package mlflow_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/certfile"
	"github.com/fstore-dev/fstore/internal/certfile/certtest"
	"github.com/fstore-dev/fstore/internal/mlflow"
	"github.com/fstore-dev/fstore/internal/mlflow/mlflowtest"
)

const secret = "s3cr3t-of-the-test"

// open returns a client with an environment.
func open(t *testing.T, env map[string]string) *mlflow.Client {
	t.Helper()
	c, err := newClient(env)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newClient(env map[string]string) (*mlflow.Client, error) {
	return mlflow.New(mlflow.Options{
		Lookup: func(name string) (string, bool) { value, ok := env[name]; return value, ok },
		Secret: func(string) {},
	})
}

func server(t *testing.T) *mlflowtest.Server {
	return mlflowtest.New(t, map[string]*mlflowtest.Model{"fraud": {
		Versions: map[string]map[string]string{"6": {}, "7": {"team": "risk"}}, Aliases: map[string]string{"champion": "7"},
	}})
}

func TestVersionsTagsAndAliases(t *testing.T) {
	s, ctx := server(t), context.Background()
	c := open(t, map[string]string{"MLFLOW_TRACKING_URI": s.URL + "/"})
	want := &mlflow.Version{Name: "fraud", Version: "7", Tags: map[string]string{"team": "risk"}}
	for _, uri := range []string{"models:/fraud/7", "models:/fraud@champion"} {
		u, err := mlflow.ParseURI(uri)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Version(ctx, u)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", uri, d)
		}
	}
	if err := errors.Join(c.SetTag(ctx, want, "fstore.pin", "a b=ä"), c.DeleteTag(ctx, want, "team")); err != nil {
		t.Fatal(err)
	}
	all, err := c.Versions(ctx, "fraud")
	if err != nil || len(all) != 2 || all[0].Tags["fstore.pin"] != "a b=ä" || all[0].Tags["team"] != "" {
		t.Error(all, err)
	}
	if all, err = c.Versions(ctx, "nobody"); err != nil || len(all) != 0 {
		t.Error(all, err)
	}
	aliases, err := c.Aliases(ctx, "fraud")
	if d := cmp.Diff(map[string]string{"champion": "7"}, aliases); d != "" || err != nil {
		t.Error(d, err)
	}
}

func TestMoreVersionsThanAPage(t *testing.T) {
	s := server(t)
	tokens := map[string]string{"": "two", "two": "three", "three": ""}
	asked := ""
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := r.URL.Query().Get("page_token")
		asked += token + " "
		_, _ = w.Write([]byte(`{"model_versions":[{"name":"fraud","version":"1"}],"next_page_token":"` + tokens[token] + `"}`))
	}))
	defer h.Close()
	all, err := open(t, map[string]string{"MLFLOW_TRACKING_URI": s.URL, "MLFLOW_REGISTRY_URI": h.URL}).Versions(context.Background(), "fraud")
	if err != nil || len(all) != 3 || asked != " two three " {
		t.Error(all, err, asked)
	}
}

func TestURIs(t *testing.T) {
	for text, want := range map[string]mlflow.URI{
		"models:/fraud/7":            {Name: "fraud", Version: "7"},
		"models:/fraud@champion":     {Name: "fraud", Alias: "champion"},
		"models:/main.ml.Fraud-EU/1": {Name: "main.ml.Fraud-EU", Version: "1"},
	} {
		if got, err := mlflow.ParseURI(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"models:/fraud", "models:/", "models:/fraud/", "models:/fraud@", "models:/@champion", "models:fraud/7", "models:/m-0123abc",
		"models:/fraud/Production", "models:/fraud/latest", "models:/fraud/7/more", "runs:/abc/model",
	} {
		if got, err := mlflow.ParseURI(text); !errors.Is(err, fstore.ErrUsage) || !strings.Contains(err.Error(), "models:/NAME/VERSION") {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
}

// Credentials come from the variables that MLflow's own client reads, and in its order.
func TestCredentials(t *testing.T) {
	s := server(t)
	withUser := strings.Replace(s.URL, "http://", "http://ann:"+secret+"@", 1)
	for _, c := range []struct {
		name string
		env  map[string]string
		want string
	}{
		{"none", map[string]string{}, ""},
		{"token", map[string]string{"MLFLOW_TRACKING_TOKEN": secret}, "Bearer " + secret},
		{"password", map[string]string{"MLFLOW_TRACKING_USERNAME": "a", "MLFLOW_TRACKING_PASSWORD": "b"}, "Basic YTpi"},
		{"password before token", map[string]string{"MLFLOW_TRACKING_USERNAME": "a", "MLFLOW_TRACKING_PASSWORD": "b", "MLFLOW_TRACKING_TOKEN": secret}, "Basic YTpi"},
		{"half a password, and a token", map[string]string{"MLFLOW_TRACKING_USERNAME": "a", "MLFLOW_TRACKING_TOKEN": secret}, "Bearer " + secret},
		{"in the address", map[string]string{"MLFLOW_TRACKING_URI": withUser}, "Basic YW5uOnMzY3IzdC1vZi10aGUtdGVzdA=="},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.env["MLFLOW_TRACKING_URI"] == "" {
				c.env["MLFLOW_TRACKING_URI"] = s.URL
			}
			client := open(t, c.env)
			if _, err := client.Aliases(context.Background(), "fraud"); err != nil {
				t.Fatal(err)
			}
			if got := s.Header.Get("Authorization"); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if strings.Contains(client.Server(), secret) {
				t.Error(client.Server())
			}
		})
	}
}

// Every mistake in the environment names its variable, and none is ignored.
func TestTheEnvironment(t *testing.T) {
	const uri = "http://127.0.0.1:1"
	for _, c := range []struct {
		env  map[string]string
		says string
	}{
		{map[string]string{}, "MLFLOW_TRACKING_URI is not set"},
		{map[string]string{"MLFLOW_TRACKING_URI": "sqlite:///mlflow.db"}, "MLFLOW_TRACKING_URI=sqlite:///mlflow.db is not the address of a server"},
		{map[string]string{"MLFLOW_TRACKING_URI": "databricks"}, "is not the address of a server"},
		{map[string]string{"MLFLOW_TRACKING_URI": "http://ann:" + secret + "@:x y"}, "MLFLOW_TRACKING_URI is not a URL"},
		{map[string]string{"MLFLOW_TRACKING_URI": "file://ann:" + secret + "@h/x"}, "is not the address of a server"},
		{map[string]string{"MLFLOW_TRACKING_URI": uri, "MLFLOW_REGISTRY_URI": "./mlruns"}, "MLFLOW_REGISTRY_URI=./mlruns"},
		{map[string]string{"MLFLOW_TRACKING_URI": uri, "MLFLOW_TRACKING_USERNAME": "a"}, "only one of MLFLOW_TRACKING_USERNAME and"},
		{map[string]string{"MLFLOW_TRACKING_URI": uri, "MLFLOW_TRACKING_INSECURE_TLS": "maybe"}, "MLFLOW_TRACKING_INSECURE_TLS=maybe"},
		{map[string]string{"MLFLOW_TRACKING_URI": uri, "MLFLOW_TRACKING_INSECURE_TLS": "1", "MLFLOW_TRACKING_SERVER_CERT_PATH": "/x"}, "are both set"},
		{map[string]string{"MLFLOW_TRACKING_URI": uri, "MLFLOW_TRACKING_SERVER_CERT_PATH": "/nope"}, "MLFLOW_TRACKING_SERVER_CERT_PATH: the CA file"},
		{map[string]string{"MLFLOW_TRACKING_URI": uri, "MLFLOW_TRACKING_CLIENT_CERT_PATH": "/nope"}, "MLFLOW_TRACKING_CLIENT_CERT_PATH: the certificate"},
		{map[string]string{"MLFLOW_TRACKING_URI": uri, "MLFLOW_HTTP_REQUEST_TIMEOUT": "0"}, "MLFLOW_HTTP_REQUEST_TIMEOUT=0"},
	} {
		_, err := newClient(c.env)
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), secret) {
			t.Errorf("%v: %v", c.env, err)
		}
	}
}

// Every failure is of the kind that says what to do, names the server, and repeats no credential.
func TestFailures(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
		kind   error
		says   string
	}{
		{"unknown", 404, `{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"no fraud"}`, fstore.ErrNotFound, "no fraud"},
		{"no credential", 401, "You are not authenticated", fstore.ErrUnauthenticated, "set MLFLOW_TRACKING_TOKEN"},
		{"no permission", 403, `{"error_code":"PERMISSION_DENIED","message":"denied"}`, fstore.ErrForbidden, "denied"},
		{"a parameter", 400, `{"error_code":"INVALID_PARAMETER_VALUE","message":"bad\u001b[31m name"}`, fstore.ErrInvalid, "bad [31m name"},
		{"down", 503, "<html>", fstore.ErrUnavailable, "503"},
		{"fault", 500, `{"error_code":"INTERNAL_ERROR","message":"oops"}`, fstore.ErrUnavailable, "oops"},
		{"too many", 429, "", fstore.ErrUnavailable, "429"},
		{"another server", 404, "<html>", fstore.ErrInvalid, "is not an MLflow server"},
		{"a redirect", 302, "", fstore.ErrInvalid, "redirects"},
		{"not JSON", 200, "<html>", fstore.ErrInvalid, "is not JSON"},
		{"no model", 200, "{}", fstore.ErrInvalid, "has no model"},
		{"endless", 200, strings.Repeat(" ", 17<<20), fstore.ErrTooLarge, "more than 16 MB"},
		{"long", 400, `{"error_code":"X","message":"` + strings.Repeat("x", 1000) + `"}`, fstore.ErrInvalid, "xxx…"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := server(t)
			s.Refuse = func(string, string) (int, string) { return c.status, c.body }
			client := open(t, map[string]string{"MLFLOW_TRACKING_URI": s.URL, "MLFLOW_TRACKING_TOKEN": secret})
			_, err := client.Aliases(context.Background(), "fraud")
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), s.URL) ||
				strings.Contains(err.Error(), secret) || len(err.Error()) > 900 {
				t.Errorf("got %v, want %v saying %q", err, c.kind, c.says)
			}
		})
	}
	t.Run("away", func(t *testing.T) {
		h := httptest.NewServer(nil)
		h.Close()
		_, err := open(t, map[string]string{"MLFLOW_TRACKING_URI": h.URL, "MLFLOW_TRACKING_TOKEN": secret}).Aliases(context.Background(), "fraud")
		if !errors.Is(err, fstore.ErrUnavailable) || !strings.Contains(err.Error(), "cannot be reached") || strings.Contains(err.Error(), secret) {
			t.Error(err)
		}
	})
	t.Run("an unknown alias", func(t *testing.T) {
		_, err := open(t, map[string]string{"MLFLOW_TRACKING_URI": server(t).URL}).Version(context.Background(), mlflow.URI{Name: "fraud", Alias: "x"})
		if !errors.Is(err, fstore.ErrNotFound) {
			t.Error(err)
		}
	})
	t.Run("interrupted", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := open(t, map[string]string{"MLFLOW_TRACKING_URI": server(t).URL}).Aliases(ctx, "fraud"); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// The variables for TLS are those of MLflow's client: the server's CA, and the client's certificate and key in one file.
func TestTLS(t *testing.T) {
	ca := certtest.New(t, "ca", time.Now())
	pair := ca.Issue(t, "server")
	certificate, err := tls.LoadX509KeyPair(pair.Certificate, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	pool, err := certfile.Pool(ca.File, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewUnstartedServer(server(t))
	h.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert}
	h.Config.ErrorLog = log.New(io.Discard, "", 0)
	h.StartTLS()
	defer h.Close()
	both := filepath.Join(t.TempDir(), "client.pem")
	text := ""
	for _, file := range []string{pair.Certificate, pair.Key} {
		part, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text += string(part)
	}
	if err := os.WriteFile(both, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		env  map[string]string
		ok   bool
	}{
		{"trusted", map[string]string{"MLFLOW_TRACKING_SERVER_CERT_PATH": ca.File, "MLFLOW_TRACKING_CLIENT_CERT_PATH": both}, true},
		{"not checked", map[string]string{"MLFLOW_TRACKING_INSECURE_TLS": "true", "MLFLOW_TRACKING_CLIENT_CERT_PATH": both}, true},
		{"unknown CA", map[string]string{"MLFLOW_TRACKING_CLIENT_CERT_PATH": both}, false},
		{"no certificate", map[string]string{"MLFLOW_TRACKING_SERVER_CERT_PATH": ca.File}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.env["MLFLOW_TRACKING_URI"] = h.URL
			_, err := open(t, c.env).Aliases(context.Background(), "fraud")
			if c.ok != (err == nil) || !c.ok && !errors.Is(err, fstore.ErrUnavailable) {
				t.Error(err)
			}
		})
	}
}
